//! Words that conditions of rules compare with, held against what the CMDB, the rules and the configuration know: what nothing there is called is probably a slip.
//!
//! All of these are warnings: a rule may be written before the CI that it is for. Where there is no CMDB, nothing of it is missed.

use std::collections::{BTreeMap, BTreeSet};

use watchkeeper_engine::cmdb::{Ci, Inventory, SERVICE_CLASS};
use watchkeeper_engine::limits::CMDB_NEAREST_MAX;
use watchkeeper_engine::source::{Compared, Diagnostic, SourceFile, nearest};
use watchkeeper_engine::text::{cut, one_line};
use watchkeeper_engine::words::HOLD_REASONS;

use super::frame::Frame;
use super::names::{Given, note};
use crate::diagnostics::Findings;

/// Words that a finding lists. More are not read.
const LISTED_MAX: usize = 8;
/// The environment of a CI that names none, which conditions may name all the same.
const PRODUCTION: &str = "production";

/// Reports every word that nothing is called.
pub(super) fn check(frame: &Frame, given: &Given<'_>, findings: &mut Findings) {
    let mut known: BTreeMap<(&str, Option<&str>, bool), Option<Known<'_>>> = BTreeMap::new();
    let mut looked = 0;
    for (path, compared) in &given.rules.compared {
        let file = given.rules.policy.sources.iter().find(|file| file.path == *path);
        for compared in compared {
            let is_word = compared.word.is_some();
            let label = compared.label.as_deref().filter(|_| is_word);
            let known = known.entry((compared.path, label, is_word));
            let known = known.or_insert_with(|| if is_word { words(frame, given, compared) } else { labels(given, compared.path) });
            let (Some(known), Some(sought)) = (known.as_ref(), compared.word.as_ref().or(compared.label.as_ref())) else { continue };
            if sought.is_empty() || known.has(sought) || known.may_be_unread(given, sought) {
                continue;
            }
            looked += 1;
            let near = if looked > CMDB_NEAREST_MAX { None } else { nearest(sought, known.words.iter().copied()) };
            if near.is_some() || known.extent == Extent::Closed {
                note(findings, file, finding(path, compared, known, sought, near));
            }
        }
    }
}

/// Every word that a field or a label can have.
struct Known<'a> {
    /// What has such a word: `no CI has the class`.
    nobody: String,
    words: BTreeSet<&'a str>,
    extent: Extent,
    from: From,
}

/// Whether there are further words that nobody here knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// There are none.
    Closed,
    /// There are: only what is near to a known one is a slip.
    Open,
}

/// Where the words are from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Cmdb,
    Rules,
    Daemon,
}

impl Known<'_> {
    fn has(&self, word: &str) -> bool {
        self.words.contains(word)
    }

    /// Whether a file that could not be read may know it.
    fn may_be_unread(&self, given: &Given<'_>, word: &str) -> bool {
        match self.from {
            From::Cmdb => given.cmdb.unread.may_define(word),
            // What is faulty is not in the policy.
            From::Rules => given.rules.unread.may_define(word) || given.rules.found.iter().any(Diagnostic::is_error),
            From::Daemon => false,
        }
    }
}

