//! Capacity: the series of a rule are asked for at its Prometheus, a line is laid through each, and what came is reported to the writer.
//!
//! An effect names a rule whose question stands in a row, so nothing here needs to survive a crash: a start asks again. Nothing is tried twice here: the
//! rule's schedule asks again, and until then its alerts stand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use reqwest::redirect;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;
use watchkeeper_engine::decide::capacity::rule;
use watchkeeper_engine::event::Event;
use watchkeeper_engine::forecast::{Side, Window, fit, step};
use watchkeeper_engine::limits;
use watchkeeper_engine::model::capacity::{Answer, Measured, Said};
use watchkeeper_engine::text::{Labels, cut, one_line};
use watchkeeper_engine::time::{Span, Time};

use crate::config::Prometheus;
use crate::published::Current;
use crate::writer::{Full, WriterHandle};

/// Questions that are out at once; the others wait. A dead server holds up as many.
const AT_ONCE: usize = 4;
/// Bytes of an answer: a thousand series of 240 points are 7 MiB. A larger one is no answer.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Points of one series: a server that does not keep to the step has more, and its answer is none.
const POINTS_MAX: usize = 1_000;
/// Bytes of what a server says is wrong.
const ERROR_BYTES_MAX: usize = 300;

/// What capacity work needs.
#[derive(Clone)]
pub struct CapacityWork {
    writer: WriterHandle,
    current: Current,
    servers: Arc<BTreeMap<String, Server>>,
    stop: CancellationToken,
}

struct Server {
    config: Prometheus,
    http: reqwest::Client,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("make a client for the Prometheus {name}: {source}")]
pub struct NoClient {
    name: String,
    #[source]
    source: reqwest::Error,
}

/// What is asked.
struct Question {
    rule: String,
    server: String,
    query: String,
    history: Span,
    side: Side,
}

impl CapacityWork {
    /// A client for each server: no redirects, no proxy of the environment.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(servers: &[Prometheus], writer: WriterHandle, current: Current, stop: CancellationToken) -> Result<CapacityWork, NoClient> {
        let client = |config: &Prometheus| -> Result<(String, Server), NoClient> {
            let builder = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(config.answer_max);
            let http = builder.build().map_err(|source| NoClient { name: config.name.clone(), source })?;
            Ok((config.name.clone(), Server { config: config.clone(), http }))
        };
        let servers = servers.iter().map(client).collect::<Result<_, _>>()?;
        Ok(CapacityWork { writer, current, servers: Arc::new(servers), stop })
    }

    /// Works until it is stopped. A question that is out is not put again before its answer is in; one that is out at the end is left to the next start.
    pub async fn run(self, questions: Questions) {
        let mut running = JoinSet::new();
        let mut out = BTreeSet::new();
        loop {
            while running.len() < AT_ONCE
                && let Some(rule) = questions.next(&out)
            {
                out.insert(rule.clone());
                running.spawn(one(self.clone(), rule));
            }
            let next = tokio::select! {
                () = self.stop.cancelled() => Next::Stop,
                ended = running.join_next(), if !running.is_empty() => Next::Ended(ended),
                () = questions.0.arrived.notified() => Next::Arrived,
            };
            match next {
                Next::Stop => return,
                Next::Ended(Some(Ok(rule))) => {
                    out.remove(&rule);
                }
                Next::Ended(Some(Err(error))) => {
                    error!(%error, "A worker of capacity failed; its rule is asked again after the next start.")
                }
                Next::Ended(None) | Next::Arrived => {}
            }
        }
    }
}

/// Capacity rules whose series are to be asked for. Each stands in it once, however often it is put, so it is no longer than there are rules. Cheap to clone.
#[derive(Clone, Default)]
pub struct Questions(Arc<Waiting>);

#[derive(Default)]
struct Waiting {
    rules: Mutex<VecDeque<String>>,
    arrived: Notify,
}

impl Questions {
    /// Puts a rule at the end, unless it waits already.
    pub fn put(&self, rule: String) {
        let mut rules = self.0.rules.lock().expect("no holder of this panics");
        if !rules.contains(&rule) {
            rules.push_back(rule);
        }
        drop(rules);
        self.0.arrived.notify_one();
    }

    /// The first that is not out.
    fn next(&self, out: &BTreeSet<String>) -> Option<String> {
        let mut rules = self.0.rules.lock().expect("no holder of this panics");
        let first = rules.iter().position(|rule| !out.contains(rule))?;
        rules.remove(first)
    }
}

enum Next {
    Arrived,
    Ended(Option<Result<String, tokio::task::JoinError>>),
    Stop,
}

