//! Lists of the past by their keys hold what a look at every record holds, in both orders, whatever is asked for together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use watchkeeper::board::Board;
use watchkeeper::clock::ManualClock;
use watchkeeper::mail::Templates;
use watchkeeper::published::{Current, Published};
use watchkeeper::read::{Candidates, Order, Records, Sieve, Span, Wanted};
use watchkeeper_engine::event::World;
use watchkeeper_engine::ids::{IncidentId, Shard};
use watchkeeper_engine::model::incident::Incident;
use watchkeeper_engine::state::past::{By, Of, Past as _};
use watchkeeper_engine::state::rows::{Row, decode, encode};
use watchkeeper_engine::time::Time;
use watchkeeper_store::{Commit, Options, RowChange, Store, Table};

use super::http_support::{start, world};

/// An incident as a release wrote it.
const INCIDENT: &str = include_str!("../fixtures/golden.txt");

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n) as usize
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64)]
    }
}

fn golden() -> Incident {
    let line = INCIDENT.lines().rev().find_map(|line| line.strip_prefix("row past_incidents ")).unwrap();
    let byte = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
    decode("past_incidents", &(0..line.len()).step_by(2).map(byte).collect::<Vec<_>>()).unwrap()
}

/// Closed incidents of two realms, `many` in all.
fn incidents(many: u64) -> Vec<Incident> {
    let (mut dice, like) = (Dice(5), golden());
    let one = |no: u64| {
        let host = format!("Host-{}", dice.below(many / 20 + 1));
        let shard = Shard(u16::try_from(dice.below(3) / 2).unwrap());
        Incident {
            id: IncidentId::of(shard, no),
            team: dice.of(&["Network", "dba", "platform", "", "night\0shift"]).to_owned(),
            assignee: dice.of(&["anna", "Boris", "", "", "", "chen"]).to_owned(),
            title: format!("{} on {host}", dice.of(&["DeviceDown", "DiskFull", "Ärger", "INC0000003"])),
            item: host,
            resolution: match dice.below(9) {
                0 => "restarted IT".to_owned(),
                1 => (0..80).map(|n| format!("step-{n} ")).collect(),
                2 => "x".repeat(300),
                _ => String::new(),
            },
            opened_at: Time(start().0 + i64::try_from(no).unwrap()),
            ..like.clone()
        }
    };
    (1..=many).map(one).collect()
}

