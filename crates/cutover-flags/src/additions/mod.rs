//! What this format has beyond flagd's, and how it becomes plain flagd: `kill`, `requires`,
//! `schedule`, `ramp` under a flag's `cutover` key, and `segments` beside `flags`.
//!
//! Everything is turned into flagd's own form before anything is compiled, so what runs here is
//! what runs there.

mod document;
mod plain;
mod ramp;
mod requires;
mod schedule;
mod segments;
mod time;

pub(crate) use document::Document;
pub use document::{NotPortable, compile_to_flagd};
pub(crate) use plain::{Parts, Plain};

/// The key under which a flag has what is ours.
pub(crate) const OURS: &str = "cutover";
/// Metadata with this prefix is for the loader and never sent to clients.
pub(crate) const HIDDEN: &str = "cutover.";
/// Metadata that tells how users are put into buckets.
pub(crate) const BUCKETING: &str = "cutover.bucketing";
/// Metadata that tells that a flag is killed: its default variant is the one it has when off.
pub(crate) const KILLED: &str = "cutover.kill";
