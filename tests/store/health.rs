//! Changes of health leave the store when they are too old, some with each commit, and with each the row it is found by in time.

use watchkeeper_engine::ids::Realm;
use watchkeeper_engine::state::rows::{self, Row};
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_store::{Commit, RowChange, Store, Table};

use crate::support::{at, batch, folder, init};

const CHANGES: Table = Table::of(rows::Table::HealthChanges);
const BY_TIME: Table = Table::of(rows::Table::HealthByTime);
/// What one commit deletes.
const EXPIRED_MAX: u64 = watchkeeper_store::limits::HEALTH_EXPIRED_MAX as u64;

fn written(n: u64, at: Time) -> [RowChange; 2] {
    let ci = format!("host-{}", n % 7);
    [Row::HealthChange(ci.clone(), at, n, Realm::MAIN), Row::HealthByTime(at, ci, at, n, Realm::MAIN)].map(|row| {
        let (table, key) = row.place();
        RowChange { table: Table::of(table), key, value: Some(b"a change".to_vec()) }
    })
}

fn left(store: &Store) -> (u64, u64) {
    let snapshot = store.reader().snapshot().unwrap();
    (snapshot.count(CHANGES).unwrap(), snapshot.count(BY_TIME).unwrap())
}

#[test]
fn changes_of_health_go_when_they_are_too_old_and_no_sooner() {
    let dir = folder();
    let mut store = init(dir.path());
    let old = 2 * EXPIRED_MAX + 10;
    let rows = (0..old + 5).flat_map(|n| written(n, at(n))).collect();
    let next = batch(&store, rows);
    store.commit(next).unwrap();
    assert_eq!(left(&store), (old + 5, old + 5));
    // A year after the first `old` of them; the last five are a moment too young.
    let now = at(old) + Span::days(365);
    for gone in [EXPIRED_MAX, 2 * EXPIRED_MAX, old, old] {
        let next = Commit { now, ..batch(&store, Vec::new()) };
        store.commit(next).unwrap();
        assert_eq!(left(&store), (old + 5 - gone, old + 5 - gone), "no more than a commit may take");
    }
    store.keep_health_for(Span::days(1));
    let next = Commit { now, ..batch(&store, Vec::new()) };
    store.commit(next).unwrap();
    assert_eq!(left(&store), (0, 0));
}
