//! What is seen from outside: log lines and counters of business facts, written here and nowhere else, from what was committed.
//!
//! No mail bodies, tokens or alert payloads; alert text in a log line stands on one line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use tracing::{debug, info, warn};
use tracing_subscriber::EnvFilter;
use watchkeeper_engine::block::Block;
use watchkeeper_engine::event::World;
use watchkeeper_engine::fact::Fact;
use watchkeeper_engine::ids::{AlertId, IncidentId, MessageId, ProblemId};
use watchkeeper_engine::model::incident::clock::{BREACH, Reached};
use watchkeeper_engine::model::message::MessageState;
use watchkeeper_engine::model::{alert, capacity, digest, incident, job, message, problem, silence, system, terms};
use watchkeeper_engine::state::State;
use watchkeeper_engine::state::rows::Row;
use watchkeeper_engine::text::one_line;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::{AlertState, IncidentState, Priority, ProblemState, SlaTarget};

use crate::config::{Log, LogFormat};

/// Bounds of latencies: from a commit on a quiet disk to one that hangs.
const SECONDS: &[f64] = &[0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 2.5, 5.0, 10.0];
/// Bounds of events in a batch.
const EVENTS: &[f64] = &[1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 8_192.0];
/// Where in an alert a door or the engine found what it refused: the only values of the label `reason`.
const REASONS: &[&str] = &["labels", "endsAt", "startsAt", "name", "key", "source", "realm", "store", "alert"];

/// Starts the log of this process: to standard error, from `level` on, `RUST_LOG` before it. A second call changes nothing.
pub fn start_log(log: &Log) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("warn,watchkeeper={}", log.level)));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // Where a log was started before, as in tests, that one stays.
    match log.format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init().ok(),
        LogFormat::Json => builder.json().flatten_event(true).try_init().ok(),
    };
}

/// Every metric of the daemon. Labels come from closed sets: configured sources, rule names, words.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Alerts that came in, by source.
    pub events_received: IntCounterVec,
    /// Of those, taken.
    pub events_accepted: IntCounterVec,
    /// Of those, refused, by source and where in the alert.
    pub events_rejected: IntCounterVec,
    /// Live alerts by state.
    pub alerts_active: IntGaugeVec,
    /// Incidents that are open or resolved, by priority and state; children do not count.
    pub incidents_open: IntGaugeVec,
    /// Problems that are not closed, by state.
    pub problems_open: IntGaugeVec,
    /// Seconds of a commit.
    pub commit_seconds: Histogram,
    /// Seconds from a submission to its answer, by nothing: what a sender waits.
    pub acknowledgement_seconds: Histogram,
    /// Events of a batch.
    pub batch_events: Histogram,
    /// Bytes of blocks written, before compression.
    pub block_bytes: IntCounter,
    /// Promises of SLAs of open incidents, by state: `at_risk` (a warning was given), `breached`.
    pub sla_clocks: IntGaugeVec,
    /// Shares of promises' time that were used up, by target and outcome: `warned`, `breached`.
    pub sla_reached: IntCounterVec,
    /// Questions of capacity rules by outcome: `answered`, `failed`.
    pub capacity_queries: IntCounterVec,
    /// What timers of SLA clocks missed and a sweep found; anything but 0 is a defect of this program.
    pub sla_missed: IntCounter,
    /// Messages that are not done, by state.
    pub outbox_messages: IntGaugeVec,
    /// When the oldest message that is not done was planned, seconds since 1970; 0 where there is none.
    pub outbox_oldest: IntGauge,
    /// Mails by outcome: `delivered`, `failed`, `dead`, `fallback`.
    pub mails: IntCounterVec,
    /// Correlate rules that matched.
    pub rule_matches: IntCounterVec,
    /// Values that match no item and have active alerts.
    pub unmatched_values: IntGauge,
    /// Items of the CMDB.
    pub cmdb_items: IntGauge,
    /// The CMDB's version.
    pub cmdb_version: IntGauge,
    /// 1 with the policy's content hash as label.
    pub policy_info: IntGaugeVec,
    /// When the policy in force was loaded, seconds since 1970.
    pub policy_loaded: IntGauge,
    /// Whether the last reload succeeded.
    pub reload_success: IntGauge,
    /// Reloads by outcome: `adopted`, `unchanged`, `refused`.
    pub reloads: IntCounterVec,
    /// Dead letters that are kept.
    pub dead_letters: IntGauge,
    /// Dead letters that went for want of room.
    pub dead_letters_dropped: IntCounter,
    /// The offset after the last record that was taken of each Kafka partition.
    pub kafka_position: IntGaugeVec,
    /// Records of each Kafka partition that are not taken yet.
    pub kafka_lag: IntGaugeVec,
    /// Kafka records that were read.
    pub kafka_records: IntCounterVec,
    /// Of those, not taken or not wholly: kept as dead letters.
    pub kafka_rejected: IntCounterVec,
    /// Imports by outcome.
    pub imports: IntCounterVec,
    /// Bytes of the store's file.
    pub store_bytes: IntGauge,
    /// HTTP requests by kind of path and status class; counted by the doors.
    pub http_requests: IntCounterVec,
    /// Seconds of HTTP requests by kind of path.
    pub http_seconds: HistogramVec,
}

