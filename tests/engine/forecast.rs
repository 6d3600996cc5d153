//! The line through a measured series: what it must find, and what must not deceive it.

use proptest::prelude::*;

use watchkeeper_engine::forecast::{self, Line, Missing, Reach, Side, Trend, Window, fit};
use watchkeeper_engine::time::{Span, Time};

const NOW: Time = Time(1_767_603_600_000);
const HISTORY: Span = Span::days(28);
const DAY: f64 = 86_400_000.0;

fn window(side: Side) -> Window {
    Window { now: NOW, history: HISTORY, side }
}

/// A value for each step of the history, by days before the end (so -28 to 0).
fn series(value: impl Fn(f64) -> f64) -> Vec<(Time, f64)> {
    let step = forecast::step(HISTORY).0;
    (0..=HISTORY.0 / step).map(|back| Time(NOW.0 - back * step)).rev().map(|at| (at, value((at.0 - NOW.0) as f64 / DAY))).collect()
}

fn line(points: &[(Time, f64)], side: Side) -> Line {
    match fit(points, window(side)) {
        Trend::Line { line } => line,
        Trend::NoData { why, data_at } => panic!("no line: {why:?}, last at {data_at:?}"),
    }
}

/// Days until the series is at `limit`; `None`: never.
fn days(points: &[(Time, f64)], limit: f64, side: Side) -> Option<f64> {
    match line(points, side).reaches(limit, side, NOW, HISTORY) {
        Reach::Across => Some(0.0),
        Reach::At(at) => Some((at.0 - NOW.0) as f64 / DAY),
        Reach::Never => None,
    }
}

