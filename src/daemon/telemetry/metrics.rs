//! Every metric of the daemon: names, helps, labels.

use prometheus::core::Collector;
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use watchkeeper_engine::words::SlaTarget;

/// Bounds of latencies: from a commit on a quiet disk to one that hangs.
const SECONDS: &[f64] = &[0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 2.5, 5.0, 10.0];
/// Bounds of events in a batch.
const EVENTS: &[f64] = &[1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 8_192.0];

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
    /// Log lines that were left out because whoever reads the log was slower than what there was to say.
    pub log_lines_dropped: IntCounter,
    /// What timers of SLA clocks missed and a sweep found; anything but 0 is a defect of this program.
    pub sla_missed: IntCounter,
    /// Messages that are not done, by state.
    pub outbox_messages: IntGaugeVec,
    /// When the oldest message that is not done was planned, seconds since 1970; 0 where there is none.
    pub outbox_oldest: IntGauge,
    /// Messages that wait for a worker or are at one, by lane: `render`, `mail`, `hook:NAME`.
    pub lane_messages: IntGaugeVec,
    /// What became of tries by lane and outcome: `done`, `failed` (tried again), `dead`.
    pub lane_tries: IntCounterVec,
    /// Messages by outcome, mails and those to hooks: `delivered`, `failed`, `dead`, `fallback`.
    pub mails: IntCounterVec,
    /// Changes of the health of CIs that are remembered, by what it became.
    pub health_changes: IntCounterVec,
    /// Correlate rules that matched.
    pub rule_matches: IntCounterVec,
    /// Values that match no CI and have active alerts.
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
    /// Conditions that were not looked at to their end because those of a batch had cost too much, by the dearest rule.
    pub conditions_given_up: IntCounterVec,
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
    /// Changes of incidents to Kafka by outcome: `written`, `failed` (tried again), `lost`.
    pub kafka_out: IntCounterVec,
    /// When the oldest change that is not written to Kafka happened, seconds since 1970; 0 where there is none.
    pub kafka_out_oldest: IntGauge,
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
            log_lines_dropped: counter(
                "watchkeeper_log_lines_dropped_total",
                "Log lines that were left out because their reader was slow.",
            ),
            sla_missed: counter("watchkeeper_sla_missed_total", "What timers of SLA clocks missed and a sweep found."),
            outbox_messages: gauges("watchkeeper_outbox_messages", "Messages that are not done.", &["state"]),
            outbox_oldest: gauge("watchkeeper_outbox_oldest_timestamp_seconds", "When the oldest unfinished message was planned."),
            health_changes: counters("watchkeeper_ci_health_changes_total", "Changes of the health of CIs by what it became.", &["to"]),
            lane_messages: gauges("watchkeeper_outbox_lane_messages", "Messages that wait for a worker or are at one.", &["lane"]),
            lane_tries: counters(
                "watchkeeper_outbox_lane_tries_total",
                "Tries to render or send a message by outcome.",
                &["lane", "outcome"],
            ),
            mails: counters("watchkeeper_mails_total", "Messages by outcome, mails and those to hooks.", &["outcome"]),
            rule_matches: counters("watchkeeper_rule_matches_total", "Alerts that a correlate rule matched.", &["rule"]),
            unmatched_values: gauge("watchkeeper_unmatched_values", "Values that match no CI and have active alerts."),
            cmdb_items: gauge("watchkeeper_cmdb_items", "CIs of the CMDB."),
            cmdb_version: gauge("watchkeeper_cmdb_version", "The CMDB's version."),
            policy_info: gauges("watchkeeper_policy_info", "1, with the policy's content hash as label.", &["policy"]),
            policy_loaded: gauge("watchkeeper_policy_loaded_timestamp_seconds", "When the policy in force was loaded."),
            reload_success: gauge("watchkeeper_reload_last_success", "Whether the last reload succeeded."),
            reloads: counters("watchkeeper_reloads_total", "Reloads by outcome.", &["outcome"]),
            dead_letters: gauge("watchkeeper_dead_letters", "Inputs that were refused or set aside and are kept."),
            conditions_given_up: counters(
                "watchkeeper_conditions_given_up_total",
                "Conditions that were given up because those of a batch had cost too much, by the dearest rule.",
                &["rule"],
            ),
            dead_letters_dropped: counter("watchkeeper_dead_letters_dropped_total", "Dead letters that went because there were too many."),
            kafka_position: gauges(
                "watchkeeper_kafka_position_offset",
                "The offset after the last record that was taken of a partition.",
                &["topic", "partition"],
            ),
            kafka_lag: gauges("watchkeeper_kafka_lag_records", "Records of a partition that are not taken yet.", &["topic", "partition"]),
            kafka_records: counters("watchkeeper_kafka_records_total", "Kafka records that were read.", &["topic"]),
            kafka_rejected: counters("watchkeeper_kafka_records_rejected_total", "Kafka records that became dead letters.", &["topic"]),
            kafka_out: counters("watchkeeper_kafka_out_changes_total", "Changes of incidents to Kafka by outcome.", &["outcome"]),
            kafka_out_oldest: gauge(
                "watchkeeper_kafka_out_oldest_timestamp_seconds",
                "When the oldest change of an incident that is not written to Kafka happened.",
            ),
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
        let outcomes: [(&IntCounterVec, &[&str]); 4] = [
            (&self.mails, &["delivered", "failed", "dead", "fallback"]),
            (&self.kafka_out, &["written", "failed", "lost"]),
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
