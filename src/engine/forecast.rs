//! Where a measured series is going: a robust line through it, or why there is none. What a limit makes of the line is for others to say.
//!
//! The slope is the median of the slopes of all pairs of points (Theil 1950; Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau",
//! J. Am. Stat. Assoc. 63, 1968): up to 29 % of the points may be anything. Before it, the series is cut where it steps to another level and stays there
//! (a clean-up, a larger disk), because a line across a step is the slope of nothing:
//!
//! * The last piece has a line of its own once it is long enough; until then it has its own level and the slope of the piece before it.
//! * Three clean-ups or more are a saw that somebody keeps short: its line goes through all of it, and its teeth are no growth. A saw whose last
//!   tooth is half as long again as any before it is one no more.
//! * The line is lifted until nine of ten recent points lie on the safe side of it: it is the crest of the day that fills a disk, not its middle.
//! * Growth that is lost in the spread of the points is none.

use minicbor::{Decode, Encode};

use crate::time::{Span, Time};

/// Points of a line; fewer are no data. Two points always have a line.
pub const POINTS_MIN: usize = 12;
/// A piece has a line where it spans at least one part of this many of the history.
pub const HISTORY_PARTS: i64 = 4;
/// Points that a history is asked for in: all their pairs take an eighth of a millisecond a series, so a whole answer an eighth of a second.
pub const POINTS_ASKED: i64 = 240;
/// The closest that points are asked for.
pub const STEP_MIN: Span = Span::minutes(1);
/// So many steps after its last point a series has no data any more.
pub const STALE_STEPS: i64 = 3;

/// Points on each side that say whether a step lasts.
const BESIDE: usize = 5;
/// Points after a step without which it may be an outlier.
const BESIDE_MIN: usize = 3;
/// A step is this many times the usual change from point to point.
const STEP_SIGMAS: f64 = 8.0;
/// And at least this share of the range in which nine of ten points lie.
const STEP_SHARE: f64 = 0.1;
/// So many clean-ups are a saw.
const SAW_TEETH: usize = 3;
/// Growth over a piece is more than this many times the spread of its points.
const GROWTH_SPREADS: f64 = 1.0;
/// From the median distance to the median to a standard deviation, where the distances are Gaussian.
const MAD_TO_SIGMA: f64 = 1.4826;
const DAY_MS: f64 = 86_400_000.0;

/// A measured number, as rows keep it: by its bits, so that what is written is what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Real(#[n(0)] u64);

impl Real {
    /// The number.
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl From<f64> for Real {
    fn from(number: f64) -> Real {
        Real(number.to_bits())
    }
}

/// On which side of a limit a series shall not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Above it: a disk fills.
    Above,
    /// Below it: what is left runs out.
    Below,
}

impl Side {
    /// Its word in rules.
    pub const fn word(self) -> &'static str {
        match self {
            Side::Above => "above",
            Side::Below => "below",
        }
    }

    /// 1 or -1: multiplied by it, every limit is one from below.
    const fn sign(self) -> f64 {
        match self {
            Side::Above => 1.0,
            Side::Below => -1.0,
        }
    }

    /// Whether `value` has reached `limit`.
    pub fn is_reached(self, value: f64, limit: f64) -> bool {
        value * self.sign() >= limit * self.sign()
    }
}

/// What a series was fitted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When it was asked for.
    pub now: Time,
    /// How far back.
    pub history: Span,
    /// On which side the limit is.
    pub side: Side,
}

/// How far apart the points of a history are asked for.
pub fn step(history: Span) -> Span {
    Span(history.0 / POINTS_ASKED).max(STEP_MIN)
}

/// Where a series is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Trend {
    /// Along this line.
    #[n(0)]
    Line {
        /// Where it is now.
        #[n(0)]
        line: Line,
    },
    /// Nobody can say.
    #[n(1)]
    NoData {
        /// Why.
        #[n(0)]
        why: Missing,
        /// Its last point; `None` where it has none.
        #[n(1)]
        data_at: Option<Time>,
    },
}

