//! What an operator can do to an incident or a problem, typed once. The API's bodies, the command line, the pages' forms, links of mails, rule tests, the description
//! of the API and the lists of what a state allows all come from here.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{AlertId, IncidentId};
use crate::time::{Span, Time};
use crate::words::{HOLD_REASONS, IncidentState, Level, Priority, ProblemState, words};

/// One line a command: a stored number, the variant, its word in addresses and on the command line, its fields. Gives the command with its fields, and beside it
/// the verb: the command without them.
macro_rules! commands {
    (
        $(#[$doc:meta])* $command:ident, $(#[$verb_doc:meta])* $verb:ident {
            $($(#[$vdoc:meta])* $index:literal $variant:ident $word:literal { $($fields:tt)* }),+ $(,)?
        }
    ) => {
        words!($(#[$verb_doc])* $verb { $($(#[$vdoc])* $index $variant $word),+ });

        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub enum $command {
            $($(#[$vdoc])* #[n($index)] #[serde(rename = $word)] $variant { $($fields)* }),+
        }

        impl $command {
            /// The command without its fields.
            pub const fn verb(&self) -> $verb {
                match self { $($command::$variant { .. } => $verb::$variant),+ }
            }
        }
    };
}

commands!(
    /// What an operator can do to an incident.
    IncidentCommand,
    /// A command to an incident, without its fields.
    IncidentVerb {
        /// Acknowledge an incident: you become its assignee.
        0 Acknowledge "acknowledge" {},
        /// Assign an incident to a person or a team.
        1 Assign "assign" {
            /// The person or team who gets it.
            #[n(0)]
            to: String,
        },
        /// Add a note to an incident's timeline.
        2 Note "note" {
            /// The text of the note.
            #[n(0)]
            text: String,
        },
        /// Put an incident on hold.
        3 Hold "hold" {
            /// What it waits for.
            #[n(0)]
            #[schemars(extend("enum" = HOLD_REASONS))]
            reason: String,
            /// Until when at most.
            #[n(1)]
            #[serde(default, skip_serializing_if = "Option::is_none")]
            until: Option<Time>,
            /// For how long at most, such as 2h.
            #[n(2)]
            #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
            lasts: Option<Span>,
        },
        /// Resume work on an incident that was on hold.
        4 Resume "resume" {},
        /// Resolve an incident.
        5 Resolve "resolve" {
            /// How it was fixed.
            #[n(0)]
            #[serde(default)]
            words: String,
        },
        /// Reopen an incident that was resolved.
        6 Reopen "reopen" {
            /// Why it is open again.
            #[n(0)]
            #[serde(default)]
            words: String,
        },
        /// Close an incident that was resolved.
        7 Close "close" {},
        /// Detach an alert that does not belong to an incident.
        8 Detach "detach" {
            /// The alert, such as ALR0000042.
            #[n(0)]
            alert: AlertId,
        },
        /// Change an incident's priority.
        9 Priority "priority" {
            /// The new priority.
            #[n(0)]
            priority: Priority,
            /// Why it is changed.
            #[n(1)]
            #[serde(default)]
            words: String,
        },
        /// Merge other incidents into an incident, as its children.
        15 Merge "merge" {
            /// The other incidents, a list such as [\"INC0000043\"].
            #[n(0)]
            children: Vec<IncidentId>,
        },
    }
);

commands!(
    /// What an operator can do to a problem.
    ProblemCommand,
    /// A command to a problem, without its fields.
    ProblemVerb {
        /// Assign a problem to a person or a team.
        0 Assign "assign" {
            /// The person or team who gets it.
            #[n(0)]
            to: String,
        },
        /// Add a note to a problem's timeline.
        1 Note "note" {
            /// The text of the note.
            #[n(0)]
            text: String,
        },
        /// Start looking for a problem's cause.
        2 Investigate "investigate" {},
        /// Record that a problem's cause is known, with a workaround.
        3 KnownError "known_error" {
            /// The workaround: what helps until the cause is gone.
            #[n(0)]
            workaround: String,
        },
        /// Record that the fix of a problem is under way.
        4 Fix "fix" {
            /// Which fix.
            #[n(0)]
            #[serde(default)]
            words: String,
        },
        /// Resolve a problem: it closes after a quiet time, or reopens as a fix that failed.
        5 Resolve "resolve" {
            /// How it was fixed.
            #[n(0)]
            #[serde(default)]
            words: String,
        },
        /// Close a problem, fixed or not.
        6 Close "close" {
            /// Why it is closed.
            #[n(0)]
            #[serde(default)]
            words: String,
        },
    }
);

commands!(
    /// What an operator can do to a silence.
    SilenceCommand,
    /// A command to a silence, without its fields.
    SilenceVerb {
        /// Change when a silence ends, or its comment.
        0 Change "change" {
            /// Until when it holds.
            #[n(0)]
            #[serde(default, skip_serializing_if = "Option::is_none")]
            ends_at: Option<Time>,
            /// For how long from now on, such as 2h.
            #[n(1)]
            #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
            lasts: Option<Span>,
            /// Why it is there.
            #[n(2)]
            #[serde(default, skip_serializing_if = "Option::is_none")]
            comment: Option<String>,
        },
        /// End a silence at once.
        1 Expire "expire" {},
    }
);

/// A silence to be made, with its end or how long it lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSilence {
    /// What must match, all of it: a list such as ["alertname=\"DiskFull\"", "site=~\"ber.*\""].
    pub matchers: Vec<String>,
    /// From when on; now unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Time>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Time>,
    /// For how long from its start on, such as 2h.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
    /// Why.
    pub comment: String,
    /// What is kept with it, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A fault that no alert tells of, as somebody reports it: `priority`, or `impact` and `urgency`, or neither, then the CI's criticality decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenIncident {
    /// What is wrong, in a sentence.
    pub title: String,
    /// The CI, by its id or an alias.
    pub ci: String,
    /// The priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// The impact; only together with `urgency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Level>,
    /// The urgency; only together with `impact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<Level>,
    /// What else was said.
    #[serde(default)]
    pub words: String,
}

impl IncidentVerb {
    /// What a child allows: work goes on at its parent.
    pub const OF_A_CHILD: &'static [IncidentVerb] = &[IncidentVerb::Note];

    /// What is allowed while other incidents are being merged into it.
    pub const WHILE_MERGING: &'static [IncidentVerb] = {
        use IncidentVerb::{Acknowledge, Assign, Hold, Note, Priority, Resume};
        &[Acknowledge, Assign, Note, Hold, Resume, Priority]
    };

    /// What a state allows.
    pub const fn allowed_in(state: IncidentState) -> &'static [IncidentVerb] {
        use IncidentVerb::{Acknowledge, Assign, Close, Detach, Hold, Merge, Note, Priority, Reopen, Resolve, Resume};
        match state {
            IncidentState::New | IncidentState::Acknowledged | IncidentState::InProgress => {
                &[Acknowledge, Assign, Note, Hold, Resolve, Priority, Detach, Merge]
            }
            IncidentState::OnHold => &[Assign, Note, Hold, Resume, Resolve, Priority, Detach, Merge],
            IncidentState::Resolved => &[Note, Reopen, Close],
            IncidentState::Closed => &[],
        }
    }
}

impl ProblemVerb {
    /// What a state allows.
    pub const fn allowed_in(state: ProblemState) -> &'static [ProblemVerb] {
        use ProblemVerb::{Assign, Close, Fix, Investigate, KnownError, Note, Resolve};
        match state {
            ProblemState::New | ProblemState::Investigating | ProblemState::KnownError | ProblemState::FixInProgress => {
                &[Assign, Note, Investigate, KnownError, Fix, Resolve, Close]
            }
            ProblemState::Resolved => &[Note, Investigate, Close],
            ProblemState::Closed => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands to problems stand in blocks of stores: the bytes of each stay.
    #[test]
    fn a_stored_command_is_written_as_ever() {
        let bytes = |command: ProblemCommand| minicbor::to_vec(command).expect("a vector takes it");
        assert_eq!(bytes(ProblemCommand::Investigate {}), [0x82, 0x02, 0x80]);
        assert_eq!(bytes(ProblemCommand::Assign { to: "a".to_owned() }), [0x82, 0x00, 0x81, 0x61, b'a']);
        assert_eq!(bytes(ProblemCommand::Close { words: String::new() }), [0x82, 0x06, 0x81, 0x60]);
    }
}
