//! A store that the release of commit d98593b wrote is brought to this release's format: with everything in it, whole at whatever moment it is killed, and not at all
//! without room.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use redb::{ReadableDatabase, ReadableTable, TableDefinition, TableHandle};
use watchkeeper_engine::cmdb::Cmdb;
use watchkeeper_engine::ids::{IncidentId, ProblemId, Realm, Shard};
use watchkeeper_engine::model::incident::Incident;
use watchkeeper_engine::model::message::{Message, MessageState, Said, Sending};
use watchkeeper_engine::model::problem::Problem;
use watchkeeper_engine::model::realm::Known;
use watchkeeper_engine::state::State;
use watchkeeper_engine::state::past::Past as _;
use watchkeeper_engine::state::rows::{self, AlertRow, Row, decode};
use watchkeeper_engine::words::{IncidentState, ProblemState};
use watchkeeper_store::{Backup, Sidecar, Store, StoreError};

use crate::disk::{Disk, Trouble, Unsynced};
use crate::support::{at, folder, open};

/// A backup of it: incidents of all states, a problem that a start opened a second time, silences, mails that left and one that did not, a digest that waits, a
/// forecast, jobs, dead letters, an import, and alerts of two realms.
const OLD: &[u8] = include_bytes!("../fixtures/db/d98593b.redb.zst");

/// A message as that release kept it, in one row and flat.
#[derive(minicbor::Decode)]
struct Flat {
    #[n(11)]
    content: Said,
}

fn old_image() -> Vec<u8> {
    zstd::decode_all(OLD).unwrap()
}

fn put_into(dir: &Path) -> Store {
    fs::write(Store::path(dir), old_image()).unwrap();
    open(dir).unwrap()
}

fn attached(disk: &Disk) -> Store {
    Store::attach(Path::new("on a disk in memory"), disk.database().unwrap()).unwrap()
}

fn migrate(store: &mut Store) -> Result<u64, StoreError> {
    let migration = store.migration()?.unwrap();
    store.migrate(&migration, u64::MAX)
}

/// Every row of every table but those about the file itself.
fn rows(disk: &Disk) -> BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>> {
    let database = disk.database().unwrap();
    let txn = database.begin_read().unwrap();
    let mut all = BTreeMap::new();
    for handle in txn.list_tables().unwrap().filter(|handle| !["meta", "blocks", "vitals"].contains(&handle.name())) {
        let table = txn.open_table(TableDefinition::<&[u8], &[u8]>::new(handle.name())).unwrap();
        let rows = table.iter().unwrap().map(|row| row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).unwrap());
        all.insert(handle.name().to_owned(), rows.collect::<BTreeMap<_, _>>());
    }
    all.retain(|_, rows| !rows.is_empty());
    all
}

fn loaded(store: &mut Store) -> State {
    store.load_state(&Cmdb::empty()).unwrap().0
}

