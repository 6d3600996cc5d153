//! Conditions and texts of rules: CEL and Alertmanager matchers, type-checked at load, lowered to our own IR, evaluated over borrowed views.
//!
//! Never evaluates with the cel crate: that has no type checker, no cost limit, and compiles a regex at every call. Nor does it parse
//! with it: a dozen parentheses overflow that parser's stack and end the process. Here depth and length are bounded, so compiling and
//! evaluating need no special thread; in tests the cel crate is the oracle of both.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "most matches over trees and values look for one kind of thirty; those that lower and evaluate name them all"
)]

mod budget;
mod calls;
mod certain;
mod check;
mod compared;
mod compute;
mod condition;
mod eval;
mod functions;
mod index;
mod lex;
mod matcher;
mod message;
mod names;
mod parse;
mod template;
mod types;
mod value;
mod view;

use std::ops::Range;

pub use budget::{Budget, Dearest};
pub use certain::{Facts, hidden};
pub use condition::{Condition, Expr, Held};
pub use eval::RunFault;
pub use index::RuleIndex;
pub use matcher::Matcher;
pub use message::{DynExpr, Message};
pub use names::Section;
pub use template::{Path, TextTemplate};
pub use view::{AlertView, CiView, IncidentView, NO_LABELS, ServiceView, SlaView, View};

/// One thing that is wrong with an expression; a policy file adds where the expression itself stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Bytes of the expression's text.
    pub span: Range<usize>,
    /// What is wrong: a lower-case sentence without a full stop.
    pub message: String,
    /// What stands beside the underline: what was expected. May be empty.
    pub label: String,
    /// How to mend it, or none.
    pub help: Option<String>,
}

impl Fault {
    /// A fault at a place, without help.
    pub(crate) fn at(span: Range<usize>, message: impl Into<String>, label: impl Into<String>) -> Fault {
        Fault { span, message: message.into(), label: label.into(), help: None }
    }

    /// The same with a way to mend it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = Some(help.into());
        self
    }
}
