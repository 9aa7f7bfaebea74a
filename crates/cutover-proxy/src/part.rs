//! What was counted in a part of a second.

use std::collections::BTreeMap;
use std::time::Duration;

use cutover_core::comparison::Copies;
use cutover_core::dataplane::{BySide, Counters, Measured, Second};
use cutover_core::id::{FlagKey, InstanceId, ReleaseId};
use cutover_core::sample::{Latencies, Sample};
use hdrhistogram::Histogram;

use crate::measure::Ended;

const HOUR_IN_MICROS: u64 = 3_600_000_000;

/// What one group of threads counted.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) releases: BTreeMap<ReleaseId, OfRelease>,
    pub(crate) none: Counters,
    pub(crate) flags: BTreeMap<FlagKey, Sides>,
    pub(crate) copies: Option<Box<OfCopies>>,
}

#[derive(Debug, Default)]
pub(crate) struct OfRelease {
    pub(crate) instances: BTreeMap<InstanceId, Counters>,
    pub(crate) latency: Latency,
}

/// The two sides of a flag.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    pub(crate) on: Side,
    pub(crate) off: Side,
}

#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) counts: Counters,
    latency: Latency,
}

#[derive(Debug, Default)]
pub(crate) struct OfCopies {
    /// Without latencies.
    pub(crate) counts: Copies,
    pub(crate) original: Latency,
    pub(crate) copy: Latency,
}

/// Latencies; takes no room before the first one.
#[derive(Debug, Default)]
pub(crate) struct Latency(Option<Histogram<u32>>);

impl Part {
    pub(crate) fn add(&mut self, other: &Part) {
        self.none.add(&other.none);
        for (release, other) in &other.releases {
            let sum = self.releases.entry(*release).or_default();
            for (instance, counts) in &other.instances {
                sum.instances.entry(*instance).or_default().add(counts);
            }
            sum.latency.add(&other.latency);
        }
        for (key, other) in &other.flags {
            let sum = self.flags.entry(key.clone()).or_default();
            sum.on.add(&other.on);
            sum.off.add(&other.off);
        }
        if let Some(other) = &other.copies {
            let sum = self.copies.get_or_insert_default();
            sum.counts.add(&other.counts);
            sum.original.add(&other.original);
            sum.copy.add(&other.copy);
        }
    }

    /// As the second of this number.
    pub(crate) fn second(self, number: u64) -> Second {
        let release =
            |part: OfRelease| Measured { latency: part.latency.steps(), instances: part.instances };
        let flag = |sides: Sides| BySide { on: sides.on.sample(), off: sides.off.sample() };
        Second {
            number,
            releases: self.releases.into_iter().map(|(id, part)| (id, release(part))).collect(),
            none: self.none,
            flags: self.flags.into_iter().map(|(key, sides)| (key, flag(sides))).collect(),
            copies: self.copies.map(|copies| Box::new(copies.copies())),
        }
    }
}

impl Side {
    pub(crate) fn record(&mut self, ended: &Ended) {
        self.counts.add(&ended.counts);
        self.latency.record(ended.latency);
    }

    fn add(&mut self, other: &Side) {
        self.counts.add(&other.counts);
        self.latency.add(&other.latency);
    }

    fn sample(self) -> Sample {
        Sample { counts: self.counts, latency: self.latency.steps() }
    }
}

impl OfCopies {
    fn copies(self) -> Copies {
        let mut copies = self.counts;
        copies.original = self.original.steps();
        copies.copy.latency = self.copy.steps();
        copies
    }
}

impl Latency {
    pub(crate) fn record(&mut self, latency: Option<Duration>) {
        let Some(latency) = latency else { return };
        if self.0.is_none() {
            // Bounds and digits are in range, so this is always there.
            self.0 = Histogram::new_with_bounds(1, HOUR_IN_MICROS, 2).ok();
        }
        if let Some(histogram) = &mut self.0 {
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            histogram.saturating_record(micros.clamp(1, HOUR_IN_MICROS));
        }
    }

    fn add(&mut self, other: &Latency) {
        match (&mut self.0, &other.0) {
            (Some(sum), Some(other)) => {
                // All have the same bounds, so nothing is out of range.
                let _ = sum.add(other);
            }
            (none @ None, other) => none.clone_from(other),
            (Some(_), None) => {}
        }
    }

    fn steps(&self) -> Latencies {
        let steps = self.0.iter().flat_map(|histogram| histogram.iter_recorded());
        steps.map(|step| (step.value_iterated_to(), step.count_since_last_iteration())).collect()
    }
}