#[test]
fn everything_in_an_old_store_is_in_the_migrated_one() {
    let disk = Disk::holding(old_image());
    let before = rows(&disk);
    let mut store = attached(&disk);
    assert_eq!(store.format_number(), 1);
    let migration = store.migration().unwrap().unwrap();
    let steps = ["realms get numbers", "messages become two rows", "past records get keys to be found by"];
    assert_eq!((migration.from, migration.to, migration.steps.as_slice()), (1, 2, &steps[..]));
    let mut keys: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut of = |table: &str, found: fn(&str, &[u8]) -> Vec<Row>| {
        let records = before.get(table).into_iter().flat_map(BTreeMap::values);
        keys.extend(records.flat_map(|bytes| found(table, bytes)).map(|row| row.place().1));
    };
    of("past_incidents", |_, bytes| decode::<Incident>("past_incidents", bytes).unwrap().keys());
    of("past_problems", |_, bytes| decode::<Problem>("past_problems", bytes).unwrap().keys());
    of("past_alerts", |_, bytes| decode::<AlertRow>("past_alerts", bytes).unwrap().alert.keys());
    of("past_messages", |_, bytes| decode::<Message>("past_messages", bytes).unwrap().keys());
    assert!(keys.len() > 10, "the old store has a past");
    let messages = before["messages"].len() + before["past_messages"].len();
    assert_eq!(migrate(&mut store).unwrap(), (1 + 2 * messages + keys.len()) as u64);
    assert_eq!((store.format_number(), store.migration().unwrap()), (2, None));

    let state = loaded(&mut store);
    let incidents: Vec<(u64, IncidentState)> = state.incidents.values().map(|incident| (incident.id.0, incident.state)).collect();
    let states: Vec<IncidentState> = incidents.iter().map(|(_, state)| *state).collect();
    assert!(
        [IncidentState::New, IncidentState::Acknowledged, IncidentState::OnHold].iter().all(|state| states.contains(state)),
        "{incidents:?}"
    );
    let problems: Vec<(ProblemId, ProblemState)> = state.problems.values().map(|problem| (problem.id, problem.state)).collect();
    assert_eq!(problems, [(ProblemId(1), ProblemState::New), (ProblemId(2), ProblemState::KnownError)]);
    assert_eq!((state.silences.len(), state.capacity.forecasts().len(), state.digests.len(), state.jobs.len()), (2, 1, 1, 3));
    assert!(state.messages.len() == 1 && !state.terms.is_empty() && state.alert_count() > 5);
    let snapshot = store.reader().snapshot().unwrap();
    let (version, inventory) = snapshot.inventory().unwrap().unwrap();
    assert_eq!((version, inventory.items.len()), (2, 5));
    drop((snapshot, store));

    let mut after = rows(&disk);
    let realms = after.remove("realms").unwrap();
    let realms: Vec<Known> = realms.values().map(|bytes| decode("realms", bytes).unwrap()).collect();
    assert_eq!(realms, [Known::new(Shard(1), Realm::from("clinic"))]);
    assert!(after.remove("past_keys").unwrap().into_keys().eq(keys), "what past records are found by");
    let mut before = before;
    for (table, second) in [("messages", "sendings"), ("past_messages", "past_sendings")] {
        let (old, new, sendings) = (before.remove(table).unwrap(), after.remove(table).unwrap(), after.remove(second).unwrap());
        assert!(!old.is_empty(), "the old store has nothing in {table}");
        assert!(old.keys().eq(new.keys()) && old.keys().eq(sendings.keys()), "each of {table} is two rows");
        for (key, bytes) in &old {
            let what = |bytes: &[u8]| decode::<Message>(table, bytes).unwrap();
            assert_eq!(what(bytes), what(&new[key]), "what is sent");
            assert_eq!(decode::<Flat>(table, bytes).unwrap().content, what(&new[key]).said(), "every word of it");
            let sending: Sending = decode(second, &sendings[key]).unwrap();
            assert_eq!(decode::<Sending>(table, bytes).unwrap(), sending, "where it is");
            assert!(new[key].len() + sending.bytes.len() <= bytes.len(), "the bytes are in one of them");
            assert!(sending.state != MessageState::Delivered || !sending.bytes.is_empty(), "what was delivered has its bytes");
        }
    }
    assert_eq!(after, before);
    for table in ["dead_letters", "receipts", "past_incidents", "problem_timeline", "source_sets", "source_texts"] {
        assert!(after.contains_key(table), "the old store has nothing in {table}");
    }
}

#[test]
fn ids_of_an_old_store_print_as_ever_and_new_ones_bear_their_realm() {
    let disk = Disk::holding(old_image());
    let mut store = attached(&disk);
    migrate(&mut store).unwrap();
    let state = loaded(&mut store);
    let clinic = Realm::from("clinic");
    let of_clinic: Vec<String> =
        state.incidents.values().filter(|incident| incident.realm == clinic).map(|incident| incident.id.to_string()).collect();
    assert_eq!(of_clinic, ["INC0000005", "INC0000006"]);
    assert_eq!("INC0000005".parse(), Ok(IncidentId(5)));
    assert_eq!(
        (state.shard(&clinic), state.shard(&Realm::MAIN), state.shard(&Realm::from("elsewhere"))),
        (Shard(1), Shard::MAIN, Shard::MAIN)
    );
    assert_eq!(IncidentId::of(Shard(1), 1).to_string(), "INC1-0000001");
}

