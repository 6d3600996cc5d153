//! The recorded day: what the shop's monitoring said, and what its people did, from midnight to mid-morning.

use jiff::civil;
use jiff::tz::TimeZone;
use watchkeeper_engine::event::Action;
use watchkeeper_engine::input::AlertInput;
use watchkeeper_engine::model::silence::StoredMatcher;
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::Severity;

use super::screen::Screen;
use super::stage::{News, Stage};
use crate::app::Failure;

const ZONE: &str = "Europe/Berlin";
/// The day's first and last hour, for the bar.
const HOURS: std::ops::RangeInclusive<i64> = 0..=10;

/// One thing of the day.
struct Moment {
    hour: i8,
    minute: i8,
    second: i8,
    /// What is said of it; nothing where it is empty.
    say: &'static str,
    what: What,
}

enum What {
    /// An alert fires.
    Fires(&'static str, Severity, &'static str, &'static str),
    /// It is over.
    Over(&'static str, &'static str),
    /// Some of the hosts behind sw-1 stop answering, one after the other: from which to which of a hundred of them.
    HostsFire(usize, usize),
    /// All of them answer again.
    HostsOver,
    /// Somebody does something to the incident of an item.
    Does(&'static str, &'static str, Does),
    /// Somebody silences alerts of a name on an item.
    Silences(&'static str, &'static str, &'static str, Span),
    /// Prometheus answers a capacity rule with the fill of a disk, in percent by days.
    Measured(&'static str, &'static str, &'static [(i64, f64)]),
    /// Nothing; the day goes on until then.
    Passes,
}

enum Does {
    Acknowledges,
    Writes(&'static str),
}

const fn moment(hour: i8, minute: i8, second: i8, say: &'static str, what: What) -> Moment {
    Moment { hour, minute, second, say, what }
}

use Does::{Acknowledges, Writes};
use Severity::{Critical, Error, Unknown, Warning};
use What::{Does as Do, Fires, HostsFire, HostsOver, Measured, Over, Passes, Silences};

const DAY: &[Moment] = &[
    moment(
        0,
        0,
        5,
        "Prometheus reports that it lives: a watchdog is recorded, nobody is notified",
        Fires("Watchdog", Unknown, "", "an alert that always fires"),
    ),
    moment(0, 20, 0, "the disk of log-1 is full", Fires("FilesystemFull", Error, "log-1:9100", "/var/log 98 % full")),
    moment(0, 35, 0, "bert cleans it up, and sleeps on", Over("FilesystemFull", "log-1:9100")),
    moment(
        1,
        15,
        0,
        "the backup is loud, as every night: the rule's silence nightly-backup holds",
        Fires("HighLoad", Warning, "backup-1:9100", "load 41 on 8 cores"),
    ),
    moment(
        2,
        10,
        0,
        "a disk of db-1 fills slowly: nobody is woken for that",
        Fires("FilesystemFilling", Warning, "db-1:9100", "/var full in 6 days"),
    ),
    moment(2, 40, 0, "the backup is done", Over("HighLoad", "backup-1:9100")),
    moment(
        3,
        2,
        0,
        "hosts stop answering, 24 of 40 before anybody says why: each has its incident, and for 30 s nobody is notified",
        HostsFire(0, 60),
    ),
    moment(
        3,
        2,
        12,
        "the switch that they hang from does not answer either",
        Fires("DeviceDown", Critical, "sw-1", "ICMP to 10.0.0.11 lost"),
    ),
    moment(
        3,
        2,
        30,
        "and the rest of the hosts: the switch explains all forty, so their incidents, 3 to 42, become part of its own",
        HostsFire(60, 100),
    ),
    moment(3, 6, 0, "anna, on call for the network, has it", Do("anna", "sw-1", Acknowledges)),
    moment(3, 25, 0, "and writes down what she did", Do("anna", "sw-1", Writes("PSU 1 is dead, power-cycled it through the PDU"))),
    moment(3, 41, 0, "the switch answers", Over("DeviceDown", "sw-1")),
    moment(3, 41, 40, "and so do all hosts", HostsOver),
    moment(
        4,
        20,
        0,
        "sw-1 again, 33 minutes after it was resolved: its rule reopens within an hour",
        Fires("DeviceDown", Critical, "sw-1", "ICMP to 10.0.0.11 lost"),
    ),
    moment(4, 35, 0, "it answers", Over("DeviceDown", "sw-1")),
    moment(5, 10, 0, "the disk of log-1 is full again", Fires("FilesystemFull", Error, "log-1:9100", "/var/log 98 % full")),
    moment(5, 20, 0, "it is cleaned up again", Over("FilesystemFull", "log-1:9100")),
    moment(
        6,
        30,
        0,
        "sw-1 a third time, nearly two hours later: another incident, which knows the one before",
        Fires("DeviceDown", Critical, "sw-1", "ICMP to 10.0.0.11 lost"),
    ),
    moment(6, 48, 0, "it answers", Over("DeviceDown", "sw-1")),
    moment(
        7,
        10,
        0,
        "a host that is in no CMDB: people are notified, and it stands on the list of what matches nothing",
        Fires("HostDown", Critical, "test-17:9100", "no scrape for 3 minutes"),
    ),
    moment(7, 30, 0, "test-17 answers", Over("HostDown", "test-17:9100")),
    moment(7, 59, 59, "eight in the morning: what could wait is one mail", Passes),
    moment(
        9,
        15,
        0,
        "bert swaps the disk of log-1 and silences it for half an hour",
        Silences("bert", "DiskFailing", "log-1:9100", Span::minutes(30)),
    ),
    moment(
        9,
        20,
        0,
        "the disk alarm comes, and nobody hears of it",
        Fires("DiskFailing", Error, "log-1:9100", "sda: 14 reallocated sectors"),
    ),
    moment(
        9,
        30,
        0,
        "the disk of log-1 is full for the third time: that is a problem, not three incidents",
        Fires("FilesystemFull", Error, "log-1:9100", "/var/log 98 % full"),
    ),
    moment(9, 40, 0, "it is cleaned up once more", Over("FilesystemFull", "log-1:9100")),
    moment(
        9,
        42,
        0,
        "and what Prometheus knows of the disk of db-1 says when that will be full",
        Measured("filesystem-full", "db-1:9100", &[(-28, 61.0), (0, 84.0)]),
    ),
    moment(9, 45, 0, "the silence is over and the alarm is not: now it is judged", Passes),
    moment(9, 55, 0, "the disk is swapped", Over("DiskFailing", "log-1:9100")),
    moment(10, 5, 0, "", Passes),
];

/// When the day begins.
pub(super) fn begin() -> Time {
    at(0, 0, 0)
}

/// Plays the day.
///
/// # Errors
/// The store failed.
pub(super) fn play(stage: &mut Stage, screen: &mut Screen) -> Result<(), Failure> {
    let mut done = 0.0;
    for moment in DAY {
        let when = at(moment.hour, moment.minute, moment.second);
        for news in stage.run_until(when)? {
            tell(screen, &news);
        }
        let before = std::mem::replace(&mut done, share(when));
        screen.progress(local(when), before, done);
        if !moment.say.is_empty() {
            screen.moment(local(when), moment.say);
        }
        happen(stage, &moment.what, when)?;
        for news in stage.news()? {
            tell(screen, &news);
        }
    }
    Ok(())
}

fn happen(stage: &mut Stage, what: &What, when: Time) -> Result<(), Failure> {
    match what {
        Fires(name, severity, instance, summary) => stage.hear(vec![fires(name, *severity, instance, summary, when)]),
        Over(name, instance) => stage.hear(vec![over(name, instance, when)]),
        HostsFire(from, to) => {
            let hosts = stage.hosts_behind("sw-1");
            let part = hosts.len() * from / 100..hosts.len() * to / 100;
            let fire = |host: &String| fires("HostDown", Critical, &format!("{host}:9100"), "no scrape for 3 minutes", when);
            stage.hear(hosts[part].iter().map(fire).collect())
        }
        HostsOver => {
            let hosts = stage.hosts_behind("sw-1");
            stage.hear(hosts.iter().map(|host| over("HostDown", &format!("{host}:9100"), when)).collect())
        }
        Do(who, item, does) => {
            let Some(id) = stage
                .incidents()?
                .iter()
                .rev()
                .find(|incident| incident.item == *item && incident.parent.is_none())
                .map(|incident| incident.id)
            else {
                return Ok(());
            };
            let action = match does {
                Acknowledges => Action::Acknowledge { id },
                Writes(text) => Action::Note { id, text: (*text).to_owned() },
            };
            stage.command(who, action)
        }
        Silences(who, name, instance, length) => {
            let matcher =
                |name: &str, value: &str| StoredMatcher { name: name.to_owned(), value: value.to_owned(), is_regex: false, is_equal: true };
            let action = Action::SetSilence {
                id: None,
                matchers: vec![matcher("alertname", name), matcher("instance", instance)],
                starts_at: when,
                ends_at: when + *length,
                comment: "disk swap".to_owned(),
                annotations: Labels::default(),
            };
            stage.command(who, action)
        }
        Measured(rule, instance, knots) => stage.measure(rule, instance, knots),
        Passes => Ok(()),
    }
}

pub(super) fn tell(screen: &mut Screen, news: &News) {
    match news {
        News::Incident { at, id, what } => screen.answer(local(*at), "incident", &format!("{id} {what}")),
        News::Mail { at, told } => screen.answer(local(*at), "mail", &format!("{} to {}: {}", told.reason, told.to, told.subject)),
    }
}

fn fires(name: &str, severity: Severity, instance: &str, summary: &str, now: Time) -> AlertInput {
    let annotations = Labels::new([("summary".to_owned(), summary.to_owned())]);
    AlertInput {
        severity,
        summary: summary.to_owned(),
        annotations,
        starts_at: Some(now),
        ends_at: Some(Time::NEVER),
        ..named(name, instance)
    }
}

fn over(name: &str, instance: &str, now: Time) -> AlertInput {
    AlertInput { ends_at: Some(now), resolved: true, ..named(name, instance) }
}

fn named(name: &str, instance: &str) -> AlertInput {
    let pairs = [("alertname", name), ("instance", instance)].into_iter().filter(|(_, value)| !value.is_empty());
    let labels = Labels::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    AlertInput { labels, ..AlertInput::named("prometheus", name) }
}

/// A Tuesday in spring, a few days before the clocks change.
fn at(hour: i8, minute: i8, second: i8) -> Time {
    let local = civil::date(2026, 3, 24).at(hour, minute, second, 0);
    let zoned = local.in_tz(ZONE).expect("the zone is built in, and no clock changes that day");
    Time(zoned.timestamp().as_millisecond())
}

pub(super) fn local(at: Time) -> civil::DateTime {
    at.in_zone(&TimeZone::get(ZONE).expect("the zone is built in"))
}

fn share(when: Time) -> f64 {
    let length = Span::hours(HOURS.end() - HOURS.start());
    (when - begin()).0 as f64 / length.0 as f64
}
