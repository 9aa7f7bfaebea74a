//! Comparisons: what a shadow, an experiment or a flag ramp has shown so far, side by side.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dataplane::Counters;
use crate::id::FlagKey;
use crate::plan::{Aside, Gate, Plan, Route, Size, Stage};
use crate::release::ReleaseName;
use crate::sample::{Latencies, Sample, add_latencies, quantile};
use crate::units::Share;

/// What two sides of a stage were like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// What is compared.
    pub of: Compared,
    /// The old side: the old release, or users with the flag off.
    pub a: Side,
    /// The new side: the new release (or its answers to copies), or users with the flag on.
    pub b: Side,
    /// How the answers to copies compare with the originals', one by one; for a shadow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<Copies>,
    /// How long the stage has been there, in milliseconds.
    pub milliseconds: u64,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compared {
    /// Answers of the old release to live requests, of the new one to their copies.
    Shadow,
    /// Two groups of users.
    Experiment,
    /// Users with the flag off and on.
    Flag {
        /// Which flag.
        key: FlagKey,
        /// The share of users it is on for.
        share: Share,
    },
    /// Two releases that share the traffic.
    Releases,
    /// The new release after the switch, the old one in the minutes before it.
    Before,
}

impl Compared {
    /// Are the same two sides compared, whatever their shares are?
    #[must_use]
    pub fn is_alike(&self, other: &Compared) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// What of it is shown to people: where nobody waits for a verdict on two releases, their
    /// counts alone would say little.
    #[must_use]
    pub fn shown(plan: &Plan, stage: &Stage) -> Option<Compared> {
        Compared::at(plan, stage).filter(|of| match of {
            Compared::Releases => stage.is_judged(),
            Compared::Shadow | Compared::Experiment | Compared::Flag { .. } => true,
            Compared::Before => false,
        })
    }

    /// What a stage of a plan compares; `None` where there is nothing beside the candidate.
    #[must_use]
    pub fn at(plan: &Plan, stage: &Stage) -> Option<Compared> {
        let partly = |share: Share| share > Share::ZERO && share < Share::FULL;
        if let Aside::Mirror(_) = stage.aside {
            return Some(Compared::Shadow);
        }
        if let (Some(key), Some(share)) = (&plan.flag, stage.flag.filter(|share| partly(*share))) {
            return Some(Compared::Flag { key: key.clone(), share });
        }
        if stage.gates.iter().any(|gate| matches!(gate, Gate::Conclude(_))) {
            return Some(Compared::Experiment);
        }
        if plan.before.is_none() || stage.sizes.candidate == Size::Zero {
            return None;
        }
        match &stage.route {
            Route::Held => None,
            // Both serve as long as the old one has instances.
            Route::Even => (stage.sizes.candidate != Size::All).then_some(Compared::Releases),
            Route::Split { candidate: share, .. } | Route::Match { share, .. } => {
                if partly(*share) {
                    Some(Compared::Releases)
                } else {
                    let after = *share == Share::FULL && stage.is_judged();
                    after.then_some(Compared::Before)
                }
            }
        }
    }
}

/// One side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Side {
    /// Its release.
    pub release: Option<ReleaseName>,
    /// Its requests.
    pub counts: Counters,
    /// Median latency in microseconds.
    pub p50: Option<u64>,
    /// 99th percentile of latency in microseconds.
    pub p99: Option<u64>,
}

impl Side {
    /// A side of these requests.
    #[must_use]
    pub fn of(release: Option<ReleaseName>, sample: &Sample) -> Side {
        let at = |share| {
            let latency = quantile(&sample.latency, share)?;
            u64::try_from(latency.as_micros()).ok()
        };
        Side { release, counts: sample.counts, p50: at(0.5), p99: at(0.99) }
    }
    /// Requests that got no good answer.
    #[must_use]
    pub fn bad(&self) -> u64 {
        self.counts.bad()
    }
}

