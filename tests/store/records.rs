//! CMDB rows, sources and the note of suspects.

use std::collections::BTreeMap;
use std::fs;

use watchkeeper_engine::cmdb::{Ci, Contract, Edge, Inventory, MinUp, Person, Team};
use watchkeeper_engine::ids::CiNo;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::words::{Level, Relation};
use watchkeeper_store::{RowChange, SourceFile, SourceKind, Suspect, SuspectInput, Table, inventory_rows};

use crate::support::{at, batch, folder, init, open};

fn item(no: u32, id: &str) -> Ci {
    Ci {
        no: CiNo(no),
        id: id.to_owned(),
        class: "host".to_owned(),
        owner: "net".to_owned(),
        domain: String::new(),
        environment: "test".to_owned(),
        criticality: Level::High,
        tier: String::new(),
        aliases: vec![format!("{id}.example")],
        labels: Labels::default(),
        stakeholders: Vec::new(),
        min_up: MinUp::Percent(60),
        relations: vec![Edge { relation: Relation::DependsOn, to: "db1".to_owned() }],
        note: "käfig 3".to_owned(),
        source: "files".to_owned(),
    }
}

fn inventory(items: &[(u32, &str)]) -> Inventory {
    let team = Team {
        id: "net".to_owned(),
        mail: vec!["net@example.org".to_owned()],
        lead: "ann".to_owned(),
        oncall: String::new(),
        calendar: String::new(),
        zone: "Europe/Berlin".to_owned(),
    };
    let contract = Contract {
        id: "c1".to_owned(),
        vendor: "Vendor".to_owned(),
        mail: Vec::new(),
        until: "2027-06-30".to_owned(),
        notice: "90d".to_owned(),
        covers: vec!["web1".to_owned()],
    };
    Inventory {
        items: items.iter().map(|(no, id)| (CiNo(*no), item(*no, id))).collect(),
        teams: BTreeMap::from([("net".to_owned(), team)]),
        people: BTreeMap::from([("ann".to_owned(), Person { id: "ann".to_owned(), mail: vec!["ann@example.org".to_owned()] })]),
        contracts: BTreeMap::from([("c1".to_owned(), contract)]),
        next_no: 9,
    }
}

fn changes(rows: &[RowChange]) -> Vec<(&'static str, bool)> {
    rows.iter().map(|row| (row.table.name(), row.value.is_some())).collect()
}

#[test]
fn an_import_writes_what_differs_and_the_whole_comes_back() {
    let dir = folder();
    let mut store = init(dir.path());
    assert_eq!(store.reader().snapshot().unwrap().inventory().unwrap(), None);
    let first = inventory(&[(1, "web1"), (2, "web2")]);
    let commit = batch(&store, inventory_rows(&Inventory::default(), &first, 1));
    store.commit(commit).unwrap();
    let mut second = inventory(&[(2, "web2"), (300, "web3")]);
    second.teams.clear();
    let rows = inventory_rows(&first, &second, 2);
    assert_eq!(changes(&rows), [("cmdb_items", false), ("cmdb_items", true), ("cmdb_teams", false), ("cmdb_meta", true)]);
    let commit = batch(&store, rows);
    store.commit(commit).unwrap();
    drop(store);
    let store = open(dir.path()).unwrap();
    assert_eq!(store.reader().snapshot().unwrap().inventory().unwrap(), Some((2, second)));
}

fn files(texts: &[(&str, &str)]) -> Vec<SourceFile> {
    texts.iter().map(|(path, text)| SourceFile { path: (*path).to_owned(), text: text.as_bytes().to_vec() }).collect()
}

#[test]
fn the_last_good_sources_of_each_kind_come_back_after_a_restart() {
    let dir = folder();
    let mut store = init(dir.path());
    let rules = files(&[("a.yaml", "one"), ("b/c.yaml", "two")]);
    let first = store.put_sources(SourceKind::Rules, &rules, at(1)).unwrap();
    store.put_sources(SourceKind::Templates, &files(&[("mail.hbs", "two")]), at(2)).unwrap();
    let newer = files(&[("a.yaml", "one"), ("b/c.yaml", "three")]);
    let second = store.put_sources(SourceKind::Rules, &newer, at(3)).unwrap();
    drop(store);
    let store = open(dir.path()).unwrap();
    let snapshot = store.reader().snapshot().unwrap();
    let good = snapshot.last_good(SourceKind::Rules).unwrap().unwrap();
    assert_eq!((good.hash, good.since, good.files), (second, at(3), newer));
    assert_eq!(snapshot.last_good(SourceKind::Templates).unwrap().unwrap().files, files(&[("mail.hbs", "two")]));
    assert_eq!(snapshot.last_good(SourceKind::Cmdb).unwrap(), None);
    assert_eq!(snapshot.sources(SourceKind::Rules, first).unwrap().unwrap().files, rules);
    assert_eq!(snapshot.sources(SourceKind::Templates, first).unwrap(), None);
    assert_eq!(snapshot.count(Table::SOURCE_TEXTS).unwrap(), 3);
}

#[test]
fn the_same_sources_again_change_nothing_whatever_their_order() {
    let dir = folder();
    let mut store = init(dir.path());
    let first = store.put_sources(SourceKind::Rules, &files(&[("a", "1"), ("b", "2")]), at(1)).unwrap();
    let again = store.put_sources(SourceKind::Rules, &files(&[("b", "2"), ("a", "1")]), at(2)).unwrap();
    assert_eq!(first, again);
    let snapshot = store.reader().snapshot().unwrap();
    assert_eq!((snapshot.count(Table::SOURCE_SETS).unwrap(), snapshot.last_good(SourceKind::Rules).unwrap().unwrap().since), (1, at(1)));
}

#[test]
fn of_cmdb_files_only_the_last_good_set_is_kept_and_shared_texts_stay() {
    let dir = folder();
    let mut store = init(dir.path());
    store.put_sources(SourceKind::Rules, &files(&[("r", "shared")]), at(1)).unwrap();
    store.put_sources(SourceKind::Cmdb, &files(&[("a", "shared"), ("b", "old")]), at(2)).unwrap();
    store.put_sources(SourceKind::Cmdb, &files(&[("b", "new")]), at(3)).unwrap();
    let snapshot = store.reader().snapshot().unwrap();
    assert_eq!(snapshot.last_good(SourceKind::Cmdb).unwrap().unwrap().files, files(&[("b", "new")]));
    assert_eq!(snapshot.last_good(SourceKind::Rules).unwrap().unwrap().files, files(&[("r", "shared")]));
    assert_eq!((snapshot.count(Table::SOURCE_SETS).unwrap(), snapshot.count(Table::SOURCE_TEXTS).unwrap()), (2, 2));
}

#[test]
fn a_note_of_suspects_stays_until_it_is_cleared_and_a_broken_one_stops_nobody() {
    let dir = folder();
    assert_eq!(Suspect::read(dir.path()).unwrap(), None);
    let input = SuspectInput { hash: "0000000000000007".to_owned(), what: "webhook alertmanager".to_owned(), times: 1 };
    let note = Suspect { after: 41, at: at(1).rfc3339(), reason: "index out of bounds".to_owned(), inputs: vec![input] };
    note.write(dir.path()).unwrap();
    assert_eq!(Suspect::read(dir.path()).unwrap(), Some(note));
    Suspect::clear(dir.path()).unwrap();
    assert_eq!(Suspect::read(dir.path()).unwrap(), None);
    fs::write(Suspect::path(dir.path()), "not json").unwrap();
    assert_eq!(Suspect::read(dir.path()).unwrap(), None);
}
