//! What users of an app sent of late.

use std::time::Duration;

use cutover_core::dataplane::Seconds;
use cutover_core::id::{ReleaseId, Subject};
use cutover_core::sample::Sample;
use serde::Serialize;

use crate::client::{CallError, Client};

/// What the proxy counted of an app in its last seconds, ten minutes at most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Measured {
    /// Requests per second.
    pub(crate) rate: f64,
    /// The share of the live release's requests that got a bad answer or none.
    pub(crate) errors: f64,
    /// The latency that 99 % of its answers stay under.
    #[serde(skip)]
    pub(crate) p99: Option<Duration>,
    /// Seconds that were counted.
    pub(crate) seconds: usize,
}

impl Measured {
    /// Asks the daemon.
    pub(crate) async fn of(
        client: &Client,
        subject: &Subject,
        live: Option<ReleaseId>,
    ) -> Result<Measured, CallError> {
        let seconds: Seconds = client.get(&format!("/v1/apps/{subject}/seconds?after=0")).await?;
        Ok(Measured::from(&seconds, live))
    }

    fn from(seconds: &Seconds, live: Option<ReleaseId>) -> Measured {
        let (mut all, mut lives) = (Sample::default(), Sample::default());
        for (id, measured) in seconds.seconds.iter().flat_map(|second| &second.releases) {
            let sample = measured.sample();
            all.add(&sample);
            if Some(*id) == live {
                lives.add(&sample);
            }
        }
        let alike = if lives.counts.requests > 0 { &lives } else { &all };
        let (requests, bad) = alike.proof();
        let part = |part: u64, of: u64| if of == 0 { 0.0 } else { part as f64 / of as f64 };
        let counted = seconds.seconds.len();
        let length = u64::try_from(counted).unwrap_or(u64::MAX);
        Measured {
            rate: part(all.counts.requests, length),
            errors: part(bad.min(requests), requests),
            p99: alike.quantile(0.99),
            seconds: counted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::sample::{second, seconds};

    #[test]
    fn all_requests_make_the_rate_and_those_of_the_live_release_the_errors() {
        let all = vec![
            second(1).of(1, 90, 1, 12).of(2, 10, 10, 900).made(),
            second(2).of(1, 110, 1, 12).made(),
            second(3).made(),
        ];
        let measured = Measured::from(&seconds(7, all), Some(ReleaseId(1)));
        assert_eq!((measured.rate, measured.errors, measured.seconds), (70.0, 0.01, 3));
        assert_eq!(measured.p99, Some(Duration::from_millis(12)));
        let none = Measured::from(&Seconds::default(), None);
        assert_eq!((none.rate, none.errors, none.p99), (0.0, 0.0, None));
    }
}
