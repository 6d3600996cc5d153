//! Rows: the one list of what is stored, and how a row is written and read.
//!
//! A new record is a line in the list and two functions in its part. The store, a start, telemetry, the simulation and the golden bytes follow the list.

use minicbor::{Decode, Encode};

use super::{
    State, alerts, capacity, cursors, digests, health, incidents, jobs, messages, past, problems, realms, silences, system, terms,
};
use crate::ids::{AlertId, CiNo, CursorId, IncidentId, MessageId, ProblemId, Realm, Shard, SilenceId, SourceNo, TermsId};
use crate::model::alert::{Alert, Vitals};
use crate::model::health::Change;
use crate::model::incident::{Entry, Incident};
use crate::model::message::{Message, Sending};
use crate::model::problem::{Problem, SeriesKey};
use crate::model::silence::Silence;
use crate::model::timer::Timer;
use crate::time::Time;
use crate::words::JobKind;

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

/// The list: `Row(key) in Table "name", what a start reads: the record in State, and how State takes one in`. Tables are loaded in its order.
macro_rules! rows {
    ($($(#[$doc:meta])* $Row:ident($($part:ident: $Key:ty),*) in $Table:ident $name:literal, $load:expr; $of:path, $take:expr;)*) => {
        /// A table of the store. Keys ascend: big-endian numbers, or text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Table {
            $($(#[$doc])* $Table,)*
        }

        /// One row, by what it holds.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Row {
            $($(#[$doc])* $Row($($Key),*),)*
        }

        impl Table {
            /// Every table, in the order they are loaded.
            pub const ALL: &'static [Table] = &[$(Table::$Table),*];

            /// Its name in the store.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Table::$Table => $name,)*
                }
            }

            /// What a start reads of it.
            pub const fn load(self) -> Load {
                match self {
                    $(Table::$Table => $load,)*
                }
            }
        }

        impl Table {
            /// A row of it, read and written again: what a release wrote is read for ever.
            ///
            /// # Errors
            /// The row cannot be read.
            pub fn again(self, bytes: &[u8]) -> Result<Vec<u8>, RowFault> {
                match self {
                    $(Table::$Table => again($take, self.name(), bytes),)*
                }
            }
        }

        impl Row {
            /// Its table and key.
            pub fn place(&self) -> (Table, Vec<u8>) {
                match self {
                    $(Row::$Row($($part),*) => (Table::$Table, key(&[$($part),*])),)*
                }
            }
        }

        impl State {
            /// A row's bytes as State has it now; `None`: it is gone.
            pub fn row(&self, row: &Row) -> Option<Vec<u8>> {
                match row {
                    $(Row::$Row($($part),*) => $of(self, $($part),*).map(|record| encode(&record)),)*
                }
            }

            /// Takes in a row while loading; `finish_loading` comes after the last. What a start never reads is decoded and dropped.
            ///
            /// # Errors
            /// The row cannot be read.
            pub fn load_row(&mut self, table: Table, bytes: &[u8]) -> Result<(), RowFault> {
                match table {
                    $(Table::$Table => $take(self, decode(table.name(), bytes)?),)*
                }
                Ok(())
            }
        }
    };
}

rows! {
    /// The counters, one row.
    Counters() in Counters "counters", Load::Whole; system::counters, system::take_counters;
    /// Timers that are not fired because they stopped the daemon, by when they were due.
    Aside(at: Time, timer: Timer) in TimersAside "timers_aside", Load::Whole; system::aside, system::take_aside;
    /// Sources by number.
    Source(no: SourceNo) in Sources "sources", Load::Whole; system::source, system::take_source;
    /// Realms other than `main`, by number.
    Realm(shard: Shard) in Realms "realms", Load::Whole; realms::realm, realms::take_realm;
    /// Live alerts.
    Alert(id: AlertId) in Alerts "alerts", Load::Whole; alerts::alert, alerts::take_alert;
    /// Incidents that are not closed.
    Incident(id: IncidentId) in Incidents "incidents", Load::Whole; incidents::incident, incidents::take_incident;
    /// Members by incident and alert, of live and past incidents.
    Member(incident: IncidentId, alert: AlertId) in Members "members", Load::OfLive(Table::Incidents); incidents::member, incidents::take_member;
    /// Timeline entries by incident and position, of live and past incidents.
    Timeline(incident: IncidentId, position: u32) in Timeline "timeline", Load::Never; incidents::entry, history::<Entry>;
    /// Messages that are not done: what is sent, written once.
    Message(id: MessageId) in Messages "messages", Load::Whole; messages::message, messages::take_message;
    /// Where those are, and their bytes.
    Sending(id: MessageId) in Sendings "sendings", Load::Whole; messages::sending, messages::take_sending;
    /// Silences that are not forgotten.
    Silence(id: SilenceId) in Silences "silences", Load::Whole; silences::silence, silences::take_silence;
    /// Digests that wait, by the job that sends them and the address.
    Digest(job: String, address: String) in Digests "digests", Load::Whole; digests::digest, digests::take_digest;
    /// What is done by schedule, by kind and name.
    Job(kind: JobKind, name: String) in Jobs "jobs", Load::Whole; jobs::job, jobs::take_job;
    /// The terms of SLA clocks, of live and past incidents.
    Terms(id: TermsId) in Terms "terms", Load::Whole; terms::terms, terms::take_terms;
    /// Capacity rules.
    Check(rule: String) in Checks "checks", Load::Whole; capacity::check, capacity::take_check;
    /// Their series, by rule and name.
    Forecast(rule: String, series: String) in Forecasts "forecasts", Load::Whole; capacity::forecast, capacity::take_forecast;
    /// Problems that are not closed.
    Problem(id: ProblemId) in Problems "problems", Load::Whole; problems::problem, problems::take_problem;
    /// What is counted of a rule and what its incidents share, and is no problem yet.
    Series(key: SeriesKey) in Series "series", Load::Whole; problems::series, problems::take_series;
    /// Work that goes on over batches.
    Cursor(id: CursorId) in Cursors "cursors", Load::Whole; cursors::cursor, cursors::take_cursor;
    /// CIs that are not ok, by CI and realm.
    Health(ci: CiNo, realm: Realm) in Health "health", Load::Whole; health::standing, health::take_standing;
    /// Changes of the health of CIs by what a CI's history is found by, time, block and realm.
    HealthChange(history: String, at: Time, seq: u64, realm: Realm) in HealthChanges "health_changes", Load::Never; health::change, history::<Change>;
    /// The same by time: a time, and the key of the change. What is too old is found by it.
    HealthByTime(due: Time, history: String, at: Time, seq: u64, realm: Realm) in HealthByTime "health_by_time", Load::Never; health::by_time, history::<()>;
    /// Timeline entries of problems by problem and position, of live and past ones.
    ProblemTimeline(id: ProblemId, position: u32) in ProblemTimeline "problem_timeline", Load::Never; problems::entry, history::<Entry>;
    /// Forgotten alerts.
    PastAlert(id: AlertId) in PastAlerts "past_alerts", Load::Never; alerts::past_alert, history::<AlertRow>;
    /// Closed incidents.
    PastIncident(id: IncidentId) in PastIncidents "past_incidents", Load::Never; incidents::past_incident, history::<Incident>;
    /// Messages delivered or given up.
    PastMessage(id: MessageId) in PastMessages "past_messages", Load::Never; messages::past_message, history::<Message>;
    /// What became of those, and their bytes.
    PastSending(id: MessageId) in PastSendings "past_sendings", Load::Never; messages::past_sending, history::<Sending>;
    /// Silences that have been over for a while.
    PastSilence(id: SilenceId) in PastSilences "past_silences", Load::Never; silences::past_silence, history::<Silence>;
    /// What past records are found by: the kind, by what, the value, and the id.
    PastKey(of: past::Of, by: past::By, value: String, id: u64) in PastKeys "past_keys", Load::Never; past::key, history::<()>;
    /// Closed problems.
    PastProblem(id: ProblemId) in PastProblems "past_problems", Load::Never; problems::past_problem, history::<Problem>;
}

/// What most rows take: their bytes grow once or not at all.
const ROW_BYTES: usize = 256;

/// How State takes in what it keeps none of.
fn history<T>(_: &mut State, _: T) {}

/// A record that `take` would take in, read and written again.
fn again<T: Encode<()> + for<'b> Decode<'b, ()>>(
    _: impl Fn(&mut State, T),
    table: &'static str,
    bytes: &[u8],
) -> Result<Vec<u8>, RowFault> {
    decode::<T>(table, bytes).map(|record| encode(&record))
}

/// A part of a key. Numbers have a fixed length and ascend; a text is followed by a zero byte where another one comes.
trait KeyPart {
    /// Its bytes.
    fn bytes(&self) -> Vec<u8>;

    /// Whether its length says nothing of where it ends.
    fn is_text(&self) -> bool {
        false
    }
}

fn key(parts: &[&dyn KeyPart]) -> Vec<u8> {
    // The one row of a table without keys.
    if parts.is_empty() {
        return vec![0];
    }
    let mut key = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        if n > 0 && parts[n - 1].is_text() {
            key.push(0);
        }
        key.extend(part.bytes());
    }
    key
}

macro_rules! number_keys {
    ($($Number:ty),*) => {
        $(impl KeyPart for $Number {
            fn bytes(&self) -> Vec<u8> {
                self.0.to_be_bytes().to_vec()
            }
        })*
    };
}

number_keys!(AlertId, CiNo, CursorId, IncidentId, MessageId, ProblemId, Shard, SilenceId, SourceNo, Time);

impl KeyPart for u32 {
    fn bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }
}