impl Metrics {
    /// All metrics at zero, with those of the process.
    pub fn new() -> Metrics {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| register(&registry, IntCounter::new(name, help));
        let gauge = |name: &str, help: &str| register(&registry, IntGauge::new(name, help));
        let counters = |name: &str, help: &str, labels: &[&str]| register(&registry, IntCounterVec::new(Opts::new(name, help), labels));
        let gauges = |name: &str, help: &str, labels: &[&str]| register(&registry, IntGaugeVec::new(Opts::new(name, help), labels));
        let histogram = |name: &str, help: &str, bounds: &[f64]| {
            register(&registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(bounds.to_vec())))
        };
        let seconds = HistogramOpts::new("watchkeeper_http_request_seconds", "Seconds of HTTP requests.").buckets(SECONDS.to_vec());
        let build = gauges("watchkeeper_build_info", "1, with the version as label.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let metrics = Metrics {
            events_received: counters("watchkeeper_events_received_total", "Alerts that came in.", &["source"]),
            events_accepted: counters("watchkeeper_events_accepted_total", "Alerts that were taken.", &["source"]),
            events_rejected: counters("watchkeeper_events_rejected_total", "Alerts that were refused.", &["source", "reason"]),
            alerts_active: gauges("watchkeeper_alerts_active", "Live alerts.", &["state"]),
            incidents_open: gauges("watchkeeper_incidents_open", "Incidents that are not closed.", &["priority", "state"]),
            problems_open: gauges("watchkeeper_problems_open", "Problems that are not closed.", &["state"]),
            commit_seconds: histogram("watchkeeper_commit_seconds", "Seconds of a commit.", SECONDS),
            acknowledgement_seconds: histogram("watchkeeper_acknowledgement_seconds", "Seconds from submission to answer.", SECONDS),
            batch_events: histogram("watchkeeper_batch_events", "Events of a batch.", EVENTS),
            block_bytes: counter("watchkeeper_block_bytes_total", "Bytes of blocks, before compression."),
            sla_clocks: gauges("watchkeeper_sla_clocks", "Promises of SLAs of open incidents.", &["state"]),
            sla_reached: counters("watchkeeper_sla_thresholds_total", "Shares of promises' time used up.", &["target", "outcome"]),
            capacity_queries: counters("watchkeeper_capacity_queries_total", "Questions of capacity rules by outcome.", &["outcome"]),
            sla_missed: counter("watchkeeper_sla_missed_total", "What timers of SLA clocks missed and a sweep found."),
            outbox_messages: gauges("watchkeeper_outbox_messages", "Messages that are not done.", &["state"]),
            outbox_oldest: gauge("watchkeeper_outbox_oldest_timestamp_seconds", "When the oldest unfinished message was planned."),
            mails: counters("watchkeeper_mails_total", "Mails by outcome.", &["outcome"]),
            rule_matches: counters("watchkeeper_rule_matches_total", "Alerts that a correlate rule matched.", &["rule"]),
            unmatched_values: gauge("watchkeeper_unmatched_values", "Values that match no item and have active alerts."),
            cmdb_items: gauge("watchkeeper_cmdb_items", "Items of the CMDB."),
            cmdb_version: gauge("watchkeeper_cmdb_version", "The CMDB's version."),
            policy_info: gauges("watchkeeper_policy_info", "1, with the policy's content hash as label.", &["policy"]),
            policy_loaded: gauge("watchkeeper_policy_loaded_timestamp_seconds", "When the policy in force was loaded."),
            reload_success: gauge("watchkeeper_reload_last_success", "Whether the last reload succeeded."),
            reloads: counters("watchkeeper_reloads_total", "Reloads by outcome.", &["outcome"]),
            dead_letters: gauge("watchkeeper_dead_letters", "Inputs that were refused or set aside and are kept."),
            dead_letters_dropped: counter("watchkeeper_dead_letters_dropped_total", "Dead letters that went because there were too many."),
            kafka_position: gauges(
                "watchkeeper_kafka_position_offset",
                "The offset after the last record that was taken of a partition.",
                &["topic", "partition"],
            ),
            kafka_lag: gauges("watchkeeper_kafka_lag_records", "Records of a partition that are not taken yet.", &["topic", "partition"]),
            kafka_records: counters("watchkeeper_kafka_records_total", "Kafka records that were read.", &["topic"]),
            kafka_rejected: counters("watchkeeper_kafka_records_rejected_total", "Kafka records that became dead letters.", &["topic"]),
            imports: counters("watchkeeper_cmdb_imports_total", "Imports of CMDB rows over the API by outcome.", &["outcome"]),
            store_bytes: gauge("watchkeeper_store_bytes", "Bytes of the store's file."),
            http_requests: counters("watchkeeper_http_requests_total", "HTTP requests.", &["path", "status"]),
            http_seconds: register(&registry, HistogramVec::new(seconds, &["path"])),
            registry: with_process(registry),
        };
        metrics.at_zero();
        metrics
    }

    /// Every outcome is there from the start, at zero: `increase` sees a first one only where there was something before it.
    fn at_zero(&self) {
        let outcomes: [(&IntCounterVec, &[&str]); 3] = [
            (&self.mails, &["delivered", "failed", "dead", "fallback"]),
            (&self.reloads, &["adopted", "unchanged", "refused"]),
            (&self.imports, &["adopted", "unchanged", "refused"]),
        ];
        for (counters, outcomes) in outcomes {
            outcomes.iter().for_each(|outcome| counters.with_label_values(&[*outcome]).inc_by(0));
        }
        for target in SlaTarget::ALL {
            ["warned", "breached"].iter().for_each(|outcome| self.sla_reached.with_label_values(&[target.word(), *outcome]).inc_by(0));
        }
    }

    /// Prometheus' text format.
    pub fn text(&self) -> String {
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out).expect("a vector takes all");
        String::from_utf8(out).expect("the text format is UTF-8")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

