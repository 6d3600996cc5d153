//! Records of one file with the places of what other records may contradict; what a record says of itself is checked here.

use std::ops::Range;

use jiff::tz::TimeZone;

use super::{CONTRACT, FILE, ITEM, PERSON, RELATION, TEAM, meant};
use crate::cmdb::{Ci, Contract, MinUp, Person, SERVICE_CLASS, Team};
use crate::ids::CiNo;
use crate::limits;
use crate::source::{Diagnostic, Keys, Kind, Node, OneOrMany, Reading, Shape, Spanned};
use crate::text::{cut, one_line};
use crate::time::Span;
use crate::words::{Level, Relation};

/// What the files say, before they are held against each other.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    pub(super) people: Vec<Draft<Person>>,
    pub(super) teams: Vec<Draft<TeamDraft>>,
    pub(super) items: Vec<Draft<ItemDraft>>,
    pub(super) contracts: Vec<Draft<ContractDraft>>,
}

/// A record and where its id stands.
#[derive(Debug)]
pub(super) struct Draft<T> {
    /// Which of the files.
    pub(super) file: usize,
    pub(super) id: Spanned<String>,
    pub(super) record: T,
}

#[derive(Debug)]
pub(super) struct TeamDraft {
    pub(super) team: Team,
    pub(super) lead: Option<Spanned<String>>,
    pub(super) calendar: Option<Spanned<String>>,
}

#[derive(Debug)]
pub(super) struct ItemDraft {
    /// Without owner, aliases and relations.
    pub(super) ci: Ci,
    pub(super) owner: Option<Spanned<String>>,
    pub(super) aliases: Vec<Spanned<String>>,
    pub(super) relations: Vec<(Relation, Spanned<String>)>,
    /// Where `min_up` stands.
    pub(super) min_up: Option<Range<usize>>,
    /// Where the values of [`WORDS`] stand.
    pub(super) words: [Range<usize>; WORDS.len()],
}

/// Reads a word of a CI.
type WordOf = fn(&Ci) -> &str;

/// Keys of a CI whose values are words that many share, with what is read of them.
pub(super) const WORDS: [(&str, WordOf); 4] =
    [("class", |ci| &ci.class), ("environment", |ci| &ci.environment), ("domain", |ci| &ci.domain), ("tier", |ci| &ci.tier)];

#[derive(Debug)]
pub(super) struct ContractDraft {
    pub(super) contract: Contract,
    pub(super) covers: Vec<Spanned<String>>,
}

impl Drafts {
    /// Reads the sections under `root`, a file of `source`.
    pub(super) fn read(&mut self, file: usize, source: &str, root: &Node, reading: &Reading<'_>) {
        let Some(sections) = reading.keys(root, &FILE) else { return };
        each(&sections, "people", &PERSON, |id, keys| {
            let record = Person { id: id.value.clone(), mail: addresses(keys, "mail") };
            self.people.push(Draft { file, id, record });
        });
        each(&sections, "teams", &TEAM, |id, keys| {
            let record = team(id.value.clone(), keys);
            self.teams.push(Draft { file, id, record });
        });
        each(&sections, "items", &ITEM, |id, keys| {
            let record = item(id.value.clone(), source, keys);
            self.items.push(Draft { file, id, record });
        });
        each(&sections, "contracts", &CONTRACT, |id, keys| {
            let record = contract(id.value.clone(), keys);
            self.contracts.push(Draft { file, id, record });
        });
    }
}

/// Hands every record of a section that has a good id to `take`.
fn each<'a>(sections: &Keys<'a, '_>, section: &'static str, shape: &'static Shape, mut take: impl FnMut(Spanned<String>, &Keys<'a, '_>)) {
    let reading = sections.reading();
    let Some(list) = sections.node(section) else { return };
    for node in reading.items(list) {
        let Some(keys) = reading.keys(node, shape) else { continue };
        if let Some(id) = keys.get("id").and_then(|id| named(id, reading)) {
            take(id, &keys);
        }
    }
}

