//! The time that the writer decides by: it never goes back or stands still, and follows a sudden step of the wall clock only after the step has held.

use std::sync::Mutex;
use std::time::Instant;

use watchkeeper_engine::time::{Span, Time};

/// The smallest step against the monotonic clock that is doubted; time servers correct by less.
pub const STEP_MAX: Span = Span::minutes(5);
/// How long a step must hold until it is believed.
pub const STEP_HOLDS: Span = Span::minutes(10);

/// The two clocks of a machine.
pub trait Clock: Send + Sync {
    /// What the wall clock shows.
    fn wall(&self) -> Time;
    /// The time since some fixed moment, by a clock that cannot be set.
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

/// The time that a batch is decided by, read once a batch. It never goes back and never stands still: where the wall clock cannot be followed, it runs on by the
/// monotonic one.
#[derive(Debug)]
pub struct Timekeeper {
    /// The time of the last reading, and what the monotonic clock showed then.
    last: (Time, Span),
    /// What the wall clock is, against the time.
    trust: Trust,
}

/// A reading of the clocks and the time taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The time that everything is decided by.
    pub now: Time,
    /// What the wall clock shows.
    pub wall: Time,
    /// The step of the wall clock that is not believed yet.
    pub doubted: Option<Doubt>,
}

/// A step of the wall clock that is not believed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// Its length: the wall clock minus the time.
    pub step: Span,
    /// The time after which it is believed if it holds.
    pub believed_in: Span,
}

/// What the wall clock is, against the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Followed: ahead at once, back at half speed.
    Followed,
    /// It has stepped, at this moment of the monotonic clock, and may step back again.
    Doubted { since: Span },
    /// It stepped back and the step is believed: time runs at half speed until the wall clock has caught up.
    Awaited,
}

/// What a reading of the clock showed. A step is what the wall clock shows minus the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing unusual.
    Steady,
    /// The wall clock stepped and is not believed: time runs on by the monotonic clock.
    Doubted(Span),
    /// A doubted step was taken back.
    Returned,
    /// A doubted step held and is believed: a step ahead is taken, after a step back time runs at half speed until the wall clock has caught up.
    Believed(Span),
}

impl Timekeeper {
    /// Begins at `clock`, but not before `last`, the time of the last block: a wall clock behind that has stepped back.
    pub fn new(clock: &dyn Clock, last: Time) -> Timekeeper {
        Timekeeper { last: (clock.wall().max(last), clock.monotonic()), trust: Trust::Followed }
    }

    /// Reads the clocks.
    pub fn read(&mut self, clock: &dyn Clock) -> (Time, Turn) {
        let (wall, monotonic) = (clock.wall(), clock.monotonic());
        let (last, read_at) = self.last;
        let passed = Span((monotonic.0 - read_at.0).max(0));
        let step = wall - (last + passed);
        let turn = self.turn(step, monotonic);
        let time = match self.trust {
            Trust::Doubted { .. } => last + passed,
            Trust::Followed | Trust::Awaited => wall.max(last + Span(passed.0 / 2)),
        };
        self.last = (time, monotonic);
        (time, turn)
    }

    fn turn(&mut self, step: Span, monotonic: Span) -> Turn {
        let is_small = step.0.abs() <= STEP_MAX.0;
        let (trust, turn) = match self.trust {
            Trust::Followed if is_small => (Trust::Followed, Turn::Steady),
            Trust::Awaited if step <= STEP_MAX => (if is_small { Trust::Followed } else { Trust::Awaited }, Turn::Steady),
            Trust::Followed | Trust::Awaited => (Trust::Doubted { since: monotonic }, Turn::Doubted(step)),
            Trust::Doubted { .. } if is_small => (Trust::Followed, Turn::Returned),
            Trust::Doubted { since } if monotonic.0 - since.0 >= STEP_HOLDS.0 => {
                (if step > Span::ZERO { Trust::Followed } else { Trust::Awaited }, Turn::Believed(step))
            }
            Trust::Doubted { .. } => (self.trust, Turn::Steady),
        };
        self.trust = trust;
        turn
    }

    /// Believes the wall clock at once, because an operator says that it is right. Returns the step that was doubted, where one was.
    pub fn confirm(&mut self, clock: &dyn Clock) -> Option<Span> {
        let Reading { now, wall, doubted } = self.reading(clock);
        let step = doubted?.step;
        self.trust = if step > Span::ZERO { Trust::Followed } else { Trust::Awaited };
        self.last = (now.max(wall), clock.monotonic());
        Some(step)
    }