fn register<T: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<T>) -> T {
    let metric = metric.expect("the name and labels of a metric are constants");
    registry.register(Box::new(metric.clone())).expect("each metric is registered once");
    metric
}

fn with_process(registry: Registry) -> Registry {
    let process = prometheus::process_collector::ProcessCollector::for_self();
    registry.register(Box::new(process)).expect("the process is registered once");
    registry
}

/// A batch that is on disk.
pub struct Committed<'a> {
    /// Its block.
    pub block: &'a Block,
    /// The rows it touched.
    pub touched: &'a BTreeSet<Row>,
    /// Alerts that came in, by source.
    pub received: &'a BTreeMap<String, u64>,
    /// How long each who is answered has waited.
    pub waited: Vec<Duration>,
    /// Its events.
    pub events: usize,
    /// Bytes of its block.
    pub block_bytes: usize,
    /// Dead letters that are kept.
    pub letters: usize,
    /// Dead letters that went for want of room.
    pub letters_dropped: u64,
    /// How long it took to write.
    pub took: Duration,
    /// State after it.
    pub state: &'a State,
    /// The World in force after it.
    pub world: &'a World,
}

/// Turns committed batches into log lines, counters and gauges.
#[derive(Debug)]
pub struct Telemetry {
    metrics: Arc<Metrics>,
    alerts: BTreeMap<AlertId, AlertState>,
    incidents: BTreeMap<IncidentId, (Priority, IncidentState)>,
    problems: BTreeMap<ProblemId, ProblemState>,
    /// Promises at risk and broken, of each incident that has clocks.
    clocks: BTreeMap<IncidentId, (i64, i64)>,
    messages: BTreeMap<MessageId, (MessageState, Time)>,
}

