//! What is remembered: one module a feature with its record, its facts, and how a fact is applied to the record.

pub mod alert;
pub mod capacity;
pub mod cursor;
pub mod digest;
pub mod health;
pub mod incident;
pub mod job;
pub mod message;
pub mod problem;
pub mod realm;
pub mod silence;
pub mod system;
pub mod terms;
pub mod timer;
