//! Conditions and texts of rules: CEL and Alertmanager matchers, type-checked at load, lowered to our own IR, evaluated over borrowed views.
//!
//! Never evaluates with the cel crate: that has no type checker, no cost limit, and compiles a regex at every call.

mod view;

pub use view::{AlertView, CiView, IncidentView, NO_LABELS, ServiceView, View};