impl Telemetry {
    /// Begins with what a start has loaded.
    pub fn new(metrics: Arc<Metrics>, state: &State) -> Telemetry {
        let mut telemetry = Telemetry {
            metrics,
            alerts: BTreeMap::new(),
            incidents: BTreeMap::new(),
            problems: BTreeMap::new(),
            clocks: BTreeMap::new(),
            messages: BTreeMap::new(),
        };
        for cell in state.alerts() {
            telemetry.gauge_alert(state, cell.alert.id);
        }
        for id in state.incidents.keys() {
            telemetry.gauge_incident(state, *id);
            telemetry.gauge_clocks(state, *id);
        }
        for id in state.problems.keys() {
            telemetry.gauge_problem(state, *id);
        }
        for id in state.messages.keys() {
            telemetry.gauge_message(state, *id);
        }
        telemetry.gauge_outbox(state);
        telemetry
    }

    /// A batch is on disk.
    pub fn committed(&mut self, batch: &Committed<'_>) {
        self.time(batch);
        let mut rejected: BTreeMap<&str, u64> = BTreeMap::new();
        for fact in batch.block.entries.iter().flat_map(|entry| &entry.facts) {
            self.count(fact);
            log(fact, batch);
            if let Fact::Alert(alert::Fact::Rejected { source, .. }) = fact {
                *rejected.entry(source).or_default() += 1;
            }
        }
        for (source, received) in batch.received {
            self.metrics.events_received.with_label_values(&[source]).inc_by(*received);
            let refused = rejected.get(source.as_str()).copied().unwrap_or(0);
            self.metrics.events_accepted.with_label_values(&[source]).inc_by(received.saturating_sub(refused));
        }
        self.gauges(batch);
    }

    fn time(&self, batch: &Committed<'_>) {
        self.metrics.commit_seconds.observe(batch.took.as_secs_f64());
        self.metrics.batch_events.observe(batch.events as f64);
        self.metrics.block_bytes.inc_by(batch.block_bytes as u64);
        self.metrics.dead_letters.set(count(batch.letters));
        self.metrics.dead_letters_dropped.inc_by(batch.letters_dropped);
        for waited in &batch.waited {
            self.metrics.acknowledgement_seconds.observe(waited.as_secs_f64());
        }
    }

    fn count(&self, fact: &Fact) {
        let metrics = &self.metrics;
        match fact {
            Fact::Alert(alert::Fact::Rejected { source, refused }) => {
                let reason = REASONS.iter().find(|reason| refused.place.starts_with(**reason)).copied().unwrap_or("other");
                metrics.events_rejected.with_label_values(&[source.as_str(), reason]).inc();
            }
            Fact::Alert(alert::Fact::Matched { rule, .. }) => metrics.rule_matches.with_label_values(&[rule.as_str()]).inc(),
            Fact::Message(message::Fact::Rendered { fallback, .. }) if !fallback.is_empty() => {
                metrics.mails.with_label_values(&["fallback"]).inc();
            }
            Fact::Message(message::Fact::Delivered { .. }) => metrics.mails.with_label_values(&["delivered"]).inc(),
            Fact::Message(message::Fact::Failed { retry_at, .. }) => {
                let outcome = if retry_at.is_some() { "failed" } else { "dead" };
                metrics.mails.with_label_values(&[outcome]).inc();
            }
            Fact::Incident(incident::Fact::ClockReached { reached, .. }) => {
                for one in reached {
                    let what = if one.percent >= BREACH { "breached" } else { "warned" };
                    metrics.sla_reached.with_label_values(&[one.target.word(), what]).inc();
                }
            }
            Fact::Capacity(capacity::Fact::Answered { .. }) => metrics.capacity_queries.with_label_values(&["answered"]).inc(),
            Fact::Capacity(capacity::Fact::Unanswered { .. }) => metrics.capacity_queries.with_label_values(&["failed"]).inc(),
            Fact::Incident(incident::Fact::ClockMissed { .. }) => metrics.sla_missed.inc(),
            Fact::Alert(_)
            | Fact::Incident(_)
            | Fact::Message(_)
            | Fact::Silence(_)
            | Fact::Digest(_)
            | Fact::System(_)
            | Fact::Job(_)
            | Fact::Capacity(_)
            | Fact::Terms(_)
            | Fact::Problem(_) => {}
        }
    }