fn team(id: String, keys: &Keys<'_, '_>) -> TeamDraft {
    let reading = keys.reading();
    let zone: Option<Spanned<String>> = keys.get("zone");
    if let Some(zone) = &zone
        && TimeZone::get(&zone.value).is_err()
    {
        let message = format!("unknown zone `{}`", shown(&zone.value));
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let label = meant(&zone.value, known.iter().map(String::as_str)).unwrap_or_default();
        reading.report(
            Diagnostic::error(reading.file(), &zone.span, message).label(label).help("write its IANA name, such as Europe/Berlin or UTC"),
        );
    }
    // Nothing looks at these yet.
    for (key, until_then) in [
        ("oncall", "rotas are not yet supported; until they are, whoever is on call is the whole team"),
        ("calendar", "a team's calendar is not yet used; until it is, `during` and quiet hours cannot be said"),
    ] {
        if keys.node(key).is_some() {
            let message = format!("`{key}` of a team does nothing yet");
            reading.report(Diagnostic::warning(reading.file(), &keys.place_of(key), message).help(until_then));
        }
    }
    let team = Team {
        id,
        mail: addresses(keys, "mail"),
        lead: String::new(),
        oncall: text(keys, "oncall"),
        calendar: text(keys, "calendar"),
        zone: zone.map_or_else(String::new, |zone| zone.value),
    };
    TeamDraft { team, lead: keys.get("lead"), calendar: keys.get("calendar") }
}

fn item(id: String, source: &str, keys: &Keys<'_, '_>) -> ItemDraft {
    let reading = keys.reading();
    let class: Option<Spanned<String>> = keys.get("class");
    if let Some(class) = class.as_ref().filter(|class| class.value != SERVICE_CLASS && class.value.eq_ignore_ascii_case(SERVICE_CLASS)) {
        let message = format!("the class `{}` is not `{SERVICE_CLASS}`, and only that is what people consume", shown(&class.value));
        reading.report(Diagnostic::warning(reading.file(), &class.span, message).help(format!("write `class: {SERVICE_CLASS}`")));
    }
    let min_up = keys.node("min_up").and_then(|node| Some((min_up(node, reading)?, node.span.clone())));
    let aliases = list(keys, "aliases").into_iter().filter_map(|alias| named(alias, reading)).collect();
    let ci = Ci {
        no: CiNo(0),
        id,
        class: class.map_or_else(String::new, |class| class.value),
        owner: String::new(),
        domain: text(keys, "domain"),
        environment: text(keys, "environment"),
        criticality: keys.get("criticality").unwrap_or(Level::Medium),
        tier: text(keys, "tier"),
        aliases: Vec::new(),
        labels: keys.get("labels").unwrap_or_default(),
        stakeholders: addresses(keys, "stakeholders"),
        min_up: min_up.as_ref().map_or(MinUp::Count(1), |min_up| min_up.0),
        relations: Vec::new(),
        note: text(keys, "note"),
        source: source.to_owned(),
    };
    let words = WORDS.map(|(key, _)| keys.node(key).map_or(0..0, |node| node.span.clone()));
    ItemDraft { ci, owner: keys.get("owner"), aliases, relations: relations(keys), min_up: min_up.map(|min_up| min_up.1), words }
}

fn contract(id: String, keys: &Keys<'_, '_>) -> ContractDraft {
    let reading = keys.reading();
    let until: Option<Spanned<String>> = keys.get("until");
    if let Some(until) = until.as_ref().filter(|until| until.value.len() != 10 || until.value.parse::<jiff::civil::Date>().is_err()) {
        let message = format!("`{}` is no day", shown(&until.value));
        reading.report(Diagnostic::error(reading.file(), &until.span, message).help("write year, month and day, such as 2027-06-30"));
    }
    let contract = Contract {
        id,
        vendor: text(keys, "vendor"),
        mail: addresses(keys, "mail"),
        until: until.map_or_else(String::new, |until| until.value),
        // Kept as written, once it is known to be a duration.
        notice: keys.get::<Span>("notice").map_or_else(String::new, |_| text(keys, "notice")),
        covers: Vec::new(),
    };
    ContractDraft { contract, covers: list(keys, "covers") }
}

fn relations(keys: &Keys<'_, '_>) -> Vec<(Relation, Spanned<String>)> {
    let reading = keys.reading();
    let mut relations = Vec::new();
    for node in keys.node("relations").map_or(&[] as &[Node], |node| reading.items(node)) {
        let Some(pair) = reading.keys(node, &RELATION) else { continue };
        if pair.entries().is_empty() || pair.entries().iter().any(|entry| leads_nowhere(&entry.value)) {
            let error = Diagnostic::error(reading.file(), &node.span, "a relation that leads nowhere");
            reading.report(error.help("name the CI it leads to, such as `depends_on: db-1`, or leave it out"));
        }
        for relation in Relation::ALL {
            relations.extend(list(&pair, relation.word()).into_iter().map(|to| (*relation, to)));
        }
    }
    relations
}

