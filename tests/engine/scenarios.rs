//! Scenarios: what becomes of alerts, incidents and people over the whole engine, on a virtual clock.

mod capacity;
mod chains;
mod clocks;
mod costs;
mod deadlines;
mod health;
mod jobs;
mod life;
mod mails;
mod mutes;
mod outages;
mod outbox;
mod problems;
mod random;
mod realms;
mod sources;
mod threads;