    fn gauges(&mut self, batch: &Committed<'_>) {
        let (mut mail_moved, mut alert_moved) = (false, false);
        for row in batch.touched {
            match row {
                Row::Alert(id) => {
                    self.gauge_alert(batch.state, *id);
                    alert_moved = true;
                }
                Row::Incident(id) => {
                    self.gauge_incident(batch.state, *id);
                    self.gauge_clocks(batch.state, *id);
                }
                Row::Problem(id) => self.gauge_problem(batch.state, *id),
                Row::Message(id) => {
                    self.gauge_message(batch.state, *id);
                    mail_moved = true;
                }
                Row::Counters
                | Row::Source(_)
                | Row::Member(..)
                | Row::Timeline(..)
                | Row::Silence(_)
                | Row::Digest(..)
                | Row::Job(..)
                | Row::Aside(..)
                | Row::Terms(_)
                | Row::Check(_)
                | Row::Forecast(..)
                | Row::PastProblem(_)
                | Row::Series(_)
                | Row::ProblemTimeline(..)
                | Row::PastAlert(_)
                | Row::PastIncident(_)
                | Row::PastMessage(_)
                | Row::PastSilence(_) => {}
            }
        }
        if mail_moved {
            self.gauge_outbox(batch.state);
        }
        // A repeat touches no row, and changes none of this.
        if alert_moved {
            self.metrics.unmatched_values.set(count(batch.state.unknown_items().count()));
        }
    }

    fn gauge_alert(&mut self, state: &State, id: AlertId) {
        let now = state.cell(id).map(|cell| cell.alert.state);
        let gauge = &self.metrics.alerts_active;
        moved(&mut self.alerts, id, now, |state, by| gauge.with_label_values(&[state.word()]).add(by));
    }

    fn gauge_incident(&mut self, state: &State, id: IncidentId) {
        let now = state.incidents.get(&id).filter(|incident| incident.parent.is_none()).map(|incident| (incident.priority, incident.state));
        let gauge = &self.metrics.incidents_open;
        moved(&mut self.incidents, id, now, |(priority, state), by| gauge.with_label_values(&[priority.word(), state.word()]).add(by));
    }

    fn gauge_problem(&mut self, state: &State, id: ProblemId) {
        let now = state.problems.get(&id).map(|problem| problem.state);
        let gauge = &self.metrics.problems_open;
        moved(&mut self.problems, id, now, |state, by| gauge.with_label_values(&[state.word()]).add(by));
    }

    fn gauge_clocks(&mut self, state: &State, id: IncidentId) {
        let open = state.incidents.get(&id).filter(|incident| incident.is_open() && !incident.clocks.is_empty());
        let now = open.map(|incident| {
            let mut counts = (0, 0);
            for promise in incident.promises(&state.terms, state.counters.last_now).iter().filter(|promise| promise.is_open()) {
                let said = |percent| promise.clock.has_reached(promise.target, promise.run.period, percent);
                if said(BREACH) {
                    counts.1 += 1;
                } else if promise.terms.record.warn_at.iter().any(|percent| said(*percent)) {
                    counts.0 += 1;
                }
            }
            counts
        });
        let gauge = &self.metrics.sla_clocks;
        moved(&mut self.clocks, id, now, |(at_risk, breached), by| {
            gauge.with_label_values(&["at_risk"]).add(at_risk * by);
            gauge.with_label_values(&["breached"]).add(breached * by);
        });
    }