fn leads_nowhere(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar(scalar) => scalar.text.trim().is_empty(),
        Kind::Seq(items) => items.is_empty(),
        Kind::Map(_) | Kind::Faulty => false,
    }
}

fn min_up(node: &Node, reading: &Reading<'_>) -> Option<MinUp> {
    let Spanned { value, span } = reading.read::<Spanned<String>>(node)?;
    let percent = value.trim().strip_suffix('%');
    let number = percent.unwrap_or(&value).trim().parse::<u32>();
    let fault = |message: String, help: &str| {
        reading.report(Diagnostic::error(reading.file(), &span, message).help(help));
        None
    };
    match (number, percent) {
        (Ok(number @ 1..=100), Some(_)) => Some(MinUp::Percent(number)),
        (Ok(number), Some(_)) => fault(format!("{number}% of the members cannot be up"), "write a percentage from 1% to 100%"),
        (Ok(0), None) => {
            fault("a group of which none must be up never fails".to_owned(), "write 1 or more, or relate its members by `connects_to`")
        }
        (Ok(number), None) => Some(MinUp::Count(number)),
        (Err(_), _) => fault(
            format!("expected a number of members, found {}", node.describe()),
            "write a number such as 2, or a percentage such as 50%",
        ),
    }
}

fn text(keys: &Keys<'_, '_>, key: &'static str) -> String {
    keys.get(key).unwrap_or_default()
}

fn list(keys: &Keys<'_, '_>, key: &'static str) -> Vec<Spanned<String>> {
    keys.get::<OneOrMany<Spanned<String>>>(key).map_or_else(Vec::new, |list| list.0)
}

/// Addresses that a mail can be sent to; what is none is reported and left out.
fn addresses(keys: &Keys<'_, '_>, key: &'static str) -> Vec<String> {
    let reading = keys.reading();
    let mut good = Vec::new();
    for address in list(keys, key) {
        match address_fault(&address.value) {
            None => good.push(address.value),
            Some(why) => {
                let message = format!("`{}` is no mail address: {why}", shown(&address.value));
                reading.report(
                    Diagnostic::error(reading.file(), &address.span, message).help("write one plain address, such as net@example.org"),
                );
            }
        }
    }
    good
}

fn address_fault(address: &str) -> Option<&'static str> {
    let hostile =
        |c: char| c.is_control() || c.is_whitespace() || "<>()[]\\,;:\"".contains(c) || one_line(c.encode_utf8(&mut [0; 4])).is_empty();
    let (local, domain) = match (address.split_once('@'), address.matches('@').count()) {
        (Some(parts), 1) => parts,
        (Some(_) | None, 0) => return Some("it has no @"),
        (Some(_) | None, _) => return Some("it has more than one @"),
    };
    if address.chars().any(char::is_control) {
        Some("it holds a control character")
    } else if address.chars().any(hostile) {
        Some("it holds a blank or one of < > ( ) [ ] \\ , ; : \"")
    } else if local.is_empty() || domain.is_empty() {
        Some("something is missing beside the @")
    } else if address.len() > limits::ADDRESS_BYTES_MAX || domain.starts_with('.') || domain.ends_with('.') || address.contains("..") {
        Some("no mail server takes it")
    } else {
        None
    }
}

/// The id or alias, where it can be one.
fn named(name: Spanned<String>, reading: &Reading<'_>) -> Option<Spanned<String>> {
    let why = if name.value.trim().is_empty() {
        "a name is empty".to_owned()
    } else if name.value.len() > limits::NAME_BYTES_MAX {
        format!("a name of {} bytes is longer than the {} that one may have", name.value.len(), limits::NAME_BYTES_MAX)
    } else if name.value != one_line(&name.value) {
        format!("the name `{}` holds a line end, a control character or blanks that nobody sees", shown(&name.value))
    } else {
        return Some(name);
    };
    reading.report(Diagnostic::error(reading.file(), &name.span, why));
    None
}

fn shown(text: &str) -> String {
    cut(&one_line(text), 60)
}
