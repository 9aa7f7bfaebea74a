//! The local platform with real keepers and real processes.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod adoption;
mod details;
mod ends;
mod ground;
mod orphans;
mod prune;
mod starts;
