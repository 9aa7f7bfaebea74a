//! Verdict statistics: is the new release worse than the old one? Answers stay valid however often
//! one looks, because all evidence is an e-process: a bet against "the new one is no worse" whose
//! stake grows beyond 1/α with a probability of at most α, at whatever time one stops.
//!
//! Pure: no clock, no I/O, no randomness. Callers feed counts per second and ask for a look.

pub mod conversions;
pub mod kayenta;
pub mod limit;
pub mod srm;

mod baseline;
mod bets;
mod counts;
mod judge;
mod latency;
mod look;
mod noise;
pub mod power;
mod rate;
mod scatter;
mod share;
mod stakes;
mod sums;
mod tempering;

pub use bets::Margin;
pub use counts::{Arm, Counts, Tick};
pub use judge::{Compare, Judge, Settings};
pub use latency::Latency;
pub use look::{Kind, Look, Part, Verdict};
pub use rate::{Rate, Seen};
pub use share::Realised;
