//! The sections of rule files, in one table: the keys of a file, how each is read and compiled, what it names, and what its conditions see.
//!
//! A new section is a file that implements [`FileSection`], a field of the policy, and a line in the table.

use super::rules::Scope;
use super::{
    Condition, Named, Policy, RuleName, calendars, capacity, correlate, formats, identify, notify, priorities, problems, silences, slas,
    tests,
};
use crate::source::{Diagnostic, Entry, Key, Keys, Kind, Node, OneOrMany, Reading, Shape, Spanned, Takes, Unread};
use crate::{cmdb, expr};

/// The key of a section in rule files. The table below gives it.
pub(super) trait Keyed {
    /// The key.
    const KEY: &'static str;
}

/// A section of rule files while they are read. It begins empty and is given the section of one file after the other.
pub(super) trait FileSection: Keyed + Default {
    /// What its value is in a file.
    const TAKES: Takes;
    /// What it decides: what an editor shows.
    const DOC: &'static str;
    /// The first parts of the names that its conditions see.
    const SEES: &'static [&'static str];
    /// What its names stand for.
    const NAMES: StandsFor;

    /// Reads the section of one file. What stands in `scope` is added to every condition.
    fn read<'a>(&mut self, reading: &Reading<'a>, node: &'a Node, scope: &Scope<'a>);

    /// Compiles what all files say into its place in the policy, where the sections above it in the table are already.
    fn finish(self, policy: &mut Policy, found: &mut Found<'_>);

    /// The names that it gives in a finished policy, in the order in which they are asked, and whether each is built in.
    fn names(policy: &Policy) -> Vec<(&str, IsBuiltin)>;

    /// The section, as its expressions know it.
    fn section() -> expr::Section {
        expr::Section { key: Self::KEY, sees: Self::SEES }
    }
}

/// A rule as findings name it.
#[derive(Debug)]
pub(super) struct Rule {
    /// What it is: a correlate rule.
    pub(super) kind: &'static str,
    /// Its name and where that stands.
    pub(super) named: Named,
    /// The same place for people: `rules/a.yaml:3:5`.
    pub(super) place: String,
}

impl Rule {
    /// The rule of `keys`, which has this name.
    pub(super) fn of(keys: &Keys<'_, '_>, kind: &'static str, name: &str) -> Rule {
        let reading = keys.reading();
        let span = keys.node("name").map_or_else(|| keys.span().clone(), |node| node.span.clone());
        let place = reading.named_place(span.start);
        Rule { kind, named: Named::at(reading, Spanned { value: name.to_owned(), span }), place }
    }
}

/// What is found while sections are compiled.
pub(super) struct Found<'f> {
    /// The findings.
    pub(super) list: &'f mut Vec<Diagnostic>,
    /// What could not be read of the files.
    pub(super) unread: &'f Unread,
}

impl Found<'_> {
    /// Warns at each rule of a section of which the first match decides, and that never is the first: one before it matches whatever it does. `may` says whether
    /// one at all stands in the way of a later one.
    pub(super) fn hidden(&mut self, rules: &[(&Condition, &Rule)], may: impl Fn(usize, usize) -> bool) {
        let conditions: Vec<&Condition> = rules.iter().map(|(condition, _)| *condition).collect();
        for (later, earlier) in expr::hidden(&conditions, may) {
            let ((_, later), (condition, earlier)) = (rules[later], rules[earlier]);
            let why = if condition.is_always() { "has no condition" } else { "matches whatever this one does" };
            let first = &earlier.named.name;
            let message = format!("{} `{}` is never asked: `{first}` stands before it and {why}", later.kind, later.named.name);
            let help = format!("`{first}` is at {}: put this one before it, or give `{first}` a narrower condition", earlier.place);
            self.list.push(later.named.warning(message).label("never the first that matches").help(help));
        }
    }

    /// Reports that nothing is called `name`, unless that may be where a file could not be read.
    pub(super) fn unknown(&mut self, name: &str, finding: impl FnOnce() -> Diagnostic) {
        if !self.unread.may_define(name) {
            self.list.push(finding());
        }
    }
}

/// What the names of a section stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StandsFor {
    /// Rules that act by themselves: a test can touch them.
    Rules,
    /// Definitions that rules use.
    Definitions,
    /// Tests of the others: losing one changes nothing that is decided.
    Tests,
}

/// Whether a name is in the program and in no file.
pub(super) type IsBuiltin = bool;

/// The names of the operator's own rules.
pub(super) fn own<'p>(names: impl Iterator<Item = &'p str>) -> Vec<(&'p str, IsBuiltin)> {
    names.map(|name| (name, false)).collect()
}

