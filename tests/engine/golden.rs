//! Golden bytes: every row and every fact as a release wrote them. They are read for ever, and what is written again is the same.
//!
//! A line is `row TABLE HEX` or `fact FEATURE.VARIANT HEX`, by the indices of `fact.rs` and of the feature. Of a kind with several lines the last is what is written now;
//! the others were written earlier. A new row or fact fails the second test: run the scenarios with WATCHKEEPER_GOLDEN naming a file, and take its line of that kind.

#![expect(clippy::disallowed_methods, reason = "reads the sources for the list of facts, and writes lines for whoever asks")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use minicbor::Decoder;
use watchkeeper_engine::command::ProblemCommand;
use watchkeeper_engine::event::Action;
use watchkeeper_engine::fact::Fact;
use watchkeeper_engine::ids::{IncidentId, ProblemId};
use watchkeeper_engine::input::Refused;
use watchkeeper_engine::model::silence::StoredMatcher;
use watchkeeper_engine::model::{alert, incident, problem};
use watchkeeper_engine::state::rows::{Row, Table, decode, encode};
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::Span;

use crate::sim::{Sim, alert};

const GOLDEN: &str = include_str!("../fixtures/golden.txt");

/// What a scenario wrote, one line of a kind, for whoever asked for it.
pub(crate) fn offer(facts: &[Fact], rows: &BTreeMap<Row, Vec<u8>>) {
    let Some(path) = std::env::var_os("WATCHKEEPER_GOLDEN") else { return };
    let facts = facts.iter().map(encode).map(|bytes| (kind(&bytes), bytes));
    let rows = rows.iter().map(|(row, bytes)| (format!("row {}", row.place().0.name()), bytes.clone()));
    let mut shortest: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (kind, bytes) in facts.chain(rows) {
        let known = shortest.entry(kind).or_insert_with(|| bytes.clone());
        if bytes.len() < known.len() {
            *known = bytes;
        }
    }
    let lines: String = shortest.iter().map(|(kind, bytes)| format!("{kind} {}\n", hex(bytes))).collect();
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(lines.as_bytes()).unwrap();
}

fn lines() -> impl Iterator<Item = (String, Vec<u8>)> {
    GOLDEN.lines().map(|line| {
        let (kind, bytes) = line.rsplit_once(' ').unwrap();
        let byte = |at: usize| u8::from_str_radix(&bytes[at..at + 2], 16).unwrap();
        (kind.to_owned(), (0..bytes.len()).step_by(2).map(byte).collect())
    })
}

