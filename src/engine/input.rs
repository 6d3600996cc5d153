//! One alert as a door understood it: typed, bounded, on one line, before anything was decided.

use minicbor::{Decode, Encode};

use crate::ids::Realm;
use crate::limits;
use crate::text::{Labels, cut, one_line};
use crate::time::Time;
use crate::words::Severity;

/// What a sender said about one alert, in one message.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AlertInput {
    /// What its source belongs to; nothing is correlated across. Default `main`.
    #[n(0)]
    pub realm: Realm,
    /// Which configured source it came by; the bare paths are `default`.
    #[n(1)]
    pub source: String,
    /// The sender's own key; where it is empty the label set is the identity.
    #[n(2)]
    pub key: String,
    /// The alert's name, `alertname` where it has labels.
    #[n(3)]
    pub name: String,
    /// How bad, in our words.
    #[n(4)]
    pub severity: Severity,
    /// One line of what is wrong, as the sender wrote it; may be empty.
    #[n(5)]
    pub summary: String,
    /// The label set as sent.
    #[n(6)]
    pub labels: Labels,
    /// The annotations as sent, cut to bounds.
    #[n(7)]
    pub annotations: Labels,
    /// Where the sender shows it; may be empty.
    #[n(8)]
    pub url: String,
    /// The measured value as text; may be empty.
    #[n(9)]
    pub value: String,
    /// When it began to fire; `None` where the sender gives none.
    #[n(10)]
    pub starts_at: Given,
    /// When it ended or will be held to have ended; `None` where the sender gives none.
    #[n(11)]
    pub ends_at: Given,
    /// Whether the sender says that it is over. With an `ends_at` that one decides, as in Alertmanager.
    #[n(12)]
    pub resolved: bool,
    /// What is said of the alert.
    #[n(13)]
    #[cbor(default)]
    pub says: Says,
}

/// What a message says of an alert. Where it is no state, nothing else of the input counts but realm, source, key and labels, which name the alert.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub enum Says {
    /// That it fires or has cleared: its times and `resolved` say which.
    #[default]
    #[n(0)]
    State,
    /// The source says that somebody acknowledged it there. The incident's timeline says so; its state, assignee and clocks stay.
    #[n(1)]
    Acknowledged {
        /// Who; may be empty.
        #[n(0)]
        by: String,
    },
    /// The source passes on what somebody wrote there. The incident's timeline says so.
    #[n(2)]
    Noted {
        /// Who; may be empty.
        #[n(0)]
        by: String,
        /// What.
        #[n(1)]
        text: String,
    },
    /// An operator acknowledges the alert's incident through a source's API: the same as the command.
    #[n(3)]
    Acknowledge {
        /// The operator.
        #[n(0)]
        actor: String,
    },
}

/// A time that a sender may leave out.
pub type Given = Option<Time>;

/// Why an alert is refused: the place in it, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Encode, Decode)]
#[error("{place}: {expected}")]
pub struct Refused {
    /// Where in the alert: `labels.instance`, `endsAt`, ….
    #[n(0)]
    pub place: String,
    /// What was expected there.
    #[n(1)]
    pub expected: String,
}

impl AlertInput {
    /// An alert of `name` from `source` with nothing else said.
    pub fn named(source: &str, name: &str) -> AlertInput {
        AlertInput {
            realm: Realm::MAIN,
            source: source.to_owned(),
            key: String::new(),
            name: name.to_owned(),
            severity: Severity::Unknown,
            summary: String::new(),
            labels: Labels::default(),
            annotations: Labels::default(),
            url: String::new(),
            value: String::new(),
            starts_at: None,
            ends_at: None,
            resolved: false,
            says: Says::State,
        }
    }

    /// Checks every bound of `limits`, cuts what may be cut, and puts what is shown on one line.
    ///
    /// # Errors
    /// The first bound that what identifies the alert goes beyond.
    pub fn bounded(mut self) -> Result<AlertInput, Refused> {
        let refuse = |place: &str, expected: String| Err(Refused { place: place.to_owned(), expected });
        for (place, text) in [("source", self.source.as_str()), ("key", &self.key), ("name", &self.name), ("realm", self.realm.name())] {
            if text.len() > limits::NAME_BYTES_MAX {
                return refuse(place, format!("at most {} bytes, this has {}", limits::NAME_BYTES_MAX, text.len()));
            }
        }
        if self.labels.is_empty() && self.key.is_empty() {
            return refuse("labels", "at least one label with a value".to_owned());
        }
        if self.labels.len() > limits::LABELS_MAX {
            return refuse("labels", format!("at most {} labels, this has {}", limits::LABELS_MAX, self.labels.len()));
        }
        for (name, value) in self.labels.iter() {
            if name.is_empty() || name.len() > limits::LABEL_NAME_BYTES_MAX {
                return refuse("labels", format!("label names of 1 to {} bytes", limits::LABEL_NAME_BYTES_MAX));
            }
            if value.len() > limits::LABEL_VALUE_BYTES_MAX {
                let expected = format!("at most {} bytes, this has {}", limits::LABEL_VALUE_BYTES_MAX, value.len());
                return refuse(&format!("labels.{name}"), expected);
            }
        }
        if let (Some(starts), Some(ends)) = (self.starts_at, self.ends_at)
            && ends < starts
        {
            return refuse("endsAt", format!("a time not before startsAt {starts}, this is {ends}"));
        }
        let annotations = self.annotations.iter().take(limits::ANNOTATIONS_MAX);
        self.annotations = Labels::with_empty(
            annotations.map(|(name, value)| (cut(name, limits::LABEL_NAME_BYTES_MAX), cut(value, limits::ANNOTATION_BYTES_MAX))),
        );
        self.name = one_line(&self.name);
        self.summary = one_line(&cut(&self.summary, limits::ANNOTATION_BYTES_MAX));
        self.url = cut(&self.url, limits::ANNOTATION_BYTES_MAX);
        self.value = cut(&one_line(&self.value), limits::NAME_BYTES_MAX);
        self.says = self.says.bounded();
        Ok(self)
    }
}

impl Says {
    /// Cut to what a timeline shows.
    fn bounded(self) -> Says {
        let name = |name: &str| cut(&one_line(name), limits::NAME_BYTES_MAX);
        match self {
            Says::State => Says::State,
            Says::Acknowledged { by } => Says::Acknowledged { by: name(&by) },
            Says::Noted { by, text } => Says::Noted { by: name(&by), text: cut(&text, limits::ANNOTATION_BYTES_MAX) },
            Says::Acknowledge { actor } => Says::Acknowledge { actor: name(&actor) },
        }
    }
}