macro_rules! sections {
    ($($key:ident: $Section:ty),+ $(,)?) => {
        $(impl Keyed for $Section {
            const KEY: &'static str = stringify!($key);
        })+

        /// A rules file.
        pub(super) static FILE: Shape = Shape {
            what: "a rules file",
            keys: &[
                Key::may("scope", Takes::Map(&SCOPE), "what is added to every condition in this file."),
                $(Key::may(stringify!($key), <$Section>::TAKES, <$Section>::DOC)),+
            ],
            later: LATER,
        };

        /// The sections of all files while they are read.
        #[derive(Default)]
        pub(super) struct Sections {
            $($key: $Section),+
        }

        impl Sections {
            /// Reads one file. Each section's rules follow those of the files before.
            pub(super) fn read<'a>(&mut self, reading: &Reading<'a>, root: &'a Node) {
                if is_of_cmdb(reading, root) {
                    return;
                }
                let Some(file) = reading.keys(root, &FILE) else { return };
                let scope = scope(&file);
                $(if let Some(node) = file.node(stringify!($key)) {
                    self.$key.read(reading, node, &scope);
                })+
            }

            /// Compiles all of them into `policy`, in the order of the table.
            pub(super) fn finish(self, policy: &mut Policy, found: &mut Found<'_>) {
                $(self.$key.finish(policy, found);)+
            }
        }

        /// The names of all sections, in the order of the table.
        pub(super) fn rules(policy: &Policy) -> Vec<RuleName<'_>> {
            let mut rules = Vec::new();
            $(for (name, is_builtin) in <$Section>::names(policy) {
                rules.push(RuleName { section: stringify!($key), stands_for: <$Section>::NAMES, name, is_builtin });
            })+
            rules
        }

        /// Every section, as its expressions know it.
        pub static SECTIONS: &[expr::Section] =
            &[$(expr::Section { key: stringify!($key), sees: <$Section>::SEES }),+];
    };
}

// A section may use in `finish` what stands above it.
sections! {
    severities: priorities::SeveritiesSection,
    priorities: priorities::PrioritiesSection,
    holidays: calendars::HolidaysSection,
    calendars: calendars::CalendarsSection,
    formats: formats::FormatsSection,
    identify: identify::IdentifySection,
    correlate: correlate::CorrelateSection,
    silences: silences::SilencesSection,
    slas: slas::SlasSection,
    capacity: capacity::CapacitySection,
    problems: problems::ProblemsSection,
    notify: notify::NotifySection,
    tests: tests::TestsSection,
}

/// Sections that a later version will know.
const LATER: &[(&str, &str)] = &[
    ("rotas", "`oncall` tells the owner: name people in `notify` with `person:ID`, or teams with `team:ID`"),
    ("enrich", "give CIs `labels` in the CMDB, which conditions see as `ci.labels`"),
    ("inhibit", "relate CIs in the CMDB, so that a cause explains its symptoms, or mute with `silences`"),
    ("maintenance", "mute planned work with `silences` and `every`"),
    ("storms", "join what belongs together with `group_by` in `correlate`"),
    ("majors", "tell stakeholders of a P1 with `notify`"),
    ("heartbeats", "let your monitoring alert on what went silent, such as `absent()` in Prometheus"),
    ("reports", "take the figures from the API"),
];

static SCOPE: Shape = Shape {
    what: "`scope`",
    keys: &[Key::must("when", Takes::OneOrList(&Takes::Expression), "a condition that is added to every condition in this file.")],
    later: &[],
};

/// Whether a file holds records of the CMDB and nothing of rules, which is reported.
fn is_of_cmdb(reading: &Reading<'_>, root: &Node) -> bool {
    let Kind::Map(entries) = &root.kind else { return false };
    let is_rules = |key: &str| FILE.names().any(|known| known == key && known != "scope");
    let Some(first) = entries.iter().find(|entry| cmdb::files::sections().any(|section| section == entry.key)) else { return false };
    let is_of_cmdb = !entries.iter().any(|entry| is_rules(&entry.key));
    if is_of_cmdb {
        let message = format!("`{}` belongs in a CMDB file, and this is a rules file", first.key);
        let error = Diagnostic::error(reading.file(), &first.key_span, message);
        reading.report(error.help("move the file into the folder of the CMDB, which is `cmdb` unless daemon.toml names another"));
    }
    is_of_cmdb
}

/// What the file adds to the conditions of its rules.
fn scope<'a>(file: &Keys<'a, '_>) -> Scope<'a> {
    let Some(keys) = file.node("scope").and_then(|node| file.reading().keys(node, &SCOPE)) else { return Scope::default() };
    Scope { when: keys.get::<OneOrMany<&Node>>("when").map(|when| when.0).unwrap_or_default() }
}

/// `disabled: true`: what such a rule compares with need not be there.
fn is_disabling(entry: &Entry) -> bool {
    entry.key == "disabled" && matches!(&entry.value.kind, Kind::Scalar(scalar) if scalar.text == "true")
}

/// Opens every rule of a section that is a list.
pub(super) fn each<'a, 'r>(
    reading: &'r Reading<'a>,
    node: &'a Node,
    section: &str,
    shape: &'static Shape,
    mut read: impl FnMut(&Keys<'a, 'r>),
) {
    if matches!(node.kind, Kind::Map(_)) {
        reading.wrong(node, &format!("a list of rules, each of which begins with `- name:`, below `{section}`"));
        return;
    }
    for item in reading.items(node) {
        if let Some(keys) = reading.keys(item, shape) {
            let compared = reading.compared_len();
            read(&keys);
            if keys.entries().iter().any(is_disabling) {
                reading.forget_compared(compared);
            }
        }
    }
}