impl KeyPart for past::Of {
    fn bytes(&self) -> Vec<u8> {
        vec![*self as u8]
    }
}

impl KeyPart for past::By {
    fn bytes(&self) -> Vec<u8> {
        vec![*self as u8]
    }
}

impl KeyPart for u64 {
    fn bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }
}

impl KeyPart for TermsId {
    fn bytes(&self) -> Vec<u8> {
        [self.high.to_be_bytes(), self.low.to_be_bytes()].concat()
    }
}

impl KeyPart for Timer {
    fn bytes(&self) -> Vec<u8> {
        encode(self)
    }
}

impl KeyPart for String {
    fn bytes(&self) -> Vec<u8> {
        self.clone().into_bytes()
    }

    fn is_text(&self) -> bool {
        true
    }
}

impl KeyPart for Realm {
    fn bytes(&self) -> Vec<u8> {
        self.name().as_bytes().to_vec()
    }

    fn is_text(&self) -> bool {
        true
    }
}

impl KeyPart for JobKind {
    fn bytes(&self) -> Vec<u8> {
        self.word().as_bytes().to_vec()
    }

    fn is_text(&self) -> bool {
        true
    }
}

impl KeyPart for SeriesKey {
    fn bytes(&self) -> Vec<u8> {
        key(&[&self.rule, &self.same])
    }
}

