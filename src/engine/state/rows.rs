//! Rows: which tables there are, which row a thing stands in, and how State writes and reads it.

use minicbor::{Decode, Encode};

use super::{AlertCell, State};
use crate::ids::{AlertId, IncidentId, MessageId, ProblemId, SilenceId, SourceNo, TermsId};
use crate::model::alert::{Alert, Vitals};
use crate::model::capacity::{Check, Forecast};
use crate::model::digest::Digest;
use crate::model::incident::{Entry, Incident, Member};
use crate::model::job::Job;
use crate::model::message::Message;
use crate::model::problem::{Problem, Series, SeriesKey};
use crate::model::silence::Silence;
use crate::model::system::Counters;
use crate::model::timer::{Aside, Timer};
use crate::policy::slas::Terms;
use crate::time::Time;
use crate::words::JobKind;

/// A table of the store. Keys ascend: big-endian numbers, or text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// The counters, one row.
    Counters,
    /// Sources by number.
    Sources,
    /// Live alerts by id.
    Alerts,
    /// Incidents that are not closed.
    Incidents,
    /// Members by incident and alert, of live and past incidents.
    Members,
    /// Timeline entries by incident and position, of live and past incidents.
    Timeline,
    /// Messages that are not done.
    Messages,
    /// Silences that are not forgotten.
    Silences,
    /// Digests that wait.
    Digests,
    /// What is done by schedule.
    Jobs,
    /// Timers that are not fired because they stopped the daemon.
    TimersAside,
    /// The terms of SLA clocks, of live and past incidents.
    Terms,
    /// Capacity rules.
    Checks,
    /// Their series.
    Forecasts,
    /// Problems that are not closed.
    Problems,
    /// Outages that are counted and no problem yet.
    Series,
    /// Timeline entries of problems by problem and position, of live and past ones.
    ProblemTimeline,
    /// Forgotten alerts.
    PastAlerts,
    /// Closed incidents.
    PastIncidents,
    /// Messages delivered or given up.
    PastMessages,
    /// Silences over for a while.
    PastSilences,
    /// Closed problems.
    PastProblems,
}

/// What a start reads of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Every row.
    Whole,
    /// The rows whose key begins with the key of a row of that table: those of the past stay, and would outgrow the live ones.
    OfLive(Table),
    /// Nothing: State keeps none of it.
    Never,
}

impl Table {
    /// Every table, in the order they are loaded.
    pub const ALL: &'static [Table] = &[
        Table::Counters,
        Table::TimersAside,
        Table::Sources,
        Table::Alerts,
        Table::Incidents,
        Table::Members,
        Table::Timeline,
        Table::Messages,
        Table::Silences,
        Table::Digests,
        Table::Jobs,
        Table::Terms,
        Table::Checks,
        Table::Forecasts,
        Table::Problems,
        Table::Series,
        Table::ProblemTimeline,
        Table::PastAlerts,
        Table::PastIncidents,
        Table::PastMessages,
        Table::PastSilences,
        Table::PastProblems,
    ];

    /// What a start reads of it.
    pub const fn load(self) -> Load {
        match self {
            Table::Counters
            | Table::Sources
            | Table::Alerts
            | Table::Incidents
            | Table::Messages
            | Table::Silences
            | Table::Digests
            | Table::Jobs
            | Table::TimersAside
            | Table::Terms
            | Table::Checks
            | Table::Forecasts
            | Table::Problems
            | Table::Series => Load::Whole,
            Table::Members => Load::OfLive(Table::Incidents),
            Table::Timeline
            | Table::ProblemTimeline
            | Table::PastAlerts
            | Table::PastIncidents
            | Table::PastMessages
            | Table::PastSilences
            | Table::PastProblems => Load::Never,
        }
    }

    /// Its name in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Counters => "counters",
            Table::Sources => "sources",
            Table::Alerts => "alerts",
            Table::Incidents => "incidents",
            Table::Members => "members",
            Table::Timeline => "timeline",
            Table::Messages => "messages",
            Table::Silences => "silences",
            Table::Digests => "digests",
            Table::Jobs => "jobs",
            Table::TimersAside => "timers_aside",
            Table::Terms => "terms",
            Table::Checks => "checks",
            Table::Forecasts => "forecasts",
            Table::Problems => "problems",
            Table::Series => "series",
            Table::ProblemTimeline => "problem_timeline",
            Table::PastAlerts => "past_alerts",
            Table::PastIncidents => "past_incidents",
            Table::PastMessages => "past_messages",
            Table::PastSilences => "past_silences",
            Table::PastProblems => "past_problems",
        }
    }
}

