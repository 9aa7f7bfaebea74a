//! What load is asked for.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::time::Duration;

use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, HeaderName};

/// The load to make.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where plain requests go: `http://host[:port][/path]`.
    pub url: Uri,
    /// Requests per second.
    pub rate: f64,
    /// For how long requests come due; without it, until stopped.
    pub duration: Option<Duration>,
    /// Share of requests, 0 to 1, that go over kept connections; the others open their own and
    /// close it.
    pub keep_alive: f64,
    /// Share of requests that are POSTs of orders, each with its own `x-request-id`.
    pub posts: f64,
    /// Share of requests that go to the slow path; with `posts` at most 1.
    pub slow: f64,
    /// Path of the POSTs.
    pub orders_path: PathAndQuery,
    /// Path of the slow requests.
    pub slow_path: PathAndQuery,
    /// How long one request may take from when it is sent to its last byte.
    pub timeout: Duration,
    /// Deals the kinds of requests, and begins the ids of POSTs. The same seed twice on one
    /// orders file makes duplicates that are none.
    pub seed: u64,
    /// Headers of every request, on top of `user-agent`.
    pub headers: HeaderMap,
    /// Requests under way at most; those due beyond it are not sent, and counted.
    pub most_under_way: usize,
}

impl Settings {
    /// 100 requests per second until stopped, half of them over kept connections, under a seed
    /// of their own.
    pub fn new(url: Uri) -> Self {
        Self {
            url,
            rate: 100.0,
            duration: None,
            keep_alive: 0.5,
            posts: 0.0,
            slow: 0.0,
            orders_path: PathAndQuery::from_static("/orders"),
            slow_path: PathAndQuery::from_static("/slow?ms=2000"),
            timeout: Duration::from_secs(30),
            seed: RandomState::new().hash_one("seed"),
            headers: HeaderMap::new(),
            most_under_way: 10_000,
        }
    }

    /// The `x-request-id` of request `k`, if that is a POST.
    pub(crate) fn id(&self, k: u64) -> String {
        format!("{:x}-{k}", self.seed)
    }

    /// When request `k` is due, from the start.
    pub(crate) fn due(&self, k: u64) -> Duration {
        // Exact up to 2^53 requests, which nobody lives to see.
        Duration::try_from_secs_f64(k as f64 / self.rate).unwrap_or(Duration::MAX)
    }

    pub(crate) fn check(&self) -> Result<(), LoadError> {
        if self.url.scheme_str() != Some("http") || self.url.host().is_none() {
            return Err(LoadError::Url(self.url.clone()));
        }
        // Not faster than a clock of microseconds tells apart, not slower than one a month.
        if !(1e-6..=1e6).contains(&self.rate) {
            return Err(LoadError::Rate(self.rate));
        }
        for (name, share) in [
            ("keep-alive", self.keep_alive),
            ("posts", self.posts),
            ("slow", self.slow),
            ("posts and slow", self.posts + self.slow),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Err(LoadError::Share { name, share });
            }
        }
        let ours = [http::header::HOST, http::header::CONNECTION, ID];
        match ours.into_iter().find(|name| self.headers.contains_key(name)) {
            Some(name) => Err(LoadError::Header(name)),
            None => Ok(()),
        }
    }
}

/// The header that names a POST.
pub(crate) const ID: HeaderName = HeaderName::from_static("x-request-id");

/// Load that cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not an absolute `http` address.
    #[error("{0} is not an address like http://host:port/path")]
    Url(Uri),
    /// A rate outside a millionth to a million per second.
    #[error("a rate of {0} requests per second is out of range")]
    Rate(f64),
    /// A share outside 0 to 1.
    #[error("the share of {name}, {share}, is not between 0 and 1")]
    Share {
        /// Of what.
        name: &'static str,
        /// The number given.
        share: f64,
    },
    /// A header that the load sets itself.
    #[error("the header {0} is set by the load itself")]
    Header(HeaderName),
    /// The host has no address.
    #[error("cannot resolve {host}")]
    Resolve {
        /// The host of the URL.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No room for the latencies.
    #[error("cannot make a histogram")]
    Histogram(#[from] hdrhistogram::CreationError),
}
