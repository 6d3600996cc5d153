//! What is remembered of an event: past tense, one variant a feature, with the encoding that blocks keep.

use minicbor::{Decode, Encode};

use crate::model::{alert, capacity, cursor, digest, health, incident, job, message, problem, realm, silence, system, terms};

/// What happened. Indices are never reused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// To an alert.
    #[n(0)]
    Alert(#[n(0)] alert::Fact),
    /// To an incident.
    #[n(1)]
    Incident(#[n(0)] incident::Fact),
    /// To a message.
    #[n(2)]
    Message(#[n(0)] message::Fact),
    /// To a silence.
    #[n(3)]
    Silence(#[n(0)] silence::Fact),
    /// To a digest.
    #[n(4)]
    Digest(#[n(0)] digest::Fact),
    /// To the daemon.
    #[n(5)]
    System(#[n(0)] system::Fact),
    /// To a job.
    #[n(6)]
    Job(#[n(0)] job::Fact),
    /// To the terms of SLA clocks.
    #[n(7)]
    Terms(#[n(0)] terms::Fact),
    /// To capacity.
    #[n(8)]
    Capacity(#[n(0)] capacity::Fact),
    /// To a problem, or to what may become one.
    #[n(9)]
    Problem(#[n(0)] problem::Fact),
    /// To a realm.
    #[n(10)]
    Realm(#[n(0)] realm::Fact),
    /// To work that goes on over batches.
    #[n(11)]
    Cursor(#[n(0)] cursor::Fact),
    /// To the health of a CI.
    #[n(12)]
    Health(#[n(0)] health::Fact),
}

macro_rules! from_features {
    ($($feature:ident: $variant:ident,)+) => {
        $(impl From<$feature::Fact> for Fact {
            fn from(fact: $feature::Fact) -> Fact {
                Fact::$variant(fact)
            }
        })+
    };
}

from_features! {
    alert: Alert,
    capacity: Capacity,
    cursor: Cursor,
    digest: Digest,
    health: Health,
    incident: Incident,
    job: Job,
    message: Message,
    problem: Problem,
    realm: Realm,
    silence: Silence,
    system: System,
    terms: Terms,
}