/// One row, by what it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    /// The counters.
    Counters,
    /// A source.
    Source(SourceNo),
    /// A live alert.
    Alert(AlertId),
    /// A live incident.
    Incident(IncidentId),
    /// A membership.
    Member(IncidentId, AlertId),
    /// A timeline entry.
    Timeline(IncidentId, u32),
    /// A live message.
    Message(MessageId),
    /// A silence.
    Silence(SilenceId),
    /// A digest by the job that sends it and its address.
    Digest(String, String),
    /// A job by its kind and name.
    Job(JobKind, String),
    /// A timer set aside, by when it was due.
    Aside(Time, Timer),
    /// The terms of SLA clocks.
    Terms(TermsId),
    /// A capacity rule.
    Check(String),
    /// A series, by rule and name.
    Forecast(String, String),
    /// A problem that is not closed.
    Problem(ProblemId),
    /// What is counted of a rule and what its incidents share.
    Series(SeriesKey),
    /// A timeline entry of a problem.
    ProblemTimeline(ProblemId, u32),
    /// A forgotten alert.
    PastAlert(AlertId),
    /// A closed incident.
    PastIncident(IncidentId),
    /// A done message.
    PastMessage(MessageId),
    /// A silence that is over.
    PastSilence(SilenceId),
    /// A closed problem.
    PastProblem(ProblemId),
}

impl Row {
    /// Its table and key.
    pub fn place(&self) -> (Table, Vec<u8>) {
        match self {
            Row::Counters => (Table::Counters, vec![0]),
            Row::Source(no) => (Table::Sources, no.0.to_be_bytes().to_vec()),
            Row::Alert(id) => (Table::Alerts, id.0.to_be_bytes().to_vec()),
            Row::Incident(id) => (Table::Incidents, id.0.to_be_bytes().to_vec()),
            Row::Member(incident, alert) => (Table::Members, [incident.0.to_be_bytes(), alert.0.to_be_bytes()].concat()),
            Row::Timeline(incident, position) => (Table::Timeline, [&incident.0.to_be_bytes()[..], &position.to_be_bytes()[..]].concat()),
            Row::Message(id) => (Table::Messages, id.0.to_be_bytes().to_vec()),
            Row::Silence(id) => (Table::Silences, id.0.to_be_bytes().to_vec()),
            Row::Digest(job, address) => (Table::Digests, format!("{job}\0{address}").into_bytes()),
            Row::Aside(at, timer) => (Table::TimersAside, [&at.0.to_be_bytes()[..], &encode(timer)].concat()),
            Row::Job(kind, name) => (Table::Jobs, format!("{kind}\0{name}").into_bytes()),
            Row::Terms(id) => (Table::Terms, [id.high.to_be_bytes(), id.low.to_be_bytes()].concat()),
            Row::Check(rule) => (Table::Checks, rule.clone().into_bytes()),
            Row::Forecast(rule, series) => (Table::Forecasts, format!("{rule}\0{series}").into_bytes()),
            Row::Problem(id) => (Table::Problems, id.0.to_be_bytes().to_vec()),
            Row::Series(key) => (Table::Series, format!("{}\0{}", key.rule, key.same).into_bytes()),
            Row::ProblemTimeline(id, position) => (Table::ProblemTimeline, [&id.0.to_be_bytes()[..], &position.to_be_bytes()[..]].concat()),
            Row::PastAlert(id) => (Table::PastAlerts, id.0.to_be_bytes().to_vec()),
            Row::PastIncident(id) => (Table::PastIncidents, id.0.to_be_bytes().to_vec()),
            Row::PastMessage(id) => (Table::PastMessages, id.0.to_be_bytes().to_vec()),
            Row::PastSilence(id) => (Table::PastSilences, id.0.to_be_bytes().to_vec()),
            Row::PastProblem(id) => (Table::PastProblems, id.0.to_be_bytes().to_vec()),
        }
    }
}

/// An alert's row: the record, its vitals then, and the block that wrote it, so that a start knows which repeats it holds.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AlertRow {
    /// The record.
    #[n(0)]
    pub alert: Alert,
    /// The vitals when the row was written.
    #[n(1)]
    pub vitals: Vitals,
    /// The block that wrote it.
    #[n(2)]
    pub as_of: u64,
}

/// A page of vitals: of 128 slots, each with the alert it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct VitalsPage {
    /// The block that wrote it.
    #[n(0)]
    pub as_of: u64,
    /// The alerts on it.
    #[n(1)]
    pub cells: Vec<VitalsCell>,
}

/// One alert's vitals on a page.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct VitalsCell {
    /// The alert: a slot is given to another after the first is forgotten.
    #[n(0)]
    pub alert: AlertId,
    /// Its vitals.
    #[n(1)]
    pub vitals: Vitals,
}

/// A row that cannot be read: the store is of another version, or damaged.
#[derive(Debug, thiserror::Error)]
#[error("a row of table {table} cannot be read: {reason}")]
pub struct RowFault {
    /// The table.
    pub table: &'static str,
    /// What the decoder says.
    pub reason: String,
}

/// Decodes a whole row; trailing bytes are a fault.
pub fn decode<'b, T: Decode<'b, ()>>(table: &'static str, bytes: &'b [u8]) -> Result<T, RowFault> {
    let fault = |reason: String| RowFault { table, reason };
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().map_err(|error| fault(error.to_string()))?;
    if decoder.position() == bytes.len() { Ok(value) } else { Err(fault("bytes are left over".to_owned())) }
}