/// One question, from the rule as it is in force to the report.
async fn one(work: CapacityWork, name: String) -> String {
    let world = work.current.world();
    // A rule that is gone meanwhile has no row that waits.
    let Some(asked) = rule(&world, &name).map(|rule| Question {
        rule: rule.name.clone(),
        server: rule.server.clone(),
        query: rule.query.clone(),
        history: rule.history,
        side: rule.side,
    }) else {
        return name;
    };
    let Some(now) = now(&work.writer).await else { return name };
    let said = match work.servers.get(&asked.server) {
        Some(server) => {
            ask(server, &asked, now).await.unwrap_or_else(|error| Said::Nothing { error: cut(&one_line(&error), ERROR_BYTES_MAX) })
        }
        None => Said::Nothing { error: format!("daemon.toml has no [[prometheus]] {}", asked.server) },
    };
    let answer = Answer { rule: asked.rule, query: asked.query, said };
    // Where it cannot be reported the daemon stops, and the next start asks again.
    if let Ok(told) = work.writer.report(Event::Forecast(answer)).await {
        told.await.ok();
    }
    name
}

/// The time by which everything is decided; `None`: the daemon stops.
async fn now(writer: &WriterHandle) -> Option<Time> {
    loop {
        match writer.ask(|_, _, now| now).await {
            Ok(now) => return Some(now),
            Err(Full::Busy) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            Err(Full::Stopping) => return None,
        }
    }
}

async fn ask(server: &Server, asked: &Question, now: Time) -> Result<Said, String> {
    let seconds = |ms: i64| format!("{}.{:03}", ms.div_euclid(1_000), ms.rem_euclid(1_000));
    let parameters = [
        ("query", asked.query.clone()),
        ("start", seconds(now.0 - asked.history.0)),
        ("end", seconds(now.0)),
        ("step", seconds(step(asked.history).0)),
    ];
    let mut request = server.http.get(format!("{}/api/v1/query_range", server.config.url)).query(&parameters);
    if let Some(token) = &server.config.token {
        request = request.bearer_auth(token.expose());
    }
    let mut response = request.send().await.map_err(|error| cause(&error))?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| cause(&error))? {
        if body.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(format!("its answer has more than {} MiB; ask for fewer series", ANSWER_BYTES_MAX >> 20));
        }
        body.extend_from_slice(&part);
    }
    let window = Window { now, history: asked.history, side: asked.side };
    let read =
        tokio::task::spawn_blocking(move || if status.is_success() { read(&body, window) } else { Err(refusal(status.as_u16(), &body)) });
    read.await.map_err(|panic| format!("its answer cannot be worked on: {panic}"))?
}

/// What is behind an error of the client, without the address, which may hold what is asked.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    format!("it cannot be reached: {cause}")
}

/// An answer of Prometheus' HTTP API.
#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    kind: String,
    #[serde(default)]
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    /// Seconds and a number as a text; none where the values are histograms.
    #[serde(default)]
    values: Vec<(f64, String)>,
}

fn refusal(status: u16, body: &[u8]) -> String {
    let said = serde_json::from_slice::<Body>(body).map(|body| body.error).unwrap_or_default();
    if said.is_empty() { format!("it answers {status}") } else { format!("it answers {status}: {said}") }
}

/// The series of an answer, each with its line.
fn read(body: &[u8], window: Window) -> Result<Said, String> {
    let body: Body = serde_json::from_slice(body).map_err(|error| format!("its answer is not Prometheus': {error}"))?;
    let data = body.data.ok_or("its answer has no data")?;
    if data.kind != "matrix" {
        return Err(format!("its answer is a {}, not a matrix", data.kind));
    }
    let left_out = data.result.len().saturating_sub(limits::SERIES_MAX);
    let series = data.result.into_iter().take(limits::SERIES_MAX).map(|series| {
        if series.values.len() > POINTS_MAX {
            return Err(format!("a series of its answer has {} points, at most {POINTS_MAX} were asked for", series.values.len()));
        }
        let points: Vec<(Time, f64)> =
            series.values.iter().filter_map(|(at, value)| Some((Time((at * 1_000.0).round() as i64), value.parse().ok()?))).collect();
        let labels = series.metric.into_iter().filter(|(name, _)| name != "__name__");
        Ok(Measured { labels: Labels::new(labels), trend: fit(&points, window) })
    });
    Ok(Said::Series { series: series.collect::<Result<_, String>>()?, left_out: u32::try_from(left_out).unwrap_or(u32::MAX) })
}