/// The words of what is compared; `None`: there is no telling, or nothing of it is there yet.
fn words<'a>(frame: &'a Frame, given: &Given<'a>, compared: &Compared) -> Option<Known<'a>> {
    let (inventory, policy) = (&given.cmdb.inventory, &given.rules.policy);
    let of = |from, extent, nobody: &str, words: BTreeSet<&'a str>| Some(Known { nobody: nobody.to_owned(), words, extent, from });
    let cmdb = |nobody: &str, words| of(From::Cmdb, Extent::Closed, nobody, words).filter(|_| !inventory.items.is_empty());
    let teams = || inventory.teams.values().map(|team| team.id.as_str());
    match (compared.path, compared.label.as_deref()) {
        ("ci.class", _) => cmdb("no CI has the class", each(inventory, |ci| &ci.class).chain([SERVICE_CLASS]).collect()),
        ("ci.environment", _) => cmdb("no CI has the environment", each(inventory, |ci| &ci.environment).chain([PRODUCTION]).collect()),
        ("ci.domain", _) => cmdb("no CI has the domain", each(inventory, |ci| &ci.domain).collect()),
        ("ci.owner" | "service.owner" | "incident.team", _) if !inventory.teams.is_empty() => {
            cmdb("the CMDB has no team", teams().collect())
        }
        ("ci.labels", Some(label)) => {
            cmdb(&format!("no CI has the label `{label}` with"), inventory.items.values().map(|ci| ci.labels.get(label)).collect())
        }
        ("service.domain", _) => cmdb("no service has the domain", services(inventory).map(|ci| ci.domain.as_str()).collect()),
        ("service.tier", _) => cmdb("no service has the tier", services(inventory).map(|ci| ci.tier.as_str()).collect()),
        ("service.id" | "sla.service" | "incident.services", _) => {
            cmdb("no service has the id", services(inventory).map(|ci| ci.id.as_str()).collect())
        }
        ("service.labels", Some(label)) => {
            cmdb(&format!("no service has the label `{label}` with"), services(inventory).map(|ci| ci.labels.get(label)).collect())
        }
        // A CI that the CMDB does not know has what it was looked up by as its id.
        ("ci.id", _) => cmdb("no CI has the id", each(inventory, |ci| &ci.id).collect()).map(Known::open),
        ("alert.labels", Some("ci")) => {
            let names = inventory.items.values().flat_map(|ci| ci.aliases.iter().chain([&ci.id]).map(String::as_str));
            cmdb("no CI has the id or alias", names.collect()).map(Known::open)
        }
        // Whoever signs in may be somebody that the CMDB does not know.
        ("incident.assignee", _) => {
            let people = inventory.people.values().map(|person| person.id.as_str());
            cmdb("the CMDB has no person or team", people.chain(teams()).collect()).map(Known::open)
        }
        ("incident.rule", _) => {
            let names = policy.correlate.rules().iter().map(|rule| rule.name.as_str());
            of(From::Rules, Extent::Closed, "no correlate rule has the name", names.collect())
        }
        ("sla.name", _) => {
            of(From::Rules, Extent::Closed, "no SLA has the name", policy.slas.iter().map(|sla| sla.name.as_str()).collect())
        }
        ("incident.hold", _) => {
            of(From::Daemon, Extent::Closed, "no incident is held for the reason", HOLD_REASONS.iter().copied().collect())
        }
        // Another daemon.toml may be meant, and senders that need none have names of their own.
        ("alert.source", _) => {
            let webhooks = frame.config.webhooks.iter().map(|webhook| webhook.name.as_str());
            let topics = frame.config.kafka.iter().flat_map(|kafka| &kafka.topics).map(|topic| topic.name.as_str());
            of(
                From::Daemon,
                Extent::Open,
                "daemon.toml has no source",
                webhooks.chain(topics).chain(["capacity", "default", "test"]).collect(),
            )
        }
        _ => None,
    }
}

/// The labels that CIs or services have; `None`: they are a sender's.
fn labels<'a>(given: &Given<'a>, path: &str) -> Option<Known<'a>> {
    let inventory = &given.cmdb.inventory;
    let known = |nobody: &str, items: &mut dyn Iterator<Item = &'a Ci>| Known {
        nobody: nobody.to_owned(),
        words: items.flat_map(|ci| ci.labels.iter().map(|(name, _)| name)).collect(),
        extent: Extent::Closed,
        from: From::Cmdb,
    };
    match path {
        _ if inventory.items.is_empty() => None,
        "ci.labels" => Some(known("no CI has the label", &mut inventory.items.values())),
        "service.labels" => Some(known("no service has the label", &mut services(inventory))),
        _ => None,
    }
}

impl Known<'_> {
    fn open(self) -> Self {
        Known { extent: Extent::Open, ..self }
    }
}

fn each<'a>(inventory: &'a Inventory, of: impl Fn(&'a Ci) -> &'a String) -> impl Iterator<Item = &'a str> {
    inventory.items.values().map(move |ci| of(ci).as_str())
}

fn services(inventory: &Inventory) -> impl Iterator<Item = &Ci> {
    inventory.items.values().filter(|ci| ci.class == SERVICE_CLASS)
}

fn finding(path: &str, compared: &Compared, known: &Known<'_>, sought: &str, near: Option<&str>) -> Diagnostic {
    let shown = |word: &str| cut(&one_line(word), 60);
    let words: Vec<String> = known.words.iter().filter(|word| !word.is_empty()).map(|word| shown(word)).collect();
    let warning = Diagnostic::warning(&SourceFile::new(path, ""), &compared.span, format!("{} `{}`", known.nobody, shown(sought)));
    let warning = warning.label(near.map_or_else(String::new, |word| format!("did you mean `{}`?", shown(word))));
    match words.len() {
        0 => warning.help("nothing there has one at all"),
        1..=LISTED_MAX => warning.help(format!("known are {}", words.join(", "))),
        count => warning.help(format!("known are {} and {} more", words[..LISTED_MAX].join(", "), count - LISTED_MAX)),
    }
}
