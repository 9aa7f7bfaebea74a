//! Open-loop HTTP load with an honest account.
//!
//! Request *k* is due at `start + k / rate` whatever happened to the ones before, and its latency
//! is counted from then: a server that stalls is seen to stall (no coordinated omission). Every
//! request that came due ends in exactly one of the numbers of a [`Report`].

mod account;
mod call;
mod connection;
mod failure;
mod load;
mod orders;
mod report;
mod settings;
mod summary;

pub use failure::Reason;
pub use load::Load;
pub use orders::{duplicates, missing};
pub use report::{Example, Failed, Gap, Latency, Moment, Posts, Report, Version};
pub use settings::{LoadError, Settings};
