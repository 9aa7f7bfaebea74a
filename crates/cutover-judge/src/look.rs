//! What a look at the evidence comes to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rate::Seen;

/// The judge's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is shown yet, either way.
    Continue,
    /// Suspect: probably worse, but perhaps not beyond the tolerance. No further step, no way back.
    Hold,
    /// Worse beyond the tolerance.
    Rollback,
    /// Shown not to be worse.
    Promote,
    /// The time is over, and nothing was shown.
    Inconclusive,
    /// The candidate got no request, or a metric that is required has nothing.
    NoData,
    /// Requests were not shared as they were meant to be: what is compared is not alike.
    Invalid,
}

impl Verdict {
    /// Its name, as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Continue => "continue",
            Verdict::Hold => "hold",
            Verdict::Rollback => "rollback",
            Verdict::Promote => "promote",
            Verdict::Inconclusive => "inconclusive",
            Verdict::NoData => "no_data",
            Verdict::Invalid => "invalid",
        }
    }
}

/// What of a metric is compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The share of bad answers.
    Errors,
    /// The share of answers slower than a quantile of stable's, with the tolerance.
    Slow {
        /// The quantile, 0 to 1.
        quantile: f64,
        /// The latency, in microseconds.
        above: u64,
    },
}

/// What one metric shows. All evidence is a natural logarithm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// Which metric; empty for the requests that the proxy counts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metric: String,
    /// What of it.
    pub kind: Kind,
    /// Evidence that it is worse beyond the tolerance.
    pub log_beyond: f64,
    /// Evidence that it is worse at all.
    pub log_worse: f64,
    /// Evidence that it is not worse by more than what is asked for a promotion.
    pub log_not_worse: f64,
    /// What is seen.
    pub seen: Seen,
    /// The candidate's share of what was compared.
    pub share: f64,
    /// The most that it is worse, with evidence of 1/β.
    pub at_most: f64,
    /// Seconds until it is shown not to be worse, if all goes on as it is; `None` if it would never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<f64>,
}

/// One look at all metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Look {
    /// What they come to.
    pub verdict: Verdict,
    /// Evidence of all metrics together that the candidate is worse beyond the tolerance: the mean
    /// of e-values is one, whatever metrics have to do with each other.
    pub log_beyond: f64,
    /// ... that it is worse at all.
    pub log_worse: f64,
    /// ... that it is not worse: that of the weakest metric.
    pub log_not_worse: f64,
    /// Each metric.
    pub parts: Vec<Part>,
}

impl Look {
    /// The metric that decides: the one with the most evidence of harm, or, where there is none,
    /// the one that is farthest from being shown not to be worse.
    #[must_use]
    pub fn telling(&self) -> Option<&Part> {
        let parts = self.parts.iter();
        match self.verdict {
            Verdict::Rollback => parts.max_by(|a, b| a.log_beyond.total_cmp(&b.log_beyond)),
            Verdict::Hold => parts.max_by(|a, b| a.log_worse.total_cmp(&b.log_worse)),
            Verdict::Continue
            | Verdict::Promote
            | Verdict::Inconclusive
            | Verdict::NoData
            | Verdict::Invalid => parts.min_by(|a, b| a.log_not_worse.total_cmp(&b.log_not_worse)),
        }
    }
    /// Seconds until the candidate is shown not to be worse, if all goes on as it is.
    #[must_use]
    pub fn needs(&self) -> Option<f64> {
        let needs = self.parts.iter().map(|part| part.needs);
        needs.reduce(|a, b| Some(a?.max(b?))).flatten()
    }
}
