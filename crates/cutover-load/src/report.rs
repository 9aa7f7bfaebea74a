//! The account of a load, as others read it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::failure::Reason;

/// What became of every request that came due, up to one moment.
///
/// `due = started + unsent`, `started = completed + failed.total + under_way`,
/// `completed = ok + rejected + errors`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The seed of this load.
    pub seed: u64,
    /// Requests per second asked for.
    pub rate: f64,
    /// When it began, in milliseconds since 1970.
    pub began_unix_ms: u64,
    /// For how long requests have come due.
    pub elapsed_ms: u64,
    /// Requests that came due.
    pub due: u64,
    /// Of these, not made because too many were under way.
    pub unsent: u64,
    /// Begun more than 10 ms after they were due: the load's own machine was too busy.
    pub late: u64,
    /// Requests begun.
    pub started: u64,
    /// Of these, handed to a connection; counted when they end.
    pub sent: u64,
    /// Begun and not ended yet.
    pub under_way: u64,
    /// Requests with a complete answer from the app.
    pub completed: u64,
    /// Answered with a status below 400.
    pub ok: u64,
    /// Answered with 4xx.
    pub rejected: u64,
    /// Answered with 5xx by the app itself.
    pub errors: u64,
    /// Without a complete answer, or with a 5xx by the proxy.
    pub failed: Failed,
    /// Complete answers by status.
    pub by_status: BTreeMap<u16, u64>,
    /// Complete answers by their `x-version`, `-` without one.
    pub by_version: BTreeMap<String, Version>,
    /// The POSTs.
    pub posts: Posts,
    /// Of complete answers, to the last byte, from when each request was due.
    pub latency: Latency,
    /// The longest time without an answer below 400 while requests came due, the beginning and
    /// the end included; answers to slow requests do not end it. A measure of downtime, as fine
    /// as the rate and the latency are.
    pub longest_gap: Gap,
    /// Times a kept connection was found closed by the server, and the request went over a new
    /// one. No failure: nobody notices.
    pub reopened: u64,
}

/// Requests without a complete answer.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Failed {
    /// All of them.
    pub total: u64,
    /// By their class.
    pub by_reason: BTreeMap<Reason, u64>,
    /// The first five.
    pub examples: Vec<Example>,
}

/// One failed request.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    /// Which request.
    pub request: u64,
    /// When it failed.
    pub at: Moment,
    /// How.
    pub reason: Reason,
    /// In the system's words.
    pub detail: String,
}

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Moment {
    /// Since the load began.
    pub offset_ms: u64,
    /// Since 1970.
    pub unix_ms: u64,
}

/// The complete answers of one version.
#[derive(Debug, Clone, Serialize)]
pub struct Version {
    /// How many, by status.
    pub by_status: BTreeMap<u16, u64>,
    /// When the first of these requests was begun.
    pub first: Moment,
    /// When the last of these requests was begun.
    pub last: Moment,
}

/// The POSTs of a load.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Posts {
    /// POSTs handed to a connection.
    pub sent: u64,
    /// POSTs answered with 201.
    pub created: u64,
    /// The ids of these, for [`duplicates`](crate::duplicates) and [`missing`](crate::missing).
    #[serde(skip)]
    pub acknowledged: Vec<String>,
}

/// Latencies in microseconds, to three digits; 0 if nothing was answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half are at most this.
    pub p50: u64,
    /// 90 % are at most this.
    pub p90: u64,
    /// 99 % are at most this.
    pub p99: u64,
    /// 99.9 % are at most this.
    pub p99_9: u64,
    /// All are at most this.
    pub max: u64,
}

/// A time without a good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// When it began.
    pub from: Moment,
    /// How long it was.
    pub ms: u64,
}
