//! The daemon from outside: its files, its process, its socket and its exit codes.

mod config;
mod http_formats;
mod http_listener;
mod http_trust;
