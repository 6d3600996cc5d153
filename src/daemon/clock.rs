//! Time as the writer believes it: never back, and a sudden step forward only after it has held.

use std::sync::Mutex;
use std::time::Instant;

use watchkeeper_engine::time::{Span, Time};

/// A step forward against the monotonic clock that is not believed at once.
pub const STEP_MAX: Span = Span::minutes(5);
/// How long a step forward must hold until it is believed.
pub const STEP_HOLDS: Span = Span::minutes(10);

/// The two clocks of a machine.
pub trait Clock: Send + Sync {
    /// What the wall clock shows.
    fn wall(&self) -> Time;
    /// How long some fixed moment is ago, by a clock that nobody sets.
    fn monotonic(&self) -> Span;
}

/// The machine's own clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Time {
        Time(jiff::Timestamp::now().as_millisecond())
    }

    fn monotonic(&self) -> Span {
        Span(i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

/// Clocks that stand until they are moved: for tests and recorded days.
#[derive(Debug)]
pub struct ManualClock {
    hands: Mutex<(Time, Span)>,
}

impl ManualClock {
    /// Clocks that show `now`.
    pub fn new(now: Time) -> ManualClock {
        ManualClock { hands: Mutex::new((now, Span::ZERO)) }
    }

    /// Lets `span` pass on both clocks.
    pub fn advance(&self, span: Span) {
        let mut hands = self.hands.lock().expect("no holder of the hands panics");
        *hands = (hands.0 + span, Span(hands.1.0 + span.0));
    }

    /// Sets the wall clock, as an operator or a broken time server does.
    pub fn set_wall(&self, now: Time) {
        self.hands.lock().expect("no holder of the hands panics").0 = now;
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Time {
        self.hands.lock().expect("no holder of the hands panics").0
    }

    fn monotonic(&self) -> Span {
        self.hands.lock().expect("no holder of the hands panics").1
    }
}

/// The time that a batch is decided by, read once a batch.
#[derive(Debug)]
pub struct Timekeeper {
    last: Time,
    /// The wall clock minus the monotonic one, as far as it is believed.
    believed: Span,
    /// Since when, by the monotonic clock, the wall clock has been ahead of what is believed.
    ahead_since: Option<Span>,
}

/// What the clocks show, and what is believed of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The time that everything is decided by.
    pub now: Time,
    /// What the wall clock shows.
    pub wall: Time,
    /// The step of the wall clock that is not believed yet.
    pub doubted: Option<Doubt>,
}

/// A step forward of the wall clock that is not believed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// How far it went.
    pub ahead: Span,
    /// After how long it is believed, if it holds.
    pub believed_in: Span,
}

/// What a reading of the clock showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing unusual.
    Steady,
    /// The wall clock jumped this far ahead and is not believed: time runs on by the monotonic clock.
    Doubted(Span),
    /// A doubted step was taken back.
    Returned,
    /// A doubted step held and is believed.
    Believed(Span),
}

impl Timekeeper {
    /// Begins at `clock`, but not before `last`, the time of the last block.
    pub fn new(clock: &dyn Clock, last: Time) -> Timekeeper {
        Timekeeper { last, believed: Span(clock.wall().0.saturating_sub(clock.monotonic().0)), ahead_since: None }
    }

    /// Reads the clocks. The time never goes back; where the wall clock does, it stands until that has caught up.
    pub fn read(&mut self, clock: &dyn Clock) -> (Time, Turn) {
        let (wall, monotonic) = (clock.wall(), clock.monotonic());
        let expected = Time(monotonic.0.saturating_add(self.believed.0));
        let ahead = wall - expected;
        let turn = match self.ahead_since {
            None if ahead > STEP_MAX => {
                self.ahead_since = Some(monotonic);
                Turn::Doubted(ahead)
            }
            Some(_) if ahead <= STEP_MAX => {
                self.ahead_since = None;
                Turn::Returned
            }
            Some(since) if monotonic.0 - since.0 >= STEP_HOLDS.0 => {
                self.ahead_since = None;
                Turn::Believed(ahead)
            }
            None | Some(_) => Turn::Steady,
        };
        let time = if self.ahead_since.is_some() {
            expected
        } else {
            self.believed = Span(wall.0.saturating_sub(monotonic.0));
            wall
        };
        self.last = self.last.max(time);
        (self.last, turn)
    }

