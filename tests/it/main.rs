//! The daemon from outside: its files, its process, its socket and its exit codes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod backup;
mod board;
mod capacity;
mod check;
mod cli;
mod config;
mod daemon;
mod described;
mod disk_errors;
mod doctor;
mod events;
mod hooks;
mod http_alertmanager;
mod http_api;
mod http_bodies;
mod http_dead_letters;
mod http_events;
mod http_flood;
mod http_formats;
mod http_health;
mod http_hooks;
mod http_links;
mod http_listener;
mod http_page;
mod http_pagerduty;
mod http_problems;
mod http_report;
mod http_silences;
mod http_support;
mod http_trust;
mod http_upgrade;
mod http_vectors;
mod imports;
mod kafka;
mod kafka_out;
mod mail;
mod mail_faults;
mod past;
mod process;
mod reload;
mod smtp;
mod smtp_config;
mod telemetry;

#[path = "../common/mail_server.rs"]
mod mail_server;
#[path = "../common/messages.rs"]
mod messages;