/// Noise between -1 and 1, the same in every run.
fn noise(seed: u64, at: f64) -> f64 {
    let mut bits = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (at * 1e6).to_bits();
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

fn about(found: Option<f64>, expected: f64, within: f64) {
    let found = found.unwrap_or_else(|| panic!("never; expected in {expected} days"));
    assert!((found - expected).abs() <= within, "in {found} days; expected in {expected}");
}

#[test]
fn a_steady_series_crosses_when_it_must() {
    about(days(&series(|day| 70.0 + day), 100.0, Side::Above), 30.0, 0.1);
    about(days(&series(|day| 30.0 - day), 20.0, Side::Below), 10.0, 0.1);
    assert_eq!(days(&series(|day| 70.0 - day), 100.0, Side::Above), None, "it goes away from it");
    assert_eq!(days(&series(|_| 70.0), 100.0, Side::Above), None, "it stands still");
    assert_eq!(days(&series(|day| 92.0 + day / 4.0), 90.0, Side::Above), Some(0.0), "it is there already");
}

#[test]
fn two_points_have_no_line_whatever_they_are() {
    let two = [(NOW - HISTORY, 10.0), (NOW, 89.0)];
    assert_eq!(fit(&two, window(Side::Above)), Trend::NoData { why: Missing::Short, data_at: Some(NOW) });
    let twice: Vec<(Time, f64)> = two.iter().cycle().take(100).copied().collect();
    assert_eq!(
        fit(&twice, window(Side::Above)),
        Trend::NoData { why: Missing::Short, data_at: Some(NOW) },
        "told often they are still two"
    );
}

#[test]
fn what_is_young_stale_or_no_number_is_no_data() {
    let young: Vec<(Time, f64)> = series(|day| 80.0 + day).into_iter().filter(|(at, _)| *at > NOW - Span::days(6)).collect();
    assert!(matches!(fit(&young, window(Side::Above)), Trend::NoData { why: Missing::Short, .. }), "a new disk that is filled");
    let stale: Vec<(Time, f64)> = series(|day| 80.0 + day).into_iter().filter(|(at, _)| *at < NOW - Span::hours(12)).collect();
    assert!(matches!(fit(&stale, window(Side::Above)), Trend::NoData { why: Missing::Stale, .. }));
    let none = series(|_| f64::NAN);
    assert_eq!(fit(&none, window(Side::Above)), Trend::NoData { why: Missing::Empty, data_at: None });
    assert_eq!(fit(&[], window(Side::Above)), Trend::NoData { why: Missing::Empty, data_at: None });
    let infinite = series(|day| if day > -3.0 { f64::INFINITY } else { 50.0 });
    assert!(matches!(fit(&infinite, window(Side::Above)), Trend::NoData { why: Missing::Stale, .. }));
}

#[test]
fn after_a_clean_up_the_last_piece_counts() {
    // Cleaned ten days ago from 85 to 50; since then two a day, before it one.
    let cleaned = series(|day| if day < -10.0 { 85.0 + (day + 10.0) } else { 50.0 + 2.0 * (day + 10.0) });
    about(days(&cleaned, 90.0, Side::Above), 10.0, 0.2);
}

#[test]
fn a_fresh_clean_up_has_its_own_level_and_the_growth_before() {
    // Cleaned two days ago from 85 to 50: a line of its own would be one of two days.
    let cleaned = series(|day| if day < -2.0 { 85.0 + (day + 2.0) } else { 50.0 + (day + 2.0) });
    about(days(&cleaned, 90.0, Side::Above), 38.0, 0.5);
}

#[test]
fn one_step_up_is_no_growth() {
    assert_eq!(days(&series(|day| if day < -5.0 { 50.0 } else { 70.0 }), 90.0, Side::Above), None);
    assert_eq!(days(&series(|day| if day < -14.0 { 50.0 } else { 70.0 } + noise(7, day)), 90.0, Side::Above), None);
}

#[test]
fn a_saw_that_is_kept_short_never_gets_there_until_nobody_keeps_it() {
    let tooth = |day: f64| 40.0 + 30.0 * ((day + 28.0) % 5.0) / 5.0;
    assert_eq!(days(&series(tooth), 90.0, Side::Above), None);
    // The clean-up of ten days ago was the last: six a day since, and it is at 100 now.
    let left = |day: f64| if day < -13.0 { tooth(day) } else { 40.0 + 3.0 * (day + 13.0) };
    about(days(&series(left), 90.0, Side::Above), 11.0 / 3.0, 0.5);
}

#[test]
fn the_crest_of_the_day_counts_not_its_middle() {
    let daily = |day: f64| 70.0 + day / 2.0 + 8.0 * (day * std::f64::consts::TAU).sin();
    let middle = 40.0;
    let found = days(&series(daily), 90.0, Side::Above).unwrap();
    assert!(found < middle - 10.0 && found > middle - 18.0, "in {found} days");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// A fifth of the points may be anything, as long as they do not stand together.
    #[test]
    fn outliers_do_not_deceive(seed in any::<u64>(), slope in 0.2_f64..3.0, level in 20.0_f64..80.0, wild in -1e6_f64..1e6) {
        let mut points = series(|day| level + slope * day + 0.2 * noise(seed, day));
        let last = points.len() - 4;
        for (at, point) in points.iter_mut().enumerate().take(last) {
            if at % 12 == (seed % 12) as usize {
                point.1 = wild;
            }
        }
        let limit = level + slope * 12.0;
        let found = days(&points, limit, Side::Above);
        prop_assert!(found.is_some_and(|found| (found - 12.0).abs() < 1.5), "{found:?}");
    }

    /// Noise around a level is no growth; neither is a series that falls.
    #[test]
    fn noise_never_fills_a_disk(seed in any::<u64>(), spread in 0.01_f64..5.0, fall in 0.0_f64..1.0) {
        let points = series(|day| 60.0 - fall * day + spread * noise(seed, day) - fall * 28.0);
        prop_assert_eq!(days(&points, 100.0, Side::Above), None);
    }

    /// A limit below is a limit above of what is upside down.
    #[test]
    fn below_is_above_upside_down(seed in any::<u64>(), slope in -3.0_f64..3.0, step in -30.0_f64..30.0) {
        let value = |day: f64| 50.0 + slope * day + noise(seed, day) + if day > -9.0 { step } else { 0.0 };
        let above = days(&series(value), 80.0, Side::Above);
        let below = days(&series(|day| -value(day)), -80.0, Side::Below);
        prop_assert_eq!(above, below);
    }

    /// Another unit says the same, and the order of the points is of no account.
    #[test]
    fn neither_unit_nor_order_matters(seed in any::<u64>(), slope in 0.5_f64..3.0, turn in 0_usize..200) {
        let value = |day: f64| 50.0 + slope * day + noise(seed, day);
        let mut bytes = series(|day| value(day) * 1_073_741_824.0);
        bytes.rotate_left(turn);
        let (small, large) = (days(&series(value), 80.0, Side::Above), days(&bytes, 80.0 * 1_073_741_824.0, Side::Above));
        prop_assert!(small.zip(large).is_some_and(|(small, large)| (small - large).abs() < 1e-3), "{:?} {:?}", small, large);
    }

    /// Whatever comes, something comes of it.
    #[test]
    fn nothing_breaks_it(points in prop::collection::vec((-3_000_000_000_i64..1_000, any::<f64>()), 0..300)) {
        let points: Vec<(Time, f64)> = points.into_iter().map(|(at, value)| (Time(NOW.0 + at), value)).collect();
        for side in [Side::Above, Side::Below] {
            if let Trend::Line { line } = fit(&points, window(side)) {
                line.reaches(1.0, side, NOW, HISTORY);
            }
        }
    }
}

/// Load that comes and goes, as machines show it: no forecast may say that one will be a half above its highest.
#[test]
fn series_that_come_and_go_are_never_full() {
    let day = |at: f64| (at * std::f64::consts::TAU).sin();
    let week = |at: f64| (at / 7.0 * std::f64::consts::TAU).sin();
    type Shape = Box<dyn Fn(f64) -> f64>;
    let shapes: [(&str, Shape); 7] = [
        ("flat", Box::new(|_| 45.0)),
        ("noise", Box::new(|at| 30.0 + 4.0 * noise(1, at))),
        ("days with noise", Box::new(move |at| 40.0 + 20.0 * day(at) + 3.0 * noise(2, at))),
        ("days of a week", Box::new(move |at| 50.0 + 15.0 * day(at) + 10.0 * week(at) + 2.0 * noise(3, at))),
        ("a busy fortnight in the middle", Box::new(|at| if (-21.0..-7.0).contains(&at) { 60.0 } else { 20.0 } + noise(4, at))),
        ("spikes", Box::new(|at| if noise(5, at) > 0.97 { 95.0 } else { 5.0 })),
        ("a machine that cools down", Box::new(|at| 80.0 * (-(at + 28.0) / 9.0).exp() + 10.0 + noise(6, at))),
    ];
    for (name, shape) in shapes {
        let points = series(shape);
        let limit = points.iter().map(|(_, value)| *value).fold(f64::MIN, f64::max) * 1.5;
        let lead = days(&points, limit, Side::Above).filter(|days| *days < 28.0);
        assert_eq!(lead, None, "{name} would be at {limit}");
    }
}
