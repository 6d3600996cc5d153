//! When to look again: at once after a rename into place, after a second of quiet else, and never while a file is still being written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind, RemoveKind, RenameMode};

use super::files::Kind;

/// Quiet after a change in place, until it counts as done.
const QUIET: Duration = Duration::from_secs(1);
/// Quiet after a rename into place, which is done by itself; as long as tools take between two files.
const QUIET_AFTER_RENAME: Duration = Duration::from_millis(100);
/// How long a file that nobody closes holds a reload up. Later it is read as it is.
const OPEN_MAX: Duration = Duration::from_secs(60);

/// Collects changes until it is time to look.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    due: Option<Instant>,
    written: BTreeMap<PathBuf, Instant>,
}

impl Quiet {
    /// Something happened in a folder. Reads and looks are nothing: else a reload would wake itself.
    pub(super) fn hear(&mut self, event: &notify::Event, now: Instant) {
        let wait = match event.kind {
            EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) => {
                self.closed(&event.paths);
                QUIET_AFTER_RENAME
            }
            EventKind::Modify(ModifyKind::Data(_)) => {
                self.written.extend(event.paths.iter().filter(|path| Kind::reads(path)).map(|path| (path.clone(), now)));
                QUIET
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Remove(RemoveKind::File)
            | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
                self.closed(&event.paths);
                QUIET
            }
            EventKind::Create(CreateKind::Any | CreateKind::File | CreateKind::Folder | CreateKind::Other)
            | EventKind::Modify(_)
            | EventKind::Remove(_)
            | EventKind::Any
            | EventKind::Other => QUIET,
            EventKind::Access(_) => return,
        };
        self.due = Some(now + wait);
    }

    /// Something changed of which no event told.
    pub(super) fn notice(&mut self, now: Instant) {
        self.due.get_or_insert(now + QUIET);
    }

    /// When to look; `None`: nothing happened since the last look.
    pub(super) fn due(&self) -> Option<Instant> {
        let open_until = self.written.values().map(|at| *at + OPEN_MAX).max();
        self.due.map(|due| open_until.map_or(due, |until| due.max(until)))
    }

    /// A file that is still being written.
    pub(super) fn being_written(&self, now: Instant) -> Option<&Path> {
        self.written.iter().find(|(_, at)| now < **at + OPEN_MAX).map(|(path, _)| path.as_path())
    }

    /// It was looked.
    pub(super) fn looked(&mut self) {
        *self = Quiet::default();
    }

    fn closed(&mut self, paths: &[PathBuf]) {
        for path in paths {
            self.written.remove(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use notify::event::DataChange;

    use super::*;

    const WRITE: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSE: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));
    const OPEN: EventKind = EventKind::Access(AccessKind::Open(AccessMode::Any));
    const RENAME: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::To));

    fn event(kind: EventKind, path: &str) -> notify::Event {
        notify::Event::new(kind).add_path(PathBuf::from(path))
    }

    #[test]
    fn a_rename_into_place_is_looked_at_almost_at_once() {
        let (mut quiet, now) = (Quiet::default(), Instant::now());
        quiet.hear(&event(RENAME, "a.yaml"), now);
        assert_eq!(quiet.due(), Some(now + QUIET_AFTER_RENAME));
    }

    #[test]
    fn a_write_in_place_is_looked_at_a_second_after_it_was_closed() {
        let (mut quiet, now) = (Quiet::default(), Instant::now());
        quiet.hear(&event(WRITE, "a.yaml"), now);
        assert_eq!(quiet.due(), Some(now + OPEN_MAX));
        assert_eq!(quiet.being_written(now), Some(Path::new("a.yaml")));
        let later = now + Duration::from_secs(20);
        quiet.hear(&event(CLOSE, "a.yaml"), later);
        assert_eq!(quiet.due(), Some(later + QUIET));
        assert_eq!(quiet.being_written(later), None);
    }

    #[test]
    fn a_file_that_nobody_closes_is_read_after_a_minute() {
        let (mut quiet, now) = (Quiet::default(), Instant::now());
        quiet.hear(&event(WRITE, "a.yaml"), now);
        quiet.hear(&event(RENAME, "b.yaml"), now);
        assert_eq!(quiet.due(), Some(now + OPEN_MAX));
        assert_eq!(quiet.being_written(now + OPEN_MAX), None);
    }

    #[test]
    fn a_file_that_is_no_source_or_was_renamed_away_holds_nothing_up() {
        let (mut quiet, now) = (Quiet::default(), Instant::now());
        quiet.hear(&event(WRITE, "a.yaml.new"), now);
        quiet.hear(&event(WRITE, "b.yaml"), now);
        quiet.hear(&event(EventKind::Modify(ModifyKind::Name(RenameMode::From)), "b.yaml"), now);
        assert_eq!((quiet.being_written(now), quiet.due()), (None, Some(now + QUIET)));
    }

    #[test]
    fn reading_wakes_nobody() {
        let mut quiet = Quiet::default();
        quiet.hear(&event(OPEN, "a.yaml"), Instant::now());
        assert_eq!(quiet.due(), None);
    }
}