/// How answers to copies compare with the originals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Copies {
    /// Copies sent.
    pub sent: u64,
    /// Requests that were to be copied and were not: their body turned out to be too large.
    pub too_large: u64,
    /// ... because too many copies were under way, or kept too large bodies: the new release is too
    /// slow for its share.
    pub behind: u64,
    /// Copies that got no complete answer in time.
    pub unanswered: u64,
    /// Copies whose original got no complete answer, or not before the copy's time was over: nothing
    /// to compare with.
    pub alone: u64,
    /// Both answers had the same status.
    pub same_status: u64,
    /// The statuses differed, by pair: `200 → 500`.
    pub statuses: BTreeMap<String, u64>,
    /// Both bodies had the same digest (of their first MiB, and their length); counted only where
    /// bodies are compared.
    pub same_body: u64,
    /// The digests differed, with the same status.
    pub other_body: u64,
    /// Latencies of the originals, in microseconds.
    pub original: Latencies,
    /// The new release's requests as a sample: its answers to copies.
    pub copy: Sample,
}

/// Pairs of statuses that are told apart; more are counted under `other`.
const MOST_PAIRS: usize = 32;

impl Copies {
    /// Counts a pair of statuses that differ.
    pub fn differ(&mut self, pair: String, count: u64) {
        let known = self.statuses.len() < MOST_PAIRS || self.statuses.contains_key(&pair);
        let pair = if known { pair } else { "other".to_owned() };
        *self.statuses.entry(pair).or_default() += count;
    }
    /// (pairs that can be compared, those with only a bad original, those with only a bad copy).
    ///
    /// Bad is a 5xx, or no answer. What is bad on both sides tells nothing of their difference.
    #[must_use]
    pub fn discordant(&self) -> (u64, u64, u64) {
        let (mut originals, mut copies) = (0, self.unanswered);
        for (pair, count) in &self.statuses {
            let Some((original, copy)) = pair.split_once(" → ") else { continue };
            match (original.starts_with('5'), copy.starts_with('5')) {
                (true, false) => originals += count,
                (false, true) => copies += count,
                (true, true) | (false, false) => {}
            }
        }
        (self.same_status + self.other_status() + self.unanswered, originals, copies)
    }
    /// Copies whose status differed from the original's.
    #[must_use]
    pub fn other_status(&self) -> u64 {
        self.statuses.values().sum()
    }
    /// Adds other copies to these.
    pub fn add(&mut self, more: &Copies) {
        self.sent += more.sent;
        self.too_large += more.too_large;
        self.behind += more.behind;
        self.unanswered += more.unanswered;
        self.alone += more.alone;
        self.same_status += more.same_status;
        for (pair, count) in &more.statuses {
            self.differ(pair.clone(), *count);
        }
        self.same_body += more.same_body;
        self.other_body += more.other_body;
        add_latencies(&mut self.original, &more.original);
        self.copy.add(&more.copy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pairs_with_one_bad_side_tell_of_a_difference() {
        let mut copies = Copies { same_status: 90, unanswered: 1, ..Copies::default() };
        for (pair, count) in
            [("200 → 500", 3), ("502 → 200", 2), ("500 → 503", 4), ("200 → 404", 5)]
        {
            copies.differ(pair.to_owned(), count);
        }
        assert_eq!(copies.discordant(), (105, 2, 4));
    }

    #[test]
    fn pairs_of_statuses_are_bounded_and_none_is_lost() {
        let mut copies = Copies::default();
        for status in 0..100 {
            copies.differ(format!("200 → {status}"), 2);
        }
        assert_eq!(copies.statuses.len(), MOST_PAIRS + 1);
        assert_eq!(copies.other_status(), 200);
        let mut sum = copies.clone();
        sum.add(&copies);
        assert_eq!((sum.other_status(), sum.statuses.len()), (400, MOST_PAIRS + 1));
    }
}
