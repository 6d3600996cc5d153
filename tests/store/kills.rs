//! A process that is killed in the middle of commits has lost nothing that it acknowledged.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use watchkeeper_store::{Commit, Options, Store};

use crate::support::{ALERTS, COUNTERS, Memory, at, batch, folder, key, noise, open, put};

const FOLDER: &str = "WATCHKEEPER_STORE_KILL_FOLDER";
const KILLS: u64 = 25;

/// What batch `seq` writes: its number, a row of its own, and now and then a block of several chunks.
fn commit_of(store: &Store) -> Commit {
    let seq = store.head().seq + 1;
    let block = if seq.is_multiple_of(7) { noise(300_000) } else { seq.to_string().into_bytes() };
    let rows = vec![put(COUNTERS, vec![0], seq.to_string()), put(ALERTS, key(seq), format!("row {seq}"))];
    Commit { block, pages: vec![((seq % 5) as u32, key(seq))], floor: seq.saturating_sub(5).max(store.head().floor), ..batch(store, rows) }
}

/// Not a promise: the process that the next test kills. Without its folder it does nothing.
#[test]
fn child_of_the_kill_test_commits_until_it_is_killed() {
    let Some(dir) = env::var_os(FOLDER) else { return };
    let mut store = Store::open_or_init(Path::new(&dir), at(0), Options::default()).unwrap();
    store.load(&mut Memory::default()).unwrap();
    let mut out = std::io::stdout();
    loop {
        let commit = commit_of(&store);
        let head = store.commit(commit).unwrap();
        // A line of its own, whatever the test harness has printed before.
        writeln!(out, "\nacknowledged {}", head.seq).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn every_acknowledged_commit_survives_a_kill_and_the_chain_is_whole() {
    let dir = folder();
    let mut last = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "kills::child_of_the_kill_test_commits_until_it_is_killed", "--nocapture", "--test-threads=1"])
            .env(FOLDER, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut wanted = 1 + kill * 5 % 13;
        let mut acknowledged = last;
        for line in lines {
            let Some(seq) = line.unwrap().strip_prefix("acknowledged ").map(|seq| seq.parse::<u64>().unwrap()) else { continue };
            assert_eq!(seq, acknowledged + 1);
            acknowledged = seq;
            wanted -= 1;
            if wanted == 0 {
                // What it still says before it is dead counts too.
                child.kill().unwrap();
                wanted = u64::MAX;
            }
        }
        child.wait().unwrap();

        let mut store = open(dir.path()).unwrap();
        let head = store.head();
        assert!((acknowledged..=acknowledged + 1).contains(&head.seq), "acknowledged {acknowledged}, found {}", head.seq);
        let memory = Memory::of(&mut store);
        assert_eq!(memory.row(COUNTERS, vec![0]), Some(head.seq.to_string().as_bytes()));
        for seq in 1..=head.seq {
            assert_eq!(memory.row(ALERTS, key(seq)), Some(format!("row {seq}").as_bytes()));
        }
        assert_eq!(memory.rows.len() as u64, head.seq + 1);
        assert_eq!(memory.blocks.len() as u64, head.seq - head.floor);
        let verified = store.reader().snapshot().unwrap().verify().unwrap();
        assert_eq!((verified.first, verified.last), (1, head.seq));
        last = head.seq;
    }
    assert!(last > KILLS * 5, "only {last} commits in {KILLS} lives");
}