    fn gauge_message(&mut self, state: &State, id: MessageId) {
        let now = state.messages.get(&id).filter(|message| !message.is_done()).map(|message| (message.state, message.planned_at));
        let gauge = &self.metrics.outbox_messages;
        moved(&mut self.messages, id, now, |(state, _), by| gauge.with_label_values(&[state.word()]).add(by));
    }

    fn gauge_outbox(&self, state: &State) {
        let oldest = state.messages.values().find(|message| !message.is_done()).map_or(0, |message| message.planned_at.0 / 1_000);
        self.metrics.outbox_oldest.set(oldest);
    }
}

/// Moves something from one gauge to another: `add` is told what to take from where and to add where.
fn moved<K: Ord, V: Copy + PartialEq>(known: &mut BTreeMap<K, V>, key: K, now: Option<V>, add: impl Fn(V, i64)) {
    let before = match now {
        Some(now) => known.insert(key, now),
        None => known.remove(&key),
    };
    if before != now {
        if let Some(before) = before {
            add(before, -1);
        }
        if let Some(now) = now {
            add(now, 1);
        }
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn log(fact: &Fact, batch: &Committed<'_>) {
    match fact {
        Fact::Alert(fact) => log_alert(fact),
        Fact::Incident(fact) => log_incident(fact, batch),
        Fact::Message(fact) => log_message(fact),
        Fact::Silence(silence::Fact::Set { silence }) => {
            info!(silence = %silence.id, by = silence.created_by, until = %silence.ends_at, "Silence set.");
        }
        Fact::Silence(silence::Fact::Expired { id, actor }) => info!(silence = %id, by = actor, "Silence expired by hand."),
        Fact::Silence(silence::Fact::Forgotten { id }) => debug!(silence = %id, "Silence forgotten."),
        Fact::Digest(digest::Fact::Folded { address, incident, .. }) => debug!(%incident, to = address, "Incident folded into a digest."),
        Fact::Digest(digest::Fact::Sent { address, .. }) => debug!(to = address, "Digest planned."),
        Fact::System(fact) => log_system(fact),
        Fact::Problem(fact) => log_problem(fact),
        Fact::Terms(terms::Fact::Kept { terms }) => debug!(sla = one_line(&terms.name), "Terms of an SLA are kept."),
        Fact::Job(fact) => log_job(fact),
        Fact::Capacity(fact) => log_capacity(fact),
    }
}

fn log_capacity(fact: &capacity::Fact) {
    match fact {
        capacity::Fact::Asked { rule } => debug!(rule = one_line(rule), "Capacity asked for."),
        capacity::Fact::Answered { rule, left_out: 0, .. } => info!(rule = one_line(rule), "Capacity answered."),
        capacity::Fact::Answered { rule, left_out, .. } => {
            warn!(rule = one_line(rule), left_out, "Capacity answered; series beyond the bounds are left out.");
        }
        capacity::Fact::Unanswered { rule, error } => {
            warn!(
                rule = one_line(rule),
                error = one_line(error),
                "A capacity rule got no answer; its alerts stand, and its schedule asks again."
            );
        }
        capacity::Fact::Made { forecast } => {
            debug!(rule = one_line(&forecast.rule), series = one_line(&forecast.series), fires = forecast.fires, "Forecast made.");
        }
        capacity::Fact::Forgotten { rule, series } => debug!(rule = one_line(rule), series = one_line(series), "Series forgotten."),
        capacity::Fact::Dropped { rule } => debug!(rule = one_line(rule), "Capacity rule dropped."),
    }
}

fn log_job(fact: &job::Fact) {
    match fact {
        job::Fact::Armed { kind, name, schedule, due_at } => {
            debug!(%kind, job = one_line(name), schedule = one_line(schedule), due = %due_at.rfc3339(), "Job armed.");
        }
        job::Fact::Ran { kind, name, run, .. } => {
            info!(
                %kind, job = one_line(name), instants = run.instants, first = %run.first.rfc3339(), last = %run.last.rfc3339(),
                "Job ran."
            );
        }
        job::Fact::Dropped { kind, name } => debug!(%kind, job = one_line(name), "Job dropped."),
    }
}

fn log_alert(fact: &alert::Fact) {
    match fact {
        alert::Fact::Opened { alert, .. } => {
            debug!(alert = %alert.id, name = one_line(&alert.name), severity = %alert.severity, "Alert opened.");
        }
        alert::Fact::Rejected { source, refused } => warn!(source, reason = one_line(&refused.to_string()), "Alert refused."),
        alert::Fact::Cleared { id, because, .. } => debug!(alert = %id, because = one_line(&because.to_string()), "Alert cleared."),
        alert::Fact::Refired { id, .. } => debug!(alert = %id, "Alert fires again."),
        alert::Fact::Judged { id, state, .. } => debug!(alert = %id, %state, "Alert judged."),
        alert::Fact::Seen { .. }
        | alert::Fact::SeverityChanged { .. }
        | alert::Fact::Matched { .. }
        | alert::Fact::SetApart { .. }
        | alert::Fact::RejudgeArmed { .. }
        | alert::Fact::Forgotten { .. }
        | alert::Fact::OverBeforeKnown { .. }
        | alert::Fact::ForgetArmed { .. } => {}
    }
}

fn log_incident(fact: &incident::Fact, batch: &Committed<'_>) {
    let priority = batch.state.incidents.get(&fact.id()).map(|incident| incident.priority.word()).unwrap_or_default();
    match fact {
        incident::Fact::Opened { incident } => info!(
            incident = %incident.id, priority, item = one_line(&incident.item), title = one_line(&incident.title), rule = incident.rule, "Incident opened."
        ),
        incident::Fact::Emptied { id, by } => info!(incident = %id, parent = %by, "Incident became a child."),
        incident::Fact::Rated { id, because, .. } => {
            info!(incident = %id, priority, because = one_line(&because.to_string()), "Incident rated.")
        }
        incident::Fact::Moved { id, to, because } => {
            info!(incident = %id, state = %to, because = one_line(&because.to_string()), "Incident moved.");
        }
        incident::Fact::Assigned { id, to, .. } => info!(incident = %id, to = one_line(to), "Incident assigned."),
        incident::Fact::Held { id, reason, .. } => info!(incident = %id, reason = one_line(reason), "Incident put on hold."),
        incident::Fact::Resolved { id, because, .. } => {
            info!(incident = %id, because = one_line(&because.to_string()), "Incident resolved.")
        }
        incident::Fact::Reopened { id, because, .. } => {
            info!(incident = %id, because = one_line(&because.to_string()), "Incident reopened.")
        }
        incident::Fact::Closed { id, .. } => info!(incident = %id, "Incident closed."),
        incident::Fact::ClockReached { id, name, reached } => log_clock(*id, priority, name, reached),
        incident::Fact::ClockAttached { id, clock } => debug!(incident = %id, sla = one_line(&clock.name), "SLA clock attached."),
        incident::Fact::NobodyTold { id, why } => warn!(incident = %id, why = one_line(why), "Nobody was told."),
        incident::Fact::Attached { .. }
        | incident::Fact::Detached { .. }
        | incident::Fact::GivenBack { .. }
        | incident::Fact::CauseNamed { .. }
        | incident::Fact::Noted { .. }
        | incident::Fact::SourceSaid { .. }
        | incident::Fact::SettleArmed { .. }
        | incident::Fact::NotifyArmed { .. }
        | incident::Fact::Told { .. }
        | incident::Fact::Muted { .. }
        | incident::Fact::Hurts { .. }
        | incident::Fact::ReleaseArmed { .. }
        | incident::Fact::ClockArmed { .. }
        | incident::Fact::Backdated { .. }
        | incident::Fact::Linked { .. } => {}
        incident::Fact::ClockMissed { id, due_at, armed_for } => {
            let armed_for = armed_for.map(Time::rfc3339);
            warn!(incident = %id, priority, due = %due_at.rfc3339(), armed_for, "A sweep found what the timer of SLA clocks missed.");
        }
    }
}

fn log_problem(fact: &problem::Fact) {
    match fact {
        problem::Fact::Opened { problem } => info!(
            problem = %problem.id, rule = problem.key.rule, title = one_line(&problem.title), outages = problem.outage_count, "Problem opened."
        ),
        problem::Fact::Attached { id, outage } => info!(problem = %id, incident = %outage.incident, "Problem came back."),
        problem::Fact::Moved { id, to, .. } => info!(problem = %id, state = %to, "Problem moved."),
        problem::Fact::Assigned { id, to, .. } => info!(problem = %id, to = one_line(to), "Problem assigned."),
        problem::Fact::KnownError { id, .. } => info!(problem = %id, "Problem is a known error."),
        problem::Fact::Resolved { id, .. } => info!(problem = %id, "Problem resolved."),
        problem::Fact::FixFailed { id, incident, .. } => warn!(problem = %id, incident = %incident, "Problem came back after its fix."),
        problem::Fact::Closed { id, because } => info!(problem = %id, because = one_line(&because.to_string()), "Problem closed."),
        problem::Fact::TookOver { id, other } => {
            warn!(problem = %id, other = %other.id, "Two open problems of the same were found after the start; the later one was merged into the earlier.");
        }
        problem::Fact::Merged { id, into } => info!(problem = %id, into = %into, "Problem closed: merged into another."),
        problem::Fact::NobodyTold { id, why } => warn!(problem = %id, why = one_line(why), "Nobody was told of a problem."),
        problem::Fact::Counted { .. } | problem::Fact::Forgotten { .. } | problem::Fact::Noted { .. } | problem::Fact::Told { .. } => {}
    }
}

fn log_clock(id: IncidentId, priority: &str, name: &str, reached: &[Reached]) {
    let Some(last) = reached.last() else { return };
    if last.percent >= BREACH {
        warn!(incident = %id, priority, sla = one_line(name), promise = %last.target, due = %last.at, "SLA breached.");
    } else {
        info!(incident = %id, priority, sla = one_line(name), promise = %last.target, percent = last.percent, "SLA time is running out.");
    }
}

fn log_message(fact: &message::Fact) {
    match fact {
        message::Fact::Planned { message } => {
            info!(message = %message.id, to = message.to, reason = %message.reason, rule = message.notify_rule, "Mail planned.");
        }
        message::Fact::Rendered { id, fallback, .. } if fallback.is_empty() => debug!(message = %id, "Mail rendered."),
        message::Fact::Rendered { id, fallback, .. } => {
            warn!(message = %id, error = one_line(fallback), "A template failed; the mail has the built-in text.");
        }
        message::Fact::Delivered { id } => info!(message = %id, "Mail delivered."),
        message::Fact::Failed { id, error, retry_at: Some(at) } => {
            warn!(message = %id, error = one_line(error), retry_at = %at, "Mail not delivered; it is tried again.");
        }
        message::Fact::Failed { id, error, retry_at: None } => {
            tracing::error!(message = %id, error = one_line(error), "Mail given up.");
        }
        message::Fact::Revived { message } => info!(message = %message.id, "Mail that was given up is tried again."),
        message::Fact::Hurried { id, by, .. } => info!(message = %id, by = one_line(by), "Mail is tried again at once."),
    }
}

fn log_system(fact: &system::Fact) {
    match fact {
        system::Fact::Started { grace } if grace.down_since == Time::default() => info!("Started for the first time."),
        system::Fact::Started { grace } => info!(down_since = %grace.down_since, "Started."),
        system::Fact::WorldAdopted { policy, cmdb, .. } => info!(policy, cmdb, "Rules and CMDB came into force."),
        system::Fact::SourceNamed { name } => debug!(source = one_line(name), "Source heard of for the first time."),
        system::Fact::TimerSetAside { aside } => {
            warn!(timer = ?aside.timer, due = %aside.due_at.rfc3339(), "A timer that stopped the daemon twice was set aside.");
        }
        system::Fact::TimerTakenBack { aside } => info!(timer = ?aside.timer, "A timer that stopped another release is fired again."),
        system::Fact::Swept { .. } | system::Fact::ClocksSwept { .. } | system::Fact::SilenceRulesArmed { .. } => {}
    }
}