#[test]
fn what_a_release_wrote_is_read_and_written_again_as_it_was() {
    let mut last: BTreeMap<String, (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    for (kind, bytes) in lines() {
        let again = match kind.strip_prefix("row ") {
            Some(name) => {
                let table = Table::ALL.iter().find(|table| table.name() == name).unwrap_or_else(|| panic!("no table {name}"));
                table.again(&bytes).unwrap_or_else(|fault| panic!("{kind}: {fault}"))
            }
            None => encode(&decode::<Fact>("facts", &bytes).unwrap_or_else(|fault| panic!("{kind}: {fault}"))),
        };
        last.insert(kind, (bytes, again));
    }
    let changed: Vec<_> = last.iter().filter(|(_, (bytes, again))| bytes != again).map(|(kind, _)| kind).collect();
    assert!(
        changed.is_empty(),
        "{changed:?} are written in another way: keep their lines, which are read for ever, and add the new ones behind them"
    );
}

#[test]
fn every_row_and_every_fact_has_golden_bytes() {
    let known: BTreeSet<String> = lines().map(|(kind, _)| kind).collect();
    let mut wanted: BTreeSet<String> = Table::ALL.iter().map(|table| format!("row {}", table.name())).collect();
    let engine = Path::new(env!("CARGO_MANIFEST_DIR"));
    let features = variants(&fs::read_to_string(engine.join("fact.rs")).unwrap());
    for (feature, name) in &features {
        let module = name.to_lowercase();
        let text = [format!("model/{module}.rs"), format!("model/{module}/fact.rs")]
            .iter()
            .find_map(|path| fs::read_to_string(engine.join(path)).ok());
        for (variant, _) in variants(&text.unwrap_or_else(|| panic!("no file of the facts of {name}"))) {
            wanted.insert(format!("fact {feature}.{variant}"));
        }
    }
    assert!(features.len() >= 11 && wanted.len() > 90, "the sources are read wrongly: {wanted:?}");
    let missing: Vec<&String> = wanted.difference(&known).collect();
    assert!(missing.is_empty(), "without golden bytes: {missing:?}");
}

/// The indices and names of the variants of `pub enum Fact` in a source.
fn variants(source: &str) -> Vec<(u32, String)> {
    let body = source.split_once("pub enum Fact {\n").unwrap().1.split_once("\n}\n").unwrap().0;
    let mut found = Vec::new();
    let mut index = None;
    for line in body.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     ")) {
        if let Some(number) = line.trim().strip_prefix("#[n(").and_then(|rest| rest.strip_suffix(")]")) {
            index = number.parse().ok();
        } else if let (Some(number), true) = (index, line.trim().starts_with(char::is_uppercase)) {
            found.push((number, line.trim().split(['(', ' ', ',', '{']).next().unwrap().to_owned()));
            index = None;
        }
    }
    found
}

/// `fact FEATURE.VARIANT`, by the indices in its bytes.
fn kind(bytes: &[u8]) -> String {
    let mut decoder = Decoder::new(bytes);
    let mut index = || {
        decoder.array().unwrap();
        let index = decoder.u32().unwrap();
        decoder.array().unwrap();
        index
    };
    format!("fact {}.{}", index(), index())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What no other scenario leaves behind, so that each kind can be offered.
#[test]
fn rare_facts_and_rows_are_stored_too() {
    let rules = "problems: [{name: again, same: [rule], incidents: 2, within: 7d, quiet_after_fix: 14d}]";
    let mut sim = Sim::new(rules, "items: [{id: a}]");
    let matcher = StoredMatcher { name: "alertname".to_owned(), value: "Noise".to_owned(), is_regex: false, is_equal: true };
    let (starts_at, ends_at) = (sim.now, sim.now + Span::hours(1));
    sim.command(Action::SetSilence {
        id: None,
        matchers: vec![matcher],
        starts_at,
        ends_at,
        comment: String::new(),
        annotations: Labels::default(),
    });
    sim.run("7d");
    sim.fire(alert("Down", "a"));
    sim.fire(alert("Down", "c"));
    sim.run("5m");
    let (incident, problem) = (IncidentId(1), ProblemId(1));
    sim.command(Action::Problem { id: problem, act: ProblemCommand::Note { text: "n".to_owned() } });
    // A third alert's first mail stops the daemon twice.
    sim.fire(alert("Down", "b"));
    let due = sim.now + Span::seconds(30);
    sim.pass_over_at(&due.rfc3339(), "Notify(IncidentId(3))");
    let refused = Refused { place: "p".to_owned(), expected: "e".to_owned() };
    sim.forge(alert::Fact::Rejected { source: "s".to_owned(), refused });
    sim.forge(incident::Fact::NobodyTold { id: incident, why: "w".to_owned() });
    sim.forge(incident::Fact::Hurts { id: incident, services: Vec::new() });
    sim.forge(problem::Fact::NobodyTold { id: problem, why: "w".to_owned() });
    let kinds: BTreeSet<String> = sim.facts.iter().map(|fact| kind(&encode(fact))).collect();
    for rare in ["fact 0.10", "fact 1.18", "fact 1.19", "fact 3.2", "fact 9.12", "fact 9.6"] {
        assert!(kinds.contains(rare), "{rare}: {kinds:?}");
    }
    assert_eq!(sim.state.system.aside().len(), 1);
}