/// A line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Line {
    /// What the last points say: the median of the last three.
    #[n(0)]
    pub value: Real,
    /// Where the line is at the time it was made: nine of ten recent points are on its safe side.
    #[n(1)]
    pub level: Real,
    /// Its slope a day; 0 where growth is lost in the spread.
    #[n(2)]
    pub per_day: Real,
    /// Its last point.
    #[n(3)]
    pub data_at: Time,
}

/// Why there is no line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Missing {
    /// It has no number at all.
    #[n(0)]
    Empty,
    /// Its last point is too long ago.
    #[n(1)]
    Stale,
    /// Too few points, or over too little of the history.
    #[n(2)]
    Short,
}

impl Missing {
    /// The reason as a part of a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Missing::Empty => "it has no numbers",
            Missing::Stale => "it has not been measured lately",
            Missing::Short => "it has not been measured for long enough",
        }
    }
}

/// When a line is at a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It is there already.
    Across,
    /// Then.
    At(Time),
    /// Not in ten times the history, or never.
    Never,
}

/// A line says nothing of what lies further ahead than this many times its history.
const HISTORIES_AHEAD: i64 = 10;

impl Line {
    /// When it is at `limit`, seen from `now`.
    pub fn reaches(&self, limit: f64, side: Side, now: Time, history: Span) -> Reach {
        if side.is_reached(self.value.get(), limit) {
            return Reach::Across;
        }
        let per_ms = self.per_day.get() * side.sign() / DAY_MS;
        let left = ((limit - self.level.get()) * side.sign()).max(0.0);
        if per_ms <= 0.0 {
            return Reach::Never;
        }
        let ahead = left / per_ms;
        // Compared as it is: what does not fit into a time is not reached.
        if ahead > history.0.saturating_mul(HISTORIES_AHEAD) as f64 { Reach::Never } else { Reach::At(now + Span(ahead as i64)) }
    }
}

/// The points that a server would give of a series which goes straight from each of `knots` (when before the end, value) to the next.
pub fn between(knots: &[(Span, f64)], window: Window) -> Vec<(Time, f64)> {
    let step = step(window.history).0;
    let back = (0..=window.history.0 / step).rev().map(|steps| -steps * step);
    let at = |at: i64| {
        let after = knots.iter().position(|knot| knot.0.0 >= at)?;
        let (to, from) = (knots[after], knots[after.saturating_sub(1)]);
        let share = if to.0 == from.0 { (to.0.0 == at).then_some(1.0)? } else { (at - from.0.0) as f64 / (to.0.0 - from.0.0) as f64 };
        Some((window.now + Span(at), from.1 + share * (to.1 - from.1)))
    };
    back.filter_map(at).collect()
}

/// A point: milliseconds before the end (so 0 or less), and the value times the sign of the side.
type Point = (f64, f64);

/// The line through `points`, in whatever order they come. What is no number is left out.
pub fn fit(points: &[(Time, f64)], window: Window) -> Trend {
    let from = window.now - window.history;
    let usable = points.iter().filter(|(at, value)| value.is_finite() && *at >= from && *at <= window.now);
    let sign = window.side.sign();
    let mut all: Vec<Point> = usable.map(|(at, value)| ((at.0 - window.now.0) as f64, value * sign)).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.dedup_by(|a, b| a.0 == b.0);
    let Some(last) = all.last() else { return Trend::NoData { why: Missing::Empty, data_at: None } };
    let data_at = Time(window.now.0 + last.0 as i64);
    let missing = |why| Trend::NoData { why, data_at: Some(data_at) };
    if window.now - data_at > Span(step(window.history).0 * STALE_STEPS) {
        return missing(Missing::Stale);
    }
    let Some((slope, level)) = line(&all, window.history) else { return missing(Missing::Short) };
    let value = middle(all[all.len().saturating_sub(BESIDE_MIN)..].iter().map(|point| point.1));
    // Not -0 where it does not move.
    let per_day = slope * DAY_MS * sign + 0.0;
    Trend::Line { line: Line { value: (value * sign).into(), level: (level * sign).into(), per_day: per_day.into(), data_at } }
}