fn records(dir: &std::path::Path, incidents: &[Incident]) -> (Records, Store) {
    let mut store = Store::init(dir, start(), Options::default()).unwrap();
    let put = |row: Row, value: Vec<u8>| {
        let (table, key) = row.place();
        RowChange { table: Table::of(table), key, value: Some(value) }
    };
    for some in incidents.chunks(5_000) {
        let mut rows = vec![put(Row::Realm(Shard(1)), Vec::new())];
        for incident in some {
            rows.push(put(Row::PastIncident(incident.id), encode(incident)));
            rows.extend(incident.keys().into_iter().map(|key| put(key, encode(&()))));
        }
        let seq = store.head().seq + 1;
        store.commit(Commit { seq, now: start(), block: Vec::new(), rows, pages: Vec::new(), floor: 0 }).unwrap();
    }
    let world: World = world("");
    let published = Published { seq: 1, now: start(), world, templates: Arc::new(Templates::ours()), board: Board::default() };
    let current = Current::new(published, Arc::new(ManualClock::new(start())));
    (Records::new(store.reader(), current), store)
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
struct Asked {
    owners: Vec<String>,
    assignees: Vec<String>,
    cis: Vec<String>,
    text: String,
}

impl Asked {
    fn of(dice: &mut Dice, hosts: u64) -> Asked {
        let mut asked = Asked::default();
        if dice.below(2) == 0 {
            asked.owners.push(dice.of(&["network", "dba", "nobody", "night\0shift"]).to_owned());
        }
        if dice.below(3) == 0 {
            asked.assignees.extend(["anna".to_owned(), "boris".to_owned()]);
        }
        if dice.below(3) == 0 {
            asked.cis.extend((0..=dice.below(3)).map(|_| format!("host-{}", dice.below(hosts))));
        }
        if dice.below(2) == 0 {
            asked.text = dice
                .of(&["on host-1", "rted it", "inc0000003", "inc1-00", "step-7", "xxxx", "ärg", "down on", "nothing such", "3", "t-12"])
                .to_owned();
        }
        asked
    }

    fn keeps(&self, incident: &Incident) -> bool {
        let among = |wanted: &[String], value: &str| wanted.is_empty() || wanted.contains(&value.to_lowercase());
        let says = |text: &str| text.to_lowercase().contains(&self.text);
        among(&self.owners, &incident.team)
            && among(&self.assignees, &incident.assignee)
            && among(&self.cis, &incident.item)
            && (says(&incident.title) || says(&incident.item) || says(&incident.resolution) || says(&incident.id.to_string()))
    }

    fn sieve(&self) -> Sieve {
        fn each(texts: &[String]) -> impl Iterator<Item = &str> {
            texts.iter().map(String::as_str)
        }
        Sieve::default()
            .any(Of::Incidents, By::Owner, each(&self.owners))
            .any(Of::Incidents, By::Assignee, each(&self.assignees))
            .any(Of::Incidents, By::Ci, each(&self.cis))
            .says(&self.text)
    }
}

/// All parts of a list.
async fn listed(records: &Records, asked: &Asked, order: Order, limit: usize, past: Sieve) -> Vec<IncidentId> {
    let (mut ids, mut from) = (Vec::new(), None);
    loop {
        let kept = asked.clone();
        let wanted = Wanted { span: Span::Past, order, from, limit };
        let candidates = Candidates { past: past.clone(), ..Candidates::default() };
        let page = records.list_among(wanted, candidates, move |incident: &Incident| kept.keeps(incident)).await.unwrap();
        ids.extend(page.items.iter().map(|incident| incident.id));
        from = page.next;
        if from.is_none() {
            return ids;
        }
    }
}

#[tokio::test]
async fn lists_of_the_past_by_keys_hold_what_a_look_at_every_record_holds() {
    let dir = tempfile::tempdir().unwrap();
    let many = 3_000;
    let all = incidents(many);
    let (records, _store) = records(&dir.path().join("data"), &all);
    let mut dice = Dice(23);
    let mut found = BTreeSet::new();
    for _ in 0..120 {
        let asked = Asked::of(&mut dice, many / 20);
        let mut plain: Vec<&Incident> = all.iter().filter(|incident| asked.keeps(incident)).collect();
        plain.sort_by_key(|incident| (incident.opened_at, incident.id));
        let plain: Vec<IncidentId> = plain.iter().map(|incident| incident.id).collect();
        let limit = [7, 1_000][dice.below(2)];
        assert_eq!(listed(&records, &asked, Order::OldestFirst, limit, asked.sieve()).await, plain, "{asked:?}");
        let backward: Vec<IncidentId> = plain.iter().rev().copied().collect();
        assert_eq!(listed(&records, &asked, Order::NewestFirst, limit, asked.sieve()).await, backward, "{asked:?}");
        found.insert(plain.len().min(50));
    }
    assert!(found.len() > 10, "lists of many lengths: {found:?}");
}

/// What one list of few among very many costs, with keys and without.
#[tokio::test]
async fn a_list_of_few_among_many_looks_at_few() {
    let dir = tempfile::tempdir().unwrap();
    let many: u64 = std::env::var("WATCHKEEPER_PAST").map_or(4_000, |text| text.parse().unwrap());
    let all = incidents(many);
    let (records, _store) = records(&dir.path().join("data"), &all);
    let asked = Asked { cis: vec!["host-7".to_owned()], ..Asked::default() };
    let began = Instant::now();
    let by_keys = listed(&records, &asked, Order::NewestFirst, 100, asked.sieve()).await;
    let with = began.elapsed();
    let began = Instant::now();
    let by_scan = listed(&records, &asked, Order::NewestFirst, 100, Sieve::default()).await;
    let without = began.elapsed();
    let asked = Asked { text: "host-77".to_owned(), ..Asked::default() };
    let began = Instant::now();
    let said = listed(&records, &asked, Order::NewestFirst, 100, asked.sieve()).await;
    let search = began.elapsed();
    let began = Instant::now();
    assert_eq!(listed(&records, &asked, Order::NewestFirst, 100, Sieve::default()).await, said);
    let scan = began.elapsed();
    eprintln!(
        "{many} closed incidents: by CI {with:?}, looking at all {without:?}; by a part of a word {search:?}, looking at all {scan:?}"
    );
    assert_eq!(by_keys, by_scan);
    assert!(!by_keys.is_empty() && with * 3 < without, "{with:?} with keys, {without:?} without");
}
