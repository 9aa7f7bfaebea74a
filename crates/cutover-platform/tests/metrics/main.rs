//! Sources of metrics against servers, programs and a Prometheus on this machine.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

mod catching_up;
mod commands;
mod counters;
mod documents;
mod entrances;
mod failures;
mod prometheus;
mod real;
mod server;
mod setting;
