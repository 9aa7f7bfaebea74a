//! Metrics of one's own: counters and values that the judge looks at beside what the proxy counts.
//!
//! | source | asks | gives |
//! |---|---|---|
//! | `prometheus` | a Prometheus, or what answers like one, by its HTTP API | counts of both sides since the last look, or a value |
//! | `http` | a URL that answers with JSON | a value |
//! | `command` | a program that prints a number | a value |
//!
//! And, by the same client, whole [`Document`]s.

mod client;
mod command;
mod document;
mod entrance;
mod files;
mod json;
mod prometheus;
mod source;
mod tls;
mod unread;

pub use document::{Document, Fetched, Unfetched};
pub use source::Metrics;
