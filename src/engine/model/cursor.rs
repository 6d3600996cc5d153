//! Work that is too much for one batch: a queue of cursors, each with what it does and how far it has come.

use minicbor::{Decode, Encode};

use crate::ids::{AlertId, CiNo, CursorId, IncidentId, Realm, SilenceId};
use crate::model::message::Yours;
use crate::time::Time;

/// What touches many alerts or incidents. Indices are never reused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Work {
    /// The alerts that a cause explains join its incident.
    #[n(0)]
    Adopt {
        /// The cause.
        #[n(0)]
        cause: AlertId,
    },
    /// The incidents of the members of a group below `min_up` become one.
    #[n(1)]
    Collect {
        /// The group.
        #[n(0)]
        group: CiNo,
        /// The incident they become.
        #[n(1)]
        into: IncidentId,
    },
    /// The alerts that a group below `min_up` explains join their cause.
    #[n(2)]
    Carry {
        /// The group.
        #[n(0)]
        group: CiNo,
        /// The realm whose alerts took it down.
        #[n(1)]
        realm: Realm,
    },
    /// What an alert explained in the incident it left follows it.
    #[n(3)]
    Follow {
        /// The incident it left.
        #[n(0)]
        incident: IncidentId,
    },
    /// Symptoms whose cause cleared are given back.
    #[n(4)]
    Release {
        /// The incident of the cause.
        #[n(0)]
        incident: IncidentId,
    },
    /// The children of a resolved incident resolve with it.
    #[n(5)]
    Resolve {
        /// The parent.
        #[n(0)]
        incident: IncidentId,
    },
    /// The children of a closed incident close with it, and its alerts are no longer kept for it.
    #[n(6)]
    Close {
        /// The closed incident.
        #[n(0)]
        incident: IncidentId,
        /// When those of its alerts that still fire are given another incident.
        #[n(1)]
        returns_at: Time,
    },
    /// The alerts of an incident that an operator merged into another join that one.
    #[n(7)]
    Merge {
        /// The incident that became a child.
        #[n(0)]
        from: IncidentId,
        /// The incident it was merged into.
        #[n(1)]
        into: IncidentId,
        /// The operator.
        #[n(2)]
        actor: String,
    },
    /// What fires is judged again.
    #[n(8)]
    Judge(#[n(0)] Scope),
    /// SLA clocks are looked at for what their timers missed.
    #[n(9)]
    Clocks,
    /// Every symptom of an incident is asked about: who hears that it is one. They are told at the end, each in one mail.
    #[n(10)]
    Tell {
        /// The incident.
        #[n(0)]
        incident: IncidentId,
    },
}

/// Which alerts are judged again. Indices are never reused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Scope {
    /// All: another World is in force, or a silence that no label value narrows down.
    #[n(0)]
    All,
    /// Those that a silence selects.
    #[n(1)]
    Silence(#[n(0)] SilenceId),
    /// Those whose last judgement read a silence rule.
    #[n(2)]
    Rule(#[n(0)] String),
}

/// How far a cursor has come: a part of its work or an item, and the id within it that is next. What they mean is up to the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Mark {
    /// The part or item.
    #[n(0)]
    pub part: u64,
    /// The next id.
    #[n(1)]
    pub id: u64,
}

impl Mark {
    /// Before everything.
    pub const START: Mark = Mark { part: 0, id: 0 };
}

/// What happened to queued work. Indices are never reused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// It is queued, or has come so far.
    #[n(0)]
    Set {
        /// The work.
        #[n(0)]
        cursor: Box<Cursor>,
    },
    /// It is done.
    #[n(1)]
    Done {
        /// Which.
        #[n(0)]
        id: CursorId,
    },
}

/// Work under way.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Cursor {
    /// Its place in the queue: the oldest is first.
    #[n(0)]
    pub id: CursorId,
    /// What it does.
    #[n(1)]
    pub work: Work,
    /// What is next.
    #[n(2)]
    pub at: Mark,
    /// Whether it begins once more at its end, because what it passed has to be looked at again.
    #[n(3)]
    pub again: bool,
    /// What [`Work::Tell`] has gathered so far.
    #[n(4)]
    pub telling: Option<Box<Telling>>,
}

/// Who is to hear of symptoms that were asked about so far.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Telling {
    /// When the first was asked about: who hears of the incident after that knows.
    #[n(0)]
    pub began: Time,
    /// Each address once.
    #[n(1)]
    pub gathered: Vec<Gathered>,
}

/// What one address is to hear.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Gathered {
    /// The address.
    #[n(0)]
    pub address: String,
    /// The team through which it was found.
    #[n(1)]
    pub team: String,
    /// The notify rule.
    #[n(2)]
    pub rule: String,
    /// The template.
    #[n(3)]
    pub template: String,
    /// The symptoms that are theirs.
    #[n(4)]
    pub yours: Yours,
    /// The item of the last of these, where the CMDB knows it: they come item by item.
    #[n(5)]
    pub last: Option<CiNo>,
    /// Words at the first of these items that has some.
    #[n(6)]
    pub note: String,
}
