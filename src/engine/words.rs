//! The closed words of the trade: severity, priority, health and their kin, each with the text that rules, API and mails use.

use minicbor::{Decode, Encode};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $index:literal $variant:ident $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(index_only)]
        pub enum $name {
            $($(#[$vdoc])* #[n($index)] $variant),+
        }

        impl $name {
            /// Every word, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];
            /// Every word's text, in order: what an error names as known.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word as rules, API and mails write it.
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }

            /// The word of a text; exact, because rule files are checked, not guessed.
            pub fn from_word(text: &str) -> Option<$name> {
                match text { $($word => Some($name::$variant),)+ _ => None }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::words::NotAWord;

            fn from_str(text: &str) -> Result<$name, $crate::words::NotAWord> {
                $name::from_word(text).ok_or($crate::words::NotAWord { known: $name::WORDS })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                $name::from_word(&text).ok_or_else(|| {
                    let known = format!("one of {}", $name::WORDS.join(", "));
                    serde::de::Error::invalid_value(serde::de::Unexpected::Str(&text), &known.as_str())
                })
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": $name::WORDS })
            }
        }
    };
}

pub(crate) use words;

/// A text that is none of some words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {}", known.join(", "))]
pub struct NotAWord {
    /// Those words.
    pub known: &'static [&'static str],
}

mod reason;

pub use reason::{LATER_REASONS, Length, Reason, SENDABLE_REASONS, Sent};

words!(
    /// How bad the sender says it is; worst first.
    Severity {
        /// Needs somebody at once.
        0 Critical "critical",
        /// Broken, not at once.
        1 Error "error",
        /// May become bad.
        2 Warning "warning",
        /// For the record.
        3 Info "info",
        /// The sender said nothing we know.
        4 Unknown "unknown",
    }
);

words!(
    /// Impact, urgency and criticality; highest first.
    Level {
        /// The highest.
        0 High "high",
        /// Between.
        1 Medium "medium",
        /// The lowest.
        2 Low "low",
    }
);

words!(
    /// What the matrix of impact and urgency gives; P1 first.
    Priority {
        /// At once, whoever sleeps.
        0 P1 "P1",
        /// At once.
        1 P2 "P2",
        /// Today.
        2 P3 "P3",
        /// This week.
        3 P4 "P4",
        /// Some time.
        4 P5 "P5",
    }
);

words!(
    /// How a CI or a service is; worst last.
    Health {
        /// Nothing known against it.
        0 Ok "ok",
        /// Redundancy is lost; the next fault takes it down.
        1 AtRisk "at_risk",
        /// It works badly.
        2 Degraded "degraded",
        /// It does not work.
        3 Down "down",
    }
);

words!(
    /// What an alert does to its CI.
    Means {
        /// The CI does not work: counts against `min_up`, explains whatever fires on or downstream of it.
        0 Down "down",
        /// The CI works badly: explains what fires on the CI itself.
        1 Degraded "degraded",
        /// Neither.
        2 Nothing "nothing",
    }
);

words!(
    /// Which other alerts an alert explains.
    Explains {
        /// Whatever fires on its CI or downstream of it.
        0 Downstream "downstream",
        /// What fires on its CI.
        1 Ci "ci",
        /// None.
        2 Nothing "nothing",
    }
);

words!(
    /// What a correlate rule does with an alert.
    Action {
        /// Opens or joins an incident.
        0 Open "open",
        /// Only records it.
        1 Record "record",
    }
);

words!(
    /// Where an incident is.
    IncidentState {
        /// Nobody has it.
        0 New "new",
        /// Somebody has seen it.
        1 Acknowledged "acknowledged",
        /// Somebody works on it.
        2 InProgress "in_progress",
        /// It waits, for a stated reason.
        3 OnHold "on_hold",
        /// It is over; a return reopens it.
        4 Resolved "resolved",
        /// It is history.
        5 Closed "closed",
    }
);

impl IncidentState {
    /// Whether work is still to be done.
    pub const fn is_open(self) -> bool {
        matches!(self, IncidentState::New | IncidentState::Acknowledged | IncidentState::InProgress | IncidentState::OnHold)
    }
}

