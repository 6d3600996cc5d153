//! Series that others measured.

use std::fs;
use std::process::Command;

use watchkeeper_engine::forecast::{self, Reach, Side, Trend, Window, fit};
use watchkeeper_engine::time::{Span, Time};

use super::folder;

/// Series that others measured and that do not fill up: no forecast may say that one will be a half above its highest.
#[test]
fn measured_series_without_growth_are_never_full() {
    let corpus = folder();
    let flat = [
        "art_flatline",
        "art_daily_small_noise",
        "ec2_cpu_utilization_53ea38",
        "rds_cpu_utilization_cc0c53",
        "machine_temperature_system_failure",
    ];
    let mut texts: Vec<(String, String)> = flat
        .iter()
        .map(|name| {
            let packed = corpus.join(format!("capacity/nab/{name}.csv.gz"));
            let unpacked = Command::new("gzip").arg("-dc").arg(&packed).output().expect("gzip runs");
            assert!(unpacked.status.success(), "{}", packed.display());
            ((*name).to_owned(), String::from_utf8(unpacked.stdout).unwrap())
        })
        .collect();
    texts.push(("elec_equip".to_owned(), fs::read_to_string(corpus.join("capacity/statsmodels_elec_equip.csv")).unwrap()));
    for (name, text) in texts {
        let values: Vec<f64> = text.lines().skip(1).filter_map(|line| line.rsplit(',').next()?.parse().ok()).collect();
        assert!(values.len() > 100, "{name} was read");
        // Its values spread over the history, as a query would give them.
        let last = values.len() - 1;
        let (now, history) = (Time(1_767_603_600_000), Span::days(28));
        let steps = history.0 / forecast::step(history).0;
        let points: Vec<(Time, f64)> = (0..=steps)
            .map(|at| {
                (
                    Time(now.0 - history.0 + at * forecast::step(history).0),
                    values[usize::try_from(at).unwrap() * last / usize::try_from(steps).unwrap()],
                )
            })
            .collect();
        let limit = values.iter().copied().fold(f64::MIN, f64::max) * 1.5;
        let Trend::Line { line } = fit(&points, Window { now, history, side: Side::Above }) else { panic!("{name}: no line") };
        match line.reaches(limit, Side::Above, now, history) {
            Reach::Never => {}
            Reach::At(at) if at >= now + history => {}
            found @ (Reach::At(_) | Reach::Across) => panic!("{name} would be at {limit}: {found:?}"),
        }
    }
}
