//! When to look again: at once after a rename into place, after a second of quiet else, and never while a file is still being written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind, RemoveKind, RenameMode};

use super::kind::{Kind, Stamp};

/// Quiet after a change in place, until it counts as done.
const QUIET: Duration = Duration::from_secs(1);
/// Quiet after a rename into place, which is done by itself; as long as tools take between two files.
const QUIET_AFTER_RENAME: Duration = Duration::from_millis(100);
/// How long a file that nobody closes holds up a reload that somebody asks for; then it is read as it is. One that nobody asks for waits until it is closed.
const OPEN_MAX: Duration = Duration::from_secs(60);
/// For how long files that changed without an event, as on a network file system, must look the same until they are read: a copy may stall in between.
const STEADY: Duration = Duration::from_secs(10);

/// Collects changes until it is time to look.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    due: Option<Instant>,
    /// Files that were written and not closed since, by when they were last written.
    written: BTreeMap<PathBuf, Instant>,
    /// What the folders looked like when they had changed without an event, and since when.
    seen: Option<(Stamp, Instant)>,
}

/// What is to be done where it is time to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing yet.
    No,
    /// The files are read.
    Read,
    /// Not, because this file is still open.
    HeldOpen(PathBuf),
}

impl Quiet {
    /// Something happened in a folder. Reads and looks are nothing: else a reload would wake itself.
    pub(super) fn hear(&mut self, event: &notify::Event, now: Instant) {
        if event.need_rescan() {
            // Events were lost, that of a file which was closed perhaps among them.
            self.written.clear();
        }
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

    /// Events cannot be had.
    pub(super) fn lost(&mut self, now: Instant) {
        self.written.clear();
        self.due.get_or_insert(now + QUIET);
    }

    /// What the folders look like, and what they looked like when they were last read: a change of which no event told is read when it has been the same for a
    /// while. Says when to compare again, where that is sooner than usual.
    pub(super) fn compare(&mut self, stamp: Stamp, read: &Stamp, now: Instant) -> Option<Instant> {
        if stamp == *read || self.due.is_some() {
            self.seen = None;
            return None;
        }
        match &self.seen {
            Some((seen, since)) if *seen == stamp && now >= *since + STEADY => {
                self.due = Some(now);
                None
            }
            Some((seen, since)) if *seen == stamp => Some(*since + STEADY),
            Some(_) | None => {
                self.seen = Some((stamp, now));
                Some(now + STEADY)
            }
        }
    }

    /// When to look; `None`: nothing happened since the last look.
    pub(super) fn due(&self) -> Option<Instant> {
        let open_until = self.written.values().map(|at| *at + OPEN_MAX).max();
        self.due.map(|due| open_until.map_or(due, |until| due.max(until)))
    }

    /// What is to be done at `now` though nobody asked.
    pub(super) fn look(&mut self, now: Instant) -> Look {
        if self.due().is_none_or(|due| due > now) {
            return Look::No;
        }
        match self.written.keys().next() {
            None => Look::Read,
            Some(path) => {
                // Once is enough: the next event asks again.
                self.due = None;
                Look::HeldOpen(path.clone())
            }
        }
    }

    /// A file that is still being written: a reload that somebody asks for waits for it.
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
    fn a_file_that_nobody_closes_is_never_read_by_itself_and_after_a_minute_where_somebody_asks() {
        let (mut quiet, now) = (Quiet::default(), Instant::now());
        quiet.hear(&event(WRITE, "a.yaml"), now);
        quiet.hear(&event(RENAME, "b.yaml"), now);
        assert_eq!(quiet.due(), Some(now + OPEN_MAX));
        assert_eq!(quiet.look(now + OPEN_MAX - QUIET), Look::No);
        assert_eq!(quiet.being_written(now + OPEN_MAX), None);
        assert_eq!(quiet.look(now + OPEN_MAX), Look::HeldOpen(PathBuf::from("a.yaml")));
        assert_eq!(quiet.look(now + OPEN_MAX * 2), Look::No, "it is said once");
        let later = now + OPEN_MAX * 3;
        quiet.hear(&event(CLOSE, "a.yaml"), later);
        assert_eq!(quiet.look(later + QUIET), Look::Read);
    }

    #[test]
    fn a_change_without_an_event_is_read_when_it_has_been_the_same_for_a_while() {
        let (mut quiet, now) = (Quiet::default(), Instant::now());
        let of = |length: u64| vec![(PathBuf::from("a.yaml"), None, length)];
        let compare = |quiet: &mut Quiet, length, at| quiet.compare(of(length), &of(7), at);
        assert_eq!(compare(&mut quiet, 7, now), None);
        assert_eq!(compare(&mut quiet, 8, now), Some(now + STEADY));
        let later = now + STEADY;
        assert_eq!(compare(&mut quiet, 9, later), Some(later + STEADY), "it still grows");
        assert_eq!(compare(&mut quiet, 9, later + QUIET), Some(later + STEADY));
        assert_eq!(quiet.look(later + QUIET), Look::No);
        assert_eq!(compare(&mut quiet, 9, later + STEADY), None);
        assert_eq!(quiet.look(later + STEADY), Look::Read);
    }

    #[test]
    fn where_events_were_lost_no_file_is_waited_for() {
        let (mut quiet, now) = (Quiet::default(), Instant::now());
        quiet.hear(&event(WRITE, "a.yaml"), now);
        quiet.hear(&notify::Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan), now);
        assert_eq!(quiet.look(now + QUIET), Look::Read);
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
