//! Digests: what was not worth a mail of its own, kept for each address until the job that sends it runs.

use minicbor::{Decode, Encode};

use crate::ids::IncidentId;
use crate::time::Time;

/// What an address will hear of in one mail. Index 1 was when that is due.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Digest {
    /// The address.
    #[n(0)]
    pub address: String,
    /// When the first entry came.
    #[n(2)]
    pub since: Time,
    /// The incidents, in the order they came.
    #[n(3)]
    pub incidents: Vec<IncidentId>,
    /// The team whose zone and list it belongs to.
    #[n(4)]
    pub team: String,
    /// The notify rule that folded the first.
    #[n(5)]
    pub rule: String,
    /// The job that sends it.
    #[n(6)]
    #[cbor(default)]
    pub job: String,
}

/// What happened to a digest.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// An incident was folded into it.
    #[n(0)]
    Folded {
        /// The address.
        #[n(0)]
        address: String,
        /// The incident.
        #[n(1)]
        incident: IncidentId,
        /// The team.
        #[n(3)]
        team: String,
        /// The notify rule.
        #[n(4)]
        rule: String,
        /// The job that sends it.
        #[n(5)]
        #[cbor(default)]
        job: String,
    },
    /// It became a message.
    #[n(1)]
    Sent {
        /// The address.
        #[n(0)]
        address: String,
        /// The job that sent it.
        #[n(1)]
        #[cbor(default)]
        job: String,
    },
}