/// An alert's row: the record, its vitals then, and the block that wrote it, so that a start knows which repeats it holds. State writes it from where both stand.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AlertRow<A = Alert, V = Vitals> {
    /// The record.
    #[n(0)]
    pub alert: A,
    /// The vitals when the row was written.
    #[n(1)]
    pub vitals: V,
    /// The block that wrote it.
    #[n(2)]
    pub as_of: u64,
}

/// A page of vitals: of 128 slots, each with the alert it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct VitalsPage<V = Vitals> {
    /// The block that wrote it.
    #[n(0)]
    pub as_of: u64,
    /// The alerts on it.
    #[n(1)]
    pub cells: Vec<VitalsCell<V>>,
}

/// One alert's vitals on a page.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct VitalsCell<V = Vitals> {
    /// The alert: a slot is given to another after the first is forgotten.
    #[n(0)]
    pub alert: AlertId,
    /// Its vitals.
    #[n(1)]
    pub vitals: V,
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

/// Decodes a record that is two rows, the second behind the first; trailing bytes are a fault.
///
/// # Errors
/// The rows cannot be read.
pub fn decode_both<'b, A: Decode<'b, ()>, B: Decode<'b, ()>>(table: &'static str, bytes: &'b [u8]) -> Result<(A, B), RowFault> {
    let fault = |reason: String| RowFault { table, reason };
    let mut decoder = minicbor::Decoder::new(bytes);
    let first = decoder.decode().map_err(|error| fault(error.to_string()))?;
    Ok((first, decode(table, &bytes[decoder.position()..])?))
}

/// Encodes a row, a fact or a block. Encoding into memory cannot fail.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ROW_BYTES);
    minicbor::encode(value, &mut bytes).expect("encoding into a vector has no way to fail");
    bytes
}

/// A timeline entry, read back for the API.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, RowFault> {
    decode(Table::Timeline.name(), bytes)
}
