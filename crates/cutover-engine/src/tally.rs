//! The tally of one rollout: what the data plane counted since it began, and in the stage it is in.
//! It is stored every few seconds, so that a daemon that starts again goes on counting.

use std::collections::BTreeMap;

use cutover_core::comparison::{Compared, Copies};
use cutover_core::dataplane::{BySide, Counters, Second, Seconds};
use cutover_core::id::{FlagKey, ReleaseId};
use cutover_core::sample::Sample;
use cutover_core::units::At;
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::readings::Readings;

/// Counts of one rollout.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Epoch of the proxy, and where to read on from; `None` before the first look.
    cursor: Option<(u64, u64)>,
    #[serde(skip)]
    open: Option<Second>,
    /// Since the rollout began, all releases and none.
    pub(crate) all: Counters,
    /// Since the rollout began, the candidate.
    pub(crate) candidate: Counters,
    stage: StageTally,
    /// What the judge knows.
    #[serde(default)]
    pub(crate) evidence: Evidence,
    /// What metrics of one's own show.
    #[serde(default)]
    pub(crate) readings: Readings,
    /// A part is missing: the proxy started again, or forgot seconds before they were read.
    #[serde(default)]
    pub(crate) partial: bool,
    /// Whether the newest look at the data plane succeeded.
    #[serde(skip)]
    pub(crate) looked: bool,
    /// When that was.
    #[serde(skip)]
    pub(crate) looked_at: At,
    /// When it was stored last.
    #[serde(skip)]
    pub(crate) stored_at: At,
}

/// Counts of one stage.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct StageTally {
    number: usize,
    releases: BTreeMap<ReleaseId, Sample>,
    flags: BTreeMap<FlagKey, BySide>,
    copies: Copies,
}

impl Tally {
    /// Where to read on from; `None` before the first look.
    #[must_use]
    pub(crate) fn cursor(&self) -> Option<u64> {
        self.cursor.map(|(_, cursor)| cursor)
    }

    /// Takes in what was read. The first look only sets the cursor: what was before is not of this
    /// rollout.
    pub(crate) fn read(&mut self, seconds: &Seconds, candidate: ReleaseId, now: At) {
        self.looked = true;
        self.looked_at = now;
        let known = self.cursor.replace((seconds.epoch, seconds.cursor));
        // After a restart of the proxy everything it has is new.
        if let Some((epoch, _)) = known {
            self.partial |= epoch != seconds.epoch || seconds.gap;
            for second in &seconds.seconds {
                self.add(second, candidate);
                self.evidence.take(second);
            }
        } else {
            self.evidence.learn(&seconds.seconds);
        }
        self.open.clone_from(&seconds.open);
    }

    /// Takes in the second that was not over at the last look, at the end of a rollout.
    pub(crate) fn close(&mut self, candidate: ReleaseId) {
        if let Some(open) = self.open.take() {
            self.add(&open, candidate);
        }
    }

    fn add(&mut self, second: &Second, candidate: ReleaseId) {
        self.all.add(&second.none);
        for (release, measured) in &second.releases {
            for counters in measured.instances.values() {
                self.all.add(counters);
                if *release == candidate {
                    self.candidate.add(counters);
                }
            }
        }
        self.stage.add(second);
    }

    /// The stage so far, the second that is not over yet included: a bad candidate must not win a
    /// second.
    #[must_use]
    pub(crate) fn stage(&self) -> StageTally {
        let mut stage = self.stage.clone();
        if let Some(open) = &self.open {
            stage.add(open);
        }
        stage
    }

    /// A stage is judged by its own requests.
    pub(crate) fn enter(&mut self, stage: usize) {
        if self.stage.number != stage {
            self.stage = StageTally { number: stage, ..StageTally::default() };
            self.evidence.enter();
        }
    }
}

impl StageTally {
    fn add(&mut self, second: &Second) {
        for (release, measured) in &second.releases {
            self.releases.entry(*release).or_default().add(&measured.sample());
        }
        for (key, sides) in &second.flags {
            let known = self.flags.entry(key.clone()).or_default();
            known.on.add(&sides.on);
            known.off.add(&sides.off);
        }
        if let Some(copies) = &second.copies {
            self.copies.add(copies);
        }
    }

    /// Both sides of what a stage compares: the old one, the new one.
    #[must_use]
    pub(crate) fn sides(
        &self,
        of: Option<&Compared>,
        stable: Option<ReleaseId>,
        candidate: ReleaseId,
    ) -> (Sample, Sample) {
        let release = |id: ReleaseId| self.releases.get(&id).cloned().unwrap_or_default();
        let old = stable.map(release).unwrap_or_default();
        match of {
            Some(Compared::Shadow) => (old, self.copies.copy.clone()),
            Some(Compared::Flag { key, .. }) => {
                let sides = self.flags.get(key).cloned().unwrap_or_default();
                (sides.off, sides.on)
            }
            Some(Compared::Experiment | Compared::Releases | Compared::Before) | None => {
                (old, release(candidate))
            }
        }
    }

    /// What became of copies.
    #[must_use]
    pub(crate) fn copies(&self) -> &Copies {
        &self.copies
    }
}

#[cfg(test)]
mod tests {
    use cutover_core::dataplane::Measured;

    use super::*;

    fn second(number: u64, release: ReleaseId, requests: u64) -> Second {
        let counts = Counters { requests, ..Counters::default() };
        let id = cutover_core::id::InstanceId { release, slot: 0 };
        let measured = Measured { instances: [(id, counts)].into(), latency: vec![(9, requests)] };
        Second { number, releases: [(release, measured)].into(), ..Second::default() }
    }

    fn seconds(epoch: u64, cursor: u64, seconds: Vec<Second>) -> Seconds {
        Seconds { epoch, cursor, seconds, ..Seconds::default() }
    }

    #[test]
    fn a_stored_tally_goes_on_where_it_was_and_counts_nothing_twice() {
        let (old, new) = (ReleaseId(1), ReleaseId(2));
        let mut tally = Tally::default();
        tally.enter(3);
        tally.read(&seconds(7, 10, vec![second(10, new, 99)]), new, At(1));
        tally.read(&seconds(7, 11, vec![second(11, new, 5)]), new, At(2));
        tally.open = Some(second(12, new, 1));
        let text = serde_json::to_string(&tally).unwrap();
        let mut again: Tally = serde_json::from_str(&text).unwrap();
        again.enter(3);
        assert_eq!(again.cursor(), Some(11));
        again.read(&seconds(7, 12, vec![second(12, new, 2)]), new, At(3));
        assert_eq!((again.all.requests, again.candidate.requests), (7, 7));
        let (a, b) = again.stage().sides(None, Some(old), new);
        assert_eq!((a.counts.requests, b.counts.requests, b.latency), (0, 7, vec![(9, 7)]));
        again.enter(4);
        assert_eq!(again.stage().sides(None, None, new).1.counts.requests, 0);
        assert_eq!(again.all.requests, 7);
    }
}