    /// What the clocks show and what is believed of it.
    pub fn reading(&self, clock: &dyn Clock) -> Reading {
        let (wall, monotonic) = (clock.wall(), clock.monotonic());
        let (last, read_at) = self.last;
        let doubted = match self.trust {
            Trust::Followed | Trust::Awaited => None,
            Trust::Doubted { since } => Some(Doubt {
                step: wall - (last + Span((monotonic.0 - read_at.0).max(0))),
                believed_in: Span((since.0 + STEP_HOLDS.0 - monotonic.0).max(0)),
            }),
        };
        Reading { now: last, wall, doubted }
    }

    /// The time of the last reading.
    pub fn now(&self) -> Time {
        self.last.0
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
    fn after_a_small_step_back_time_runs_at_half_speed_until_the_wall_clock_has_caught_up() {
        let (clock, mut keeper) = pair();
        clock.advance(Span::minutes(1));
        let before = keeper.read(&clock).0;
        clock.set_wall(START + Span::seconds(20));
        assert_eq!(keeper.read(&clock), (before, Turn::Steady));
        clock.advance(Span::seconds(60));
        assert_eq!(keeper.read(&clock), (before + Span::seconds(30), Turn::Steady));
        clock.advance(Span::seconds(20));
        assert_eq!(keeper.read(&clock), (START + Span::seconds(100), Turn::Steady));
        clock.advance(Span::seconds(20));
        assert_eq!(keeper.read(&clock), (START + Span::seconds(120), Turn::Steady));
    }

    #[test]
    fn a_large_step_back_is_doubted_and_time_runs_on_then_it_waits_at_half_speed() {
        let (clock, mut keeper) = pair();
        clock.advance(Span::hours(2));
        let before = keeper.read(&clock).0;
        clock.set_wall(before - Span::hours(1));
        assert_eq!(keeper.read(&clock), (before, Turn::Doubted(Span(-Span::hours(1).0))));
        clock.advance(Span::minutes(9));
        assert_eq!(keeper.read(&clock), (before + Span::minutes(9), Turn::Steady));
        clock.advance(Span::minutes(2));
        let (time, turn) = keeper.read(&clock);
        assert_eq!(turn, Turn::Believed(Span(-Span::hours(1).0)));
        for minute in 1..=59 {
            clock.advance(Span::minutes(2));
            assert_eq!(keeper.read(&clock), (time + Span::minutes(minute), Turn::Steady), "minute {minute}");
        }
        clock.advance(Span::hours(1));
        assert_eq!(keeper.read(&clock).0, clock.wall());
    }

    #[test]
    fn a_step_back_that_is_put_right_leaves_no_trace() {
        let (clock, mut keeper) = pair();
        clock.set_wall(START - Span::hours(1));
        assert_eq!(keeper.read(&clock).1, Turn::Doubted(Span(-Span::hours(1).0)));
        clock.advance(Span::seconds(20));
        clock.set_wall(START + Span::seconds(20));
        assert_eq!(keeper.read(&clock), (START + Span::seconds(20), Turn::Returned));
        clock.advance(Span::seconds(1));
        assert_eq!(keeper.read(&clock), (START + Span::seconds(21), Turn::Steady));
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
        let doubt = Doubt { step: Span::hours(2), believed_in: Span::minutes(9) };
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
    fn a_start_begins_at_the_last_block_and_goes_on_from_there() {
        let clock = ManualClock::new(START);
        let mut keeper = Timekeeper::new(&clock, START + Span::minutes(3));
        assert_eq!(keeper.read(&clock), (START + Span::minutes(3), Turn::Steady));
        clock.advance(Span::minutes(2));
        assert_eq!(keeper.read(&clock).0, START + Span::minutes(4));

        let ahead = START + Span::days(30);
        let mut keeper = Timekeeper::new(&clock, ahead);
        assert!(
            matches!(keeper.read(&clock), (time, Turn::Doubted(_)) if time == ahead),
            "the last run's clock was wrong, or this one's is"
        );
        clock.advance(Span::minutes(1));
        assert_eq!(keeper.read(&clock).0, ahead + Span::minutes(1));
    }

    #[test]
    fn whatever_the_wall_clock_does_time_neither_goes_back_nor_stands() {
        let (clock, mut keeper) = pair();
        let mut seed = 7_u64;
        let mut last = keeper.read(&clock).0;
        for _ in 0..10_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            clock.advance(Span::seconds(10));
            if seed >> 60 == 0 {
                clock.set_wall(clock.wall() + Span::minutes(i64::try_from(seed >> 40 & 0xff).unwrap() - 128));
            }
            let time = keeper.read(&clock).0;
            assert!(time >= last + Span::seconds(5), "{last:?} {time:?}");
            last = time;
        }
    }
}