#[test]
fn a_migration_that_is_killed_at_any_write_leaves_the_old_format_or_the_new_one() {
    let whole = {
        let disk = Disk::holding(old_image());
        migrate(&mut attached(&disk)).unwrap();
        rows(&disk)
    };
    let (mut nth, mut formats) = (1, Vec::new());
    loop {
        let disk = Disk::holding(old_image());
        let mut store = attached(&disk);
        let migration = store.migration().unwrap().unwrap();
        disk.go_wrong(Trouble::PowerLoss, nth);
        let done = store.migrate(&migration, u64::MAX).is_ok();
        let went_wrong = disk.went_wrong();
        for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::Some(nth), Unsynced::Torn(nth)] {
            let disk = Disk::holding(disk.after_power_loss(unsynced));
            let mut store = attached(&disk);
            formats.push(store.format_number());
            assert!(!done || store.format_number() == 2, "it was done before the power went");
            if store.format_number() == 1 {
                migrate(&mut store).unwrap();
            }
            loaded(&mut store);
            drop(store);
            assert!(rows(&disk) == whole, "power gone at write {nth}, {unsynced:?}");
        }
        drop(store);
        if !went_wrong {
            break;
        }
        nth += 1;
    }
    assert!(nth > 5 && formats.contains(&1) && formats.contains(&2), "{nth} writes");
}

#[test]
fn without_room_nothing_is_written() {
    let dir = folder();
    let mut store = put_into(dir.path());
    let migration = store.migration().unwrap().unwrap();
    let refused = store.migrate(&migration, migration.room_bytes - 1).unwrap_err().to_string();
    let expected = "bring the store DIR/store.redb from format 1 to 2: that needs 33 MiB free in its folder, and 32 are; make room there, or go on with the release that \
                    wrote it: nothing was changed";
    assert_eq!(refused.replace(&dir.path().display().to_string(), "DIR"), expected);
    assert_eq!((store.format_number(), Sidecar::read(dir.path()).unwrap().unwrap().format), (1, 1));
    assert!(store.free_bytes().unwrap() > 0);
}

#[test]
fn an_old_store_that_was_not_migrated_is_neither_loaded_nor_written_to() {
    let dir = folder();
    let mut store = put_into(dir.path());
    let refused = store.load_state(&Cmdb::empty()).unwrap_err().to_string();
    assert_eq!(
        refused.replace(&dir.path().display().to_string(), "DIR"),
        "read the store DIR/store.redb: its format is 1, this program works on 2; `watchkeeper run` brings it there"
    );
    let next = crate::support::batch(&store, Vec::new());
    assert!(matches!(store.commit(next), Err(StoreError::OlderFormat { found: 1, known: 2, .. })));
    assert!(store.reader().snapshot().unwrap().verify().is_ok(), "it can be judged as it is");
}

#[test]
fn a_backup_of_an_old_store_is_restored_as_it_is_and_migrated_by_the_next_run() {
    let (from, to) = (folder(), folder());
    let backup = from.path().join("old.backup");
    fs::write(&backup, old_image()).unwrap();
    let restored = Store::restore(to.path(), &backup, at(0)).unwrap();
    assert_eq!((restored.format, Backup::check(&backup).unwrap().format), (1, 1));
    assert_eq!(Sidecar::read(to.path()).unwrap().unwrap().format, 1, "the release that wrote it can still open it");
    let mut store = open(to.path()).unwrap();
    migrate(&mut store).unwrap();
    store.write_sidecar(at(1)).unwrap();
    assert_eq!(Sidecar::read(to.path()).unwrap().unwrap().format, 2, "the release that wrote it refuses the new format by name");
    let (table, key) = Row::Realm(Shard(1)).place();
    assert_eq!(table, rows::Table::Realms);
    assert!(store.reader().snapshot().unwrap().get(watchkeeper_store::Table::of(table), &key).unwrap().is_some());
}
