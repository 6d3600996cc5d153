//! Measures a daemon over real HTTP, on this machine, with the daemon and the senders on the same cores: the figures of README.md.
//!
//! Every figure is the median of its rounds. Beside the commit stands what this disk takes for the same work without a database,
//! because a figure of another machine says nothing.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

mod disk;
mod fleet;
mod histogram;

use std::time::{Duration, Instant};

use clap::Parser;
use watchkeeper_harness::daemon::{Daemon, Place};

use fleet::{Fleet, median};

/// Measures a daemon over HTTP.
#[derive(Parser)]
struct Arguments {
    /// The daemon's binary: a release build.
    #[arg(long)]
    daemon: String,
    /// Active alerts.
    #[arg(long, default_value_t = 100_000)]
    alerts: usize,
    /// Hosts that they are spread over; each is an item of the CMDB and becomes one incident.
    #[arg(long, default_value_t = 1_000)]
    hosts: usize,
    /// Alerts in one body.
    #[arg(long, default_value_t = 50)]
    batch: usize,
    /// Connections at once.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Rounds of what can be repeated.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// Seconds of the runs that send one alert a request.
const SINGLE: Duration = Duration::from_secs(5);
/// Requests a second of the run that measures latency: far from saturation.
const PACED_PER_SECOND: u32 = 200;

fn main() {
    let arguments = Arguments::parse();
    let fleet = Fleet::new(arguments.alerts, arguments.hosts, arguments.batch);
    println!(
        "{} alerts on {} hosts, {} a body, {} connections\n",
        arguments.alerts, arguments.hosts, arguments.batch, arguments.connections
    );

    let place = Place::new(&arguments.daemon, "[log]\nlevel = \"warn\"\n");
    place.write("cmdb/hosts.yaml", &fleet.cmdb());
    place.init();
    let daemon = place.start();
    let empty = daemon.memory();

    let began = Instant::now();
    fleet.send_all(place.address(), arguments.connections);
    row("new alerts", &per_second(arguments.alerts, began.elapsed()), "");
    let rounds = (0..arguments.rounds).map(|_| {
        let began = Instant::now();
        fleet.send_all(place.address(), arguments.connections);
        per_second_number(arguments.alerts, began.elapsed())
    });
    let repeats = median(rounds.collect());
    row("repeats", &format!("{repeats:.0}/s"), "");
    let single: Vec<f64> = (0..arguments.rounds).map(|_| fleet.send_singly(place.address(), arguments.connections * 4, SINGLE)).collect();
    row("repeats, one a request", &format!("{:.0}/s", median(single)), &format!("{} connections", arguments.connections * 4));

    latency(&daemon, &place, &fleet, arguments.rounds);
    let held = daemon.memory();
    let each = held.saturating_sub(empty) / arguments.alerts as u64;
    row(
        "memory",
        &format!("{} MB", held / 1_000_000),
        &format!("{each} bytes an alert beyond the {} MB of an empty daemon", empty / 1_000_000),
    );
    starts(&place, daemon, arguments.rounds);
}

/// Commits as the daemon counts them and answers as a sender sees them, while little is sent.
fn latency(daemon: &Daemon, place: &Place, fleet: &Fleet, rounds: usize) {
    let before = histogram::read(&daemon.get("/metrics").text(), "watchkeeper_commit_seconds");
    let (middle, worst): (Vec<f64>, Vec<f64>) = (0..rounds).map(|_| fleet.send_paced(place.address(), PACED_PER_SECOND, SINGLE)).unzip();
    let (middle, worst) = (median(middle), median(worst));
    let commits = histogram::read(&daemon.get("/metrics").text(), "watchkeeper_commit_seconds").since(&before);
    let sync = disk::sync_seconds(&place.path("sync-trial"));
    let commit = commits.mean();
    row("commit", &format!("{:.2} ms", commit * 1e3), &format!("mean of {} at {PACED_PER_SECOND} requests a second", commits.count()));
    row(
        "  of this disk",
        &format!("{:.2} ms", sync * 1e3),
        &format!("median append of 4 KiB and fdatasync; a commit is {:.1} of them", commit / sync),
    );
    row(
        "answer",
        &format!("{:.2} ms", middle * 1e3),
        &format!("median; 99 of 100 within {:.2} ms, from sending to 2xx, on disk", worst * 1e3),
    );
}

/// Starts with everything loaded: after a kill, and after a clean stop.
fn starts(place: &Place, mut daemon: Daemon, rounds: usize) {
    let mut killed = Vec::new();
    let mut stopped = Vec::new();
    for _ in 0..rounds {
        daemon.kill();
        let began = Instant::now();
        daemon = place.start();
        killed.push(began.elapsed().as_secs_f64());
        assert!(daemon.stop().success());
        let began = Instant::now();
        daemon = place.start();
        stopped.push(began.elapsed().as_secs_f64());
    }
    row("start after kill -9", &format!("{:.2} s", median(killed)), "until it is ready");
    row("start after a stop", &format!("{:.2} s", median(stopped)), "");
}

fn row(what: &str, figure: &str, beside: &str) {
    println!("{what:<26} {figure:>14}   {beside}");
}

fn per_second(count: usize, took: Duration) -> String {
    format!("{:.0}/s", per_second_number(count, took))
}

fn per_second_number(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
