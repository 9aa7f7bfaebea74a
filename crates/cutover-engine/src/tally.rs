//! The tally of one rollout: what the data plane counted since it began, and the sample of the
//! stage it is in.

use std::collections::BTreeMap;

use cutover_core::dataplane::{Counters, Second, Seconds};
use cutover_core::guard::Sample;
use cutover_core::id::ReleaseId;
use cutover_core::units::At;

/// Counts of one rollout.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    cursor: Option<(u64, u64)>,
    open: Option<Second>,
    /// Since the rollout began, all releases and none.
    pub(crate) all: Counters,
    /// Since the rollout began, the candidate.
    pub(crate) candidate: Counters,
    stage: Sample,
    latency: BTreeMap<u64, u64>,
    /// Whether the newest look at the data plane succeeded.
    pub(crate) looked: bool,
    /// When that was.
    pub(crate) looked_at: At,
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
        if known.is_some() {
            for second in &seconds.seconds {
                self.add(second, candidate);
            }
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
                    self.stage.counts.add(counters);
                }
            }
            if *release == candidate {
                for (upper, count) in &measured.latency {
                    *self.latency.entry(*upper).or_default() += count;
                }
            }
        }
    }

    /// The candidate's requests since the stage was entered, those of the second that is not over
    /// yet included: a bad candidate must not win a second.
    #[must_use]
    pub(crate) fn sample(&self, candidate: ReleaseId) -> Sample {
        let mut counts = self.stage.counts;
        let mut latency = self.latency.clone();
        let open = self.open.as_ref().and_then(|open| open.releases.get(&candidate));
        if let Some(measured) = open {
            measured.instances.values().for_each(|counters| counts.add(counters));
            for (upper, count) in &measured.latency {
                *latency.entry(*upper).or_default() += count;
            }
        }
        Sample { counts, latency: latency.into_iter().collect() }
    }

    /// A new stage is judged by its own requests.
    pub(crate) fn next_stage(&mut self) {
        self.stage = Sample::default();
        self.latency.clear();
    }
}
