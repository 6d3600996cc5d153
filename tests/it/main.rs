//! The daemon from outside: its files, its process, its socket and its exit codes.

mod config;