words!(
    /// Where a problem is.
    ProblemState {
        /// Nobody has it.
        0 New "new",
        /// Somebody looks for the cause.
        1 Investigating "investigating",
        /// The cause is known, and what helps until it is gone.
        2 KnownError "known_error",
        /// The fix is under way.
        3 FixInProgress "fix_in_progress",
        /// It is said to be fixed, and must stay quiet for a while.
        4 Resolved "resolved",
        /// It is history.
        5 Closed "closed",
    }
);

impl ProblemState {
    /// Whether work is still to be done.
    pub const fn is_open(self) -> bool {
        matches!(self, ProblemState::New | ProblemState::Investigating | ProblemState::KnownError | ProblemState::FixInProgress)
    }
}

words!(
    /// What incidents share that are the same fault.
    SameBy {
        /// The correlate rule that opened it.
        0 Rule "rule",
        /// The item at fault.
        1 Ci "ci",
        /// Its class.
        2 CiClass "ci.class",
        /// The most critical service it carries.
        3 Service "service",
        /// The name of the alert that is its cause.
        4 AlertName "alert.name",
        /// The title, its numbers and ids masked.
        5 Title "title",
    }
);

words!(
    /// Where an alert is.
    AlertState {
        /// Fires, and must still fire after its rule's `for`.
        0 Pending "pending",
        /// Fires, and was judged.
        1 Firing "firing",
        /// Fires, and is muted.
        2 Suppressed "suppressed",
        /// Fires, and is only recorded.
        3 Recorded "recorded",
        /// No source says that it fires.
        4 Cleared "cleared",
    }
);

words!(
    /// What an alert is in its incident.
    Role {
        /// What the incident is about.
        0 Cause "cause",
        /// Explained by the cause.
        1 Symptom "symptom",
        /// Joined by its rule's `group_by`.
        2 Member "member",
    }
);

words!(
    /// Between whom something is promised.
    SlaKind {
        /// With those who use a service.
        0 Sla "sla",
        /// With a team.
        1 Ola "ola",
        /// By a vendor.
        2 Uc "uc",
    }
);

words!(
    /// What is promised.
    SlaTarget {
        /// Somebody has it.
        0 Response "response",
        /// It is over.
        1 Resolution "resolution",
        /// Those who wait hear of it.
        2 Update "update",
    }
);

words!(
    /// Where a promise stands.
    ClockState {
        /// Its time runs.
        0 Running "running",
        /// Its time stands still.
        1 Paused "paused",
        /// It was kept.
        2 Met "met",
        /// It was broken.
        3 Breached "breached",
        /// It ended before it was kept or broken: nobody had responded yet, or another incident counts instead.
        4 Ended "ended",
    }
);

/// The reasons for which an incident may wait.
pub const HOLD_REASONS: &[&str] = &["waiting_for_customer", WAITING_FOR_VENDOR, "waiting_for_change"];
/// The one for which a vendor's time counts.
pub const WAITING_FOR_VENDOR: &str = "waiting_for_vendor";

words!(
    /// Which relation leads from one CI to another.
    Relation {
        /// The first needs the second.
        0 DependsOn "depends_on",
        /// The first runs on the second.
        1 RunsOn "runs_on",
        /// The first is one of the second's members.
        2 MemberOf "member_of",
        /// The second is a part of the first.
        3 Contains "contains",
        /// They are connected; no fault flows.
        4 ConnectsTo "connects_to",
        /// The first is powered by the second.
        5 PoweredBy "powered_by",
    }
);

impl Relation {
    /// The relation as a verb in a sentence: `db-1 depends on sw-1`.
    pub const fn verb(self) -> &'static str {
        match self {
            Relation::DependsOn => "depends on",
            Relation::RunsOn => "runs on",
            Relation::MemberOf => "is a member of",
            Relation::Contains => "contains",
            Relation::ConnectsTo => "connects to",
            Relation::PoweredBy => "is powered by",
        }
    }
}

words!(
    /// What is done by schedule.
    JobKind {
        /// A list of what was folded goes out.
        0 Digest "digest",
        /// A capacity rule asks for its series.
        1 Capacity "capacity",
        /// Whether a timer missed what SLA clocks used up is looked for.
        2 SlaSweep "sla_sweep",
    }
);
