//! Judgements: each reads State and World and returns what it found with its reason. None changes anything, none calls another.

pub mod attach;
pub mod capacity;
pub mod cause;
pub mod clock;
pub mod command;
pub mod health;
pub mod identify;
pub mod job;
pub mod notify;
pub mod outbox;
pub mod problem;
pub mod rate;
pub mod rule;
pub mod slice;
pub mod suppress;
