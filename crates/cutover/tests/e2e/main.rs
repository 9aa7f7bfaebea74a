//! The whole program from outside: real daemon, proxy, keepers and apps, each test with a Cutover of
//! its own. `cargo test -p cutover --test e2e faults` runs one part.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail that way")]

mod counts;
mod daemon;
mod demo;
mod elsewhere;
mod experiments;
mod faults;
mod flag_changes;
mod flag_ramps;
mod flag_sources;
mod flags;
mod freezes;
mod gates;
mod guide;
mod harness;
mod init;
mod judge;
mod leaving;
mod logs;
mod past;
mod prune;
mod rollouts;
mod served_flags;
mod texts;
mod tracks;
mod under_load;
mod validate;
mod verdicts;
mod watching;