    /// Believes the wall clock at once, because an operator says that it is right. Returns the step that was doubted, where one was.
    pub fn confirm(&mut self, clock: &dyn Clock) -> Option<Span> {
        let ahead = self.reading(clock).doubted?.ahead;
        self.ahead_since = None;
        self.believed = Span(clock.wall().0.saturating_sub(clock.monotonic().0));
        self.read(clock);
        Some(ahead)
    }

    /// What the clocks show and what is believed of it.
    pub fn reading(&self, clock: &dyn Clock) -> Reading {
        let (wall, monotonic) = (clock.wall(), clock.monotonic());
        let expected = Time(monotonic.0.saturating_add(self.believed.0));
        let doubted = self
            .ahead_since
            .map(|since| Doubt { ahead: wall - expected, believed_in: Span((since.0 + STEP_HOLDS.0 - monotonic.0).max(0)) });
        Reading { now: self.last, wall, doubted }
    }

    /// The time of the last reading.
    pub fn now(&self) -> Time {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time(1_800_000_000_000);

    fn pair() -> (ManualClock, Timekeeper) {
        let clock = ManualClock::new(START);
        let keeper = Timekeeper::new(&clock, Time::default());
        (clock, keeper)
    }

    #[test]
    fn time_stands_while_the_wall_clock_has_gone_back() {
        let (clock, mut keeper) = pair();
        clock.advance(Span::minutes(1));
        let before = keeper.read(&clock).0;
        clock.set_wall(START);
        assert_eq!(keeper.read(&clock), (before, Turn::Steady));
        clock.advance(Span::minutes(2));
        assert_eq!(keeper.read(&clock).0, START + Span::minutes(2));
    }

    #[test]
    fn a_step_forward_is_believed_after_ten_minutes_and_time_runs_on_until_then() {
        let (clock, mut keeper) = pair();
        clock.set_wall(START + Span::hours(2));
        assert_eq!(keeper.read(&clock), (START, Turn::Doubted(Span::hours(2))));
        clock.advance(Span::minutes(9));
        assert_eq!(keeper.read(&clock), (START + Span::minutes(9), Turn::Steady));
        clock.advance(Span::minutes(1));
        assert_eq!(keeper.read(&clock), (START + Span::hours(2) + Span::minutes(10), Turn::Believed(Span::hours(2))));
    }

    #[test]
    fn a_step_that_an_operator_confirms_is_believed_at_once() {
        let (clock, mut keeper) = pair();
        assert_eq!(keeper.confirm(&clock), None);
        clock.set_wall(START + Span::hours(2));
        keeper.read(&clock);
        clock.advance(Span::minutes(1));
        let doubt = Doubt { ahead: Span::hours(2), believed_in: Span::minutes(9) };
        assert_eq!(keeper.reading(&clock), Reading { now: START, wall: START + Span::hours(2) + Span::minutes(1), doubted: Some(doubt) });
        assert_eq!(keeper.confirm(&clock), Some(Span::hours(2)));
        assert_eq!(keeper.read(&clock), (START + Span::hours(2) + Span::minutes(1), Turn::Steady));
        assert_eq!(keeper.confirm(&clock), None);
    }

    #[test]
    fn a_step_that_is_taken_back_leaves_no_trace() {
        let (clock, mut keeper) = pair();
        clock.set_wall(START + Span::hours(2));
        keeper.read(&clock);
        clock.advance(Span::minutes(1));
        clock.set_wall(START + Span::minutes(1));
        assert_eq!(keeper.read(&clock), (START + Span::minutes(1), Turn::Returned));
    }

    #[test]
    fn a_start_does_not_begin_before_the_last_block() {
        let clock = ManualClock::new(START);
        let mut keeper = Timekeeper::new(&clock, START + Span::minutes(3));
        assert_eq!(keeper.read(&clock).0, START + Span::minutes(3));
    }
}
