//! CMDB files: YAML and CSV read into an inventory, with every fault of all files at once.
//!
//! The files are one source, and each import is another: what leaves a source is retired, and all of them are checked as one. Items keep their numbers by id;
//! a number is never given twice.

mod check;
mod csv;
mod draft;

use serde_json::{Value, json};

use draft::{Draft, Drafts, TeamDraft};

use super::Inventory;
use crate::source::{self, Diagnostic, Key, Node, Reading, Shape, SourceFile, Spanned, Takes, Unread, nearest};
use crate::words::{Level, Relation};

/// The source of what CMDB files hold.
pub const FILES: &str = "files";

/// What one source brings.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Its name, kept with its items; [`FILES`] for the folder that operators edit.
    pub name: &'a str,
    /// Its files.
    pub files: &'a [SourceFile],
}

/// Reads the files of one source, [`FILES`], where there is no other: see [`read_sources`].
pub fn read(files: &[SourceFile], base: &Inventory) -> Result<(Inventory, Vec<Diagnostic>), Vec<Diagnostic>> {
    read_sources(&[Source { name: FILES, files }], base)
}

/// Reads all CMDB files of all sources: `*.yaml` and `*.yml` with the sections `people`, `teams`, `items` and `contracts`, `*.csv` with one kind a file.
///
/// The result holds what they hold and nothing else; they may name each other's records, and a name that two of them claim is a fault that names both
/// places. An id that `base` knows, whatever its case, keeps its number; new ids get the next ones in id order. `Ok` brings the warnings along, `Err`
/// everything that was found.
pub fn read_sources(sources: &[Source<'_>], base: &Inventory) -> Result<(Inventory, Vec<Diagnostic>), Vec<Diagnostic>> {
    let Checked { inventory, found, .. } = check_sources(sources, base, Unread::default());
    if found.iter().any(Diagnostic::is_error) { Err(found) } else { Ok((inventory, found)) }
}

/// What could be read of CMDB files.
#[derive(Debug)]
pub struct Checked {
    /// The records, which can be put in force where nothing that was found is an error.
    pub inventory: Inventory,
    /// Every finding of every file, by file and place.
    pub found: Vec<Diagnostic>,
    /// The calendars that teams name, each with its file: rules define them.
    pub calendars: Vec<(String, Spanned<String>)>,
    /// What could not be read.
    pub unread: Unread,
}

/// As [`read_sources`], as far as the files can be read. `unread` is what their folder holds beside them and nobody could look at.
pub fn check_sources(sources: &[Source<'_>], base: &Inventory, mut unread: Unread) -> Checked {
    let mut found = Vec::new();
    let mut drafts = Drafts::default();
    let mut files = Vec::new();
    for source in sources {
        for file in source.files {
            files.push(file);
            let Some(root) = tree(file, &mut found, &mut unread) else { continue };
            let reading = Reading::new(file);
            drafts.read(files.len() - 1, source.name, &root, &reading);
            found.extend(reading.finish());
        }
    }
    let named = |team: &Draft<TeamDraft>| Some((files[team.file].path.clone(), team.record.calendar.clone()?));
    let calendars = drafts.teams.iter().filter_map(named).collect();
    let inventory = check::build(drafts, &files, base, &unread, &mut found);
    source::sort(&mut found);
    Checked { inventory, found, calendars, unread }
}

/// Reads what stands under `cmdb:` of a rule test: the same sections, numbered from 0. Faults go to `reading`; `None` where there was one.
pub fn read_inline(node: &Node, reading: &Reading<'_>) -> Option<Inventory> {
    let file = reading.file();
    // A reading of its own, because the caller's may hold errors about other things.
    let own = Reading::new(file);
    let mut drafts = Drafts::default();
    drafts.read(0, FILES, node, &own);
    let mut found = own.finish();
    let inventory = check::build(drafts, &[file], &Inventory::default(), &Unread::default(), &mut found);
    let is_good = !found.iter().any(Diagnostic::is_error);
    found.into_iter().for_each(|finding| reading.report(finding));
    is_good.then_some(inventory)
}

/// JSON Schema of a CMDB file in YAML, for editors.
pub fn schema() -> Value {
    let mut schema = FILE.schema();
    if let Value::Object(object) = &mut schema {
        object.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.insert("title".to_owned(), json!("Watchkeeper CMDB file"));
    }
    schema
}

/// The sections of a file, by their keys.
pub fn sections() -> impl Iterator<Item = &'static str> {
    FILE.names()
}

/// The keys of people, teams, items and contracts that a later version will know, with what they stand in.
pub fn later() -> Vec<(&'static str, &'static str)> {
    FILE.later_below()
}

/// The sections of a file.
pub(crate) static FILE: Shape = Shape {
    what: "a CMDB file",
    keys: &[
        Key::may("people", Takes::List(&Takes::Map(&PERSON)), "Who can lead a team or be on call."),
        Key::may("teams", Takes::List(&Takes::Map(&TEAM)), "Who owns CIs."),
        Key::may("items", Takes::List(&Takes::Map(&ITEM)), "Configuration items: hosts, switches, groups, services, whatever can fail."),
        Key::may("contracts", Takes::List(&Takes::Map(&CONTRACT)), "Contracts with vendors."),
    ],
    later: &[],
};

static PERSON: Shape = Shape {
    what: "a person",
    keys: &[
        Key::must("id", Takes::Text, "The name by which teams and rotas know them, whatever the case."),
        Key::may("mail", TEXTS, "Where mail reaches them."),
    ],
    later: &[],
};

static TEAM: Shape = Shape {
    what: "a team",
    keys: &[
        Key::must("id", Takes::Text, "The name by which CIs and rules know it, whatever the case."),
        Key::may("mail", TEXTS, "Where mail reaches all of it."),
        Key::may("lead", Takes::Text, "The person who leads it."),
        Key::may("oncall", Takes::Text, "The rota, in the rules, that says who is on call."),
        Key::may("calendar", Takes::Text, "The calendar, in the rules, of its working time."),
        Key::may("zone", Takes::Text, "The zone its mails give times in, such as Europe/Berlin; UTC unless given."),
    ],
    later: &[
        ("domain", "give the team's CIs a `domain`"),
        ("language", "leave it out: mails are in English, and templates of your own may say it otherwise"),
    ],
};

static ITEM: Shape = Shape {
    what: "a CI",
    keys: &[
        Key::must("id", Takes::Text, "Its name; found whatever the case, and a full host name by its short form where that is unique."),
        Key::may("class", Takes::Text, "What it is: host, switch, cluster, or any word; `service` is what people consume."),
        Key::may("owner", Takes::Text, "The team that is responsible for it."),
        Key::may("domain", Takes::Text, "The part of the organisation it belongs to."),
        Key::may("environment", Takes::Text, "Production unless given; everything else has low impact."),
        Key::may("criticality", Takes::Word(Level::WORDS), "How much it matters; medium unless given."),
        Key::may("tier", Takes::Text, "The tier of a service, for rules and SLAs."),
        Key::may("aliases", TEXTS, "Further names under which alerts know it: addresses, asset numbers."),
        Key::may("labels", Takes::Pairs(&Takes::Text), "Free pairs for rules: `ci.labels.site`."),
        Key::may("stakeholders", TEXTS, "Addresses that want to hear of a service."),
        Key::may(
            "min_up",
            Takes::Text,
            "Of a group: members that must be up, a number or a percentage such as 50%, rounded up; 1 unless given.",
        ),
        Key::may("relations", Takes::List(&Takes::Map(&RELATION)), "What it has to do with other CIs."),
        Key::may("note", Takes::Text, "A word to whoever looks at it."),
    ],
    later: &[],
};

const TEXTS: Takes = Takes::OneOrList(&Takes::Text);

static RELATION: Shape = Shape {
    what: "a relation",
    keys: &[
        Key::may(Relation::DependsOn.word(), TEXTS, "It needs that CI: a fault there is a fault here."),
        Key::may(Relation::RunsOn.word(), TEXTS, "It runs on that CI: a fault there is a fault here."),
        Key::may(
            Relation::MemberOf.word(),
            TEXTS,
            "It is a member of that group, which is down when fewer than its `min_up` members are up.",
        ),
        Key::may(Relation::Contains.word(), TEXTS, "That CI is a part of it: a fault here is a fault there."),
        Key::may(Relation::ConnectsTo.word(), TEXTS, "They are connected; no fault flows."),
        Key::may(Relation::PoweredBy.word(), TEXTS, "That CI powers it: a fault there is a fault here."),
    ],
    later: &[],
};

static CONTRACT: Shape = Shape {
    what: "a contract",
    keys: &[
        Key::must("id", Takes::Text, "The name by which rules know it, whatever the case."),
        Key::may("vendor", Takes::Text, "Who the contract is with."),
        Key::may("mail", TEXTS, "Where mail reaches them."),
        Key::may("until", Takes::Text, "Its last day, such as 2027-06-30."),
        Key::may("notice", Takes::Duration, "How long before its last day somebody must act, such as 90d."),
        Key::may("covers", TEXTS, "The CIs it covers."),
    ],
    later: &[("reference", "put the number into `vendor`")],
};

fn tree(file: &SourceFile, found: &mut Vec<Diagnostic>, unread: &mut Unread) -> Option<Node> {
    let name = file.path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    match name.rsplit_once('.') {
        Some((_, "yaml" | "yml")) => source::parse(file, found, unread).filter(|root| !root.is_null()),
        Some((stem, "csv")) => {
            let section = FILE.names().find(|section| *section == stem).unwrap_or("items");
            let before = found.len();
            let root = csv::parse(file, section, shape_of(section), found);
            // A row that cannot be read is left out, and what it would have brought is not missed.
            if found.len() > before {
                unread.add(&file.text);
            }
            root
        }
        Some(_) | None => {
            found.push(
                Diagnostic::warning(file, &(0..0), "this file is not read: it is neither YAML nor CSV")
                    .help("end its name in .yaml or .csv"),
            );
            None
        }
    }
}

fn shape_of(section: &str) -> &'static Shape {
    match section {
        "people" => &PERSON,
        "teams" => &TEAM,
        "contracts" => &CONTRACT,
        _ => &ITEM,
    }
}

/// `did you mean …?` where a known word is near.
fn meant<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<String> {
    nearest(word, known).map(|word| format!("did you mean `{word}`?"))
}
