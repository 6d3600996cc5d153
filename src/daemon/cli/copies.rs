//! `backup`, `restore`, `verify`: the store as a file that can be carried away, and back.

use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use watchkeeper_engine::time::Time;
use watchkeeper_store::{Backup, Options, PageCheck, Store, StoreError};

use super::client::{Client, Output, Reach};
use super::{json_text, print, tell};
use crate::app::{self, Failure};
use crate::config;

/// `backup FILE`: asks the daemon where one runs, and opens the store itself where none does.
pub(super) fn backup(reach: &Reach, to: &Path, now: Time) -> Result<(), Failure> {
    if to.try_exists().unwrap_or(true) {
        return Err(app::of_store(StoreError::Occupied { path: to.to_owned() }));
    }
    let backup = if reach.asks_a_server() {
        fetch(&Client::new(reach)?, to)?
    } else {
        match Store::open(&store_dir(reach)?, now, Options::default()) {
            Ok(store) => copy(store, to, now)?,
            Err(StoreError::InUse { .. }) => fetch(&Client::new(reach)?, to)?,
            Err(error) => return Err(app::of_store(error)),
        }
    };
    report(reach.output, "backed up", to, &backup);
    Ok(())
}

/// `restore FILE`: into the folder of the configuration, which must not hold a store.
pub(super) fn restore(reach: &Reach, from: &Path, now: Time) -> Result<(), Failure> {
    let dir = store_dir(reach)?;
    let backup = Store::restore(&dir, from, now).map_err(app::of_store)?;
    report(reach.output, "restored", &Store::path(&dir), &backup);
    tell(&format!("what came after {} is not in it; monitoring sends again what still fires", backup.head.now.rfc3339()));
    Ok(())
}

/// `verify [FILE]`: a backup, or the store of the configuration while no daemon has it.
pub(super) fn verify(reach: &Reach, file: Option<PathBuf>) -> Result<(), Failure> {
    let (path, backup) = match file {
        Some(path) => (path.clone(), Backup::check(&path).map_err(app::of_store)?),
        None => {
            let dir = store_dir(reach)?;
            let opened = Store::open_to_read(&dir, Options { check: PageCheck::Always, ..Options::default() });
            let store = opened.map_err(|error| {
                let in_use = matches!(error, StoreError::InUse { .. });
                let help = if in_use { "\nwhile a daemon runs, `watchkeeper backup FILE` reads back what it copied" } else { "" };
                let Failure { code, text } = app::of_store(error);
                Failure { code, text: text + help }
            })?;
            let verified = store.reader().snapshot().and_then(|snapshot| snapshot.verify()).map_err(app::of_store)?;
            let path = Store::path(&dir);
            let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
            let backup = Backup { store: store.id(), format: store.format_number(), head: store.head(), verified, bytes };
            (path, backup)
        }
    };
    report(reach.output, "whole", &path, &backup);
    Ok(())
}

fn store_dir(reach: &Reach) -> Result<PathBuf, Failure> {
    config::store_of(&reach.config).map(|store| store.dir).map_err(|error| Failure { code: 78, text: error.to_string() })
}

/// The store that nobody else has open.
fn copy(store: Store, to: &Path, now: Time) -> Result<Backup, Failure> {
    let whole = std::fs::metadata(Store::path(store.dir())).map_or(0, |metadata| metadata.len());
    let mut progress = Progress::of(whole);
    let snapshot = store.reader().snapshot().map_err(app::of_store)?;
    let backup = snapshot.backup(to, &mut |bytes| progress.at(bytes));
    progress.end();
    drop(snapshot);
    store.close(now).map_err(app::of_store)?;
    backup.map_err(app::of_store)
}

/// What a daemon makes and sends; read back here too, because a network lies between.
fn fetch(client: &Client, to: &Path) -> Result<Backup, Failure> {
    let beside = to.with_added_extension("part");
    let fault = |error: std::io::Error| Failure { code: 74, text: format!("failed to write {}: {error}", beside.display()) };
    let mut part = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside).map_err(fault)?;
    tell("the daemon makes a copy");
    let mut progress = Progress::of(0);
    let fetched = client.download("/api/v1/backup", |whole, piece| {
        progress.more(whole, piece.len() as u64);
        part.write_all(piece).map_err(fault)
    });
    progress.end();
    let whole = fetched.and_then(|()| {
        part.sync_all().map_err(fault)?;
        let backup = Backup::check(&beside).map_err(app::of_store)?;
        // Unlike a rename, a link never replaces what came into being meanwhile.
        std::fs::hard_link(&beside, to).map_err(fault)?;
        Ok(backup)
    });
    std::fs::remove_file(&beside).map_err(fault)?;
    whole
}

/// How far a copy is, on a terminal only.
struct Progress {
    whole: u64,
    done: u64,
    shown: Option<u64>,
    is_seen: bool,
}

impl Progress {
    fn of(whole: u64) -> Progress {
        Progress { whole, done: 0, shown: None, is_seen: std::io::stderr().is_terminal() }
    }

    fn more(&mut self, whole: u64, bytes: u64) {
        self.whole = whole;
        self.at(self.done + bytes);
    }

    fn at(&mut self, done: u64) {
        self.done = done;
        let mebibytes = done >> 20;
        if self.is_seen && self.shown != Some(mebibytes) {
            self.shown = Some(mebibytes);
            write!(std::io::stderr(), "\r{mebibytes} of about {} MiB", self.whole.max(done) >> 20).ok();
        }
    }

    fn end(&self) {
        if self.shown.is_some() {
            tell("");
        }
    }
}

fn report(output: Output, what: &str, path: &Path, backup: &Backup) {
    let Backup { store, head, verified, bytes, format: _ } = backup;
    print(&match output {
        Output::Json => json_text(&json!({
            "file": path.display().to_string(), "store": store.to_string(), "sequence": head.seq, "at": head.now.rfc3339(),
            "bytes": bytes, "rows": verified.rows, "blocks": verified.blocks,
        })),
        Output::Table => format!(
            "{what}: {}\nstore {store} as of {}, sequence {}; {} rows and {} blocks were read back, {:.1} MiB\n",
            path.display(),
            head.now.rfc3339(),
            head.seq,
            verified.rows,
            verified.blocks,
            *bytes as f64 / f64::from(1 << 20),
        ),
    });
}