/// Encodes a row, a fact or a block. Encoding into memory cannot fail.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("encoding into a vector has no way to fail")
}

impl State {
    /// The bytes of a row as it is now; `None`: it is to be deleted.
    pub fn row(&self, row: &Row) -> Option<Vec<u8>> {
        match row {
            Row::Counters => Some(encode(&self.counters)),
            Row::Source(no) => self.sources.get(usize::from(no.0)).map(encode),
            Row::Alert(id) => self.cell(*id).map(|cell| self.alert_row(cell)),
            Row::Incident(id) => self.incidents.get(id).map(encode),
            Row::Member(incident, alert) => {
                self.members.get(&(*incident, *alert)).or_else(|| self.past.members.get(&(*incident, *alert))).map(encode)
            }
            Row::Timeline(incident, position) => self.past.timeline.get(&(*incident, *position)).map(encode),
            Row::Message(id) => self.messages.get(id).map(encode),
            Row::Silence(id) => self.silences.get(id).map(|silence| encode(&silence.record)),
            Row::Digest(job, address) => self.digests.get(&(job.clone(), address.clone())).map(encode),
            Row::Aside(at, timer) => self.aside.get(&(*at, *timer)).map(encode),
            Row::Job(kind, name) => self.jobs.get(&(*kind, name.clone())).map(encode),
            Row::Terms(id) => self.terms.get(id).map(|live| encode(&live.record)),
            Row::Check(rule) => self.checks.get(rule).map(encode),
            Row::Forecast(rule, series) => self.forecasts.get(&(rule.clone(), series.clone())).map(encode),
            Row::Problem(id) => self.problems.get(id).map(encode),
            Row::Series(key) => self.series.get(key).map(encode),
            Row::ProblemTimeline(id, position) => self.past.problem_timeline.get(&(*id, *position)).map(encode),
            Row::PastAlert(id) => self.past.alerts.get(id).map(|cell| self.alert_row(cell)),
            Row::PastIncident(id) => self.past.incidents.get(id).map(encode),
            Row::PastMessage(id) => self.past.messages.get(id).map(encode),
            Row::PastSilence(id) => self.past.silences.get(id).map(encode),
            Row::PastProblem(id) => self.past.problems.get(id).map(encode),
        }
    }

    fn alert_row(&self, cell: &AlertCell) -> Vec<u8> {
        encode(&AlertRow { alert: cell.alert.clone(), vitals: cell.vitals.clone(), as_of: self.counters.seq })
    }

    /// Takes in a row while loading; `finish_loading` comes after the last. Tables of the past hold nothing that State keeps.
    ///
    /// # Errors
    /// The row cannot be read.
    pub fn load_row(&mut self, table: Table, bytes: &[u8]) -> Result<(), RowFault> {
        let name = table.name();
        match table {
            Table::Counters => self.counters = decode::<Counters>(name, bytes)?,
            Table::Sources => self.sources.push(decode::<String>(name, bytes)?),
            Table::Alerts => {
                let row: AlertRow = decode(name, bytes)?;
                self.place(AlertCell { alert: row.alert, vitals: row.vitals, as_of: row.as_of, fingerprint: 0, armed_end: Time::NEVER });
            }
            Table::Incidents => {
                let incident: Incident = decode(name, bytes)?;
                self.incidents.insert(incident.id, incident);
            }
            Table::Members => {
                let member: Member = decode(name, bytes)?;
                if self.incidents.contains_key(&member.incident) {
                    self.members.insert((member.incident, member.alert), member);
                }
            }
            Table::Messages => {
                let message: Message = decode(name, bytes)?;
                self.put_message(message);
            }
            Table::Silences => {
                let silence: Silence = decode(name, bytes)?;
                self.put_silence(silence);
            }
            Table::Digests => {
                let digest: Digest = decode(name, bytes)?;
                self.digests.insert((digest.job.clone(), digest.address.clone()), digest);
            }
            Table::TimersAside => {
                let aside: Aside = decode(name, bytes)?;
                self.aside.insert((aside.due_at, aside.timer), aside);
            }
            Table::Jobs => {
                let job: Job = decode(name, bytes)?;
                self.jobs.insert((job.kind, job.name.clone()), job);
            }
            Table::Terms => self.keep_terms(decode::<Terms>(name, bytes)?),
            Table::Checks => {
                let check: Check = decode(name, bytes)?;
                self.checks.insert(check.rule.clone(), check);
            }
            Table::Forecasts => {
                let forecast: Forecast = decode(name, bytes)?;
                self.forecasts.insert((forecast.rule.clone(), forecast.series.clone()), forecast);
            }
            Table::Problems => self.put_problem(decode::<Problem>(name, bytes)?),
            Table::Series => self.put_series(decode::<Series>(name, bytes)?),
            Table::ProblemTimeline | Table::PastProblems => {}
            Table::Timeline | Table::PastAlerts | Table::PastIncidents | Table::PastMessages | Table::PastSilences => {}
        }
        Ok(())
    }
}

/// A timeline entry, read back for the API.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, RowFault> {
    decode(Table::Timeline.name(), bytes)
}