/// Slope in units a millisecond and level at 0 of the line that goes on.
fn line(all: &[Point], history: Span) -> Option<(f64, f64)> {
    let is_enough = |piece: &&[Point]| piece.len() >= POINTS_MIN && span(piece) >= (history.0 / HISTORY_PARTS) as f64;
    let pieces = pieces(all);
    if is_saw(&pieces) {
        let whole = Some(all).filter(is_enough)?;
        let slope = growth(whole);
        return Some((slope, crest(whole, slope)));
    }
    let last = *pieces.last()?;
    let slope = growth(pieces.iter().copied().rev().find(is_enough)?);
    // The height is that of its last third: where growth bends, what was long ago is not where it is.
    let recent = &last[last.len() - last.len().div_ceil(3).max(BESIDE_MIN).min(last.len())..];
    Some((slope, crest(recent, slope)))
}

fn span(piece: &[Point]) -> f64 {
    piece.last().map_or(0.0, |last| last.0) - piece.first().map_or(0.0, |first| first.0)
}

/// The series cut where it steps to another level and stays there.
fn pieces(all: &[Point]) -> Vec<&[Point]> {
    let changes: Vec<f64> = all.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
    if changes.is_empty() {
        return vec![all];
    }
    let usual = middle(changes.iter().copied());
    let sigma = MAD_TO_SIGMA * middle(changes.iter().map(|change| (change - usual).abs()));
    let mut values: Vec<f64> = all.iter().map(|point| point.1).collect();
    let range = at_share(&mut values, 0.95) - at_share(&mut values, 0.05);
    let large = (STEP_SIGMAS * sigma).max(STEP_SHARE * range);
    let mut cuts = vec![0];
    for (at, change) in changes.iter().enumerate().map(|(at, change)| (at + 1, change - usual)) {
        let (before, after) = (&all[at.saturating_sub(BESIDE)..at], &all[at..(at + BESIDE).min(all.len())]);
        if change.abs() > large && before.len().min(after.len()) >= BESIDE_MIN {
            let values = |piece: &[Point]| middle(piece.iter().map(|point| point.1));
            if (values(after) - values(before)) / change >= 0.5 {
                cuts.push(at);
            }
        }
    }
    cuts.push(all.len());
    cuts.windows(2).map(|cut| &all[cut[0]..cut[1]]).collect()
}

/// Whether somebody keeps it short: it was cleaned up often, and the last tooth is no longer than the others.
fn is_saw(pieces: &[&[Point]]) -> bool {
    let ends = |pair: &[&[Point]]| Some((pair.first()?.last()?.1, pair.last()?.first()?.1));
    let cleaned = pieces.windows(2).filter_map(ends).filter(|(before, after)| after < before).count();
    let longest = pieces.iter().rev().skip(1).map(|piece| span(piece)).fold(0.0, f64::max);
    cleaned >= SAW_TEETH && pieces.last().is_some_and(|last| span(last) <= longest * 1.5)
}

/// The median slope of all pairs; 0 where it is lost in the spread.
fn growth(piece: &[Point]) -> f64 {
    let mut slopes = Vec::with_capacity(piece.len() * piece.len().saturating_sub(1) / 2);
    for (at, from) in piece.iter().enumerate() {
        slopes.extend(piece[at + 1..].iter().map(|to| (to.1 - from.1) / (to.0 - from.0)));
    }
    let slope = at_share(&mut slopes, 0.5);
    let height = middle(piece.iter().map(|point| point.1 - slope * point.0));
    let spread = MAD_TO_SIGMA * middle(piece.iter().map(|point| (point.1 - slope * point.0 - height).abs()));
    if (slope * span(piece)).abs() > GROWTH_SPREADS * spread { slope } else { 0.0 }
}

/// Where a line of this slope is at 0 if nine of ten points shall lie below it.
fn crest(piece: &[Point], slope: f64) -> f64 {
    at_share(&mut piece.iter().map(|point| point.1 - slope * point.0).collect::<Vec<f64>>(), 0.9)
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    at_share(&mut values.collect::<Vec<f64>>(), 0.5)
}

/// The value below which this share of the others lies; 0 where there is none.
fn at_share(values: &mut [f64], share: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let at = ((values.len() - 1) as f64 * share) as usize;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}
