//! Counts and latencies of one app, per second.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cutover_core::dataplane::{Counters, Measured, Second, Seconds};
use cutover_core::id::{InstanceId, ReleaseId};
use hdrhistogram::Histogram;

/// Seconds that are kept.
const KEPT: usize = 600;
/// Releases whose sums are kept.
const SUMS: usize = 64;
/// Threads seldom meet at the same one.
const SHARDS: usize = 8;
const HOUR_IN_MICROS: u64 = 3_600_000_000;

/// The measurements of an app.
#[derive(Debug)]
pub(crate) struct Measure {
    /// The second that is going on, in parts.
    shards: [Mutex<Part>; SHARDS],
    finished: Mutex<Finished>,
}

#[derive(Debug, Default)]
struct Part {
    releases: BTreeMap<ReleaseId, OfRelease>,
    none: Counters,
}

#[derive(Debug, Default)]
struct OfRelease {
    instances: BTreeMap<InstanceId, Counters>,
    latency: Option<Histogram<u32>>,
}

#[derive(Debug, Default)]
struct Finished {
    /// The first second of this app.
    first: u64,
    seconds: VecDeque<Second>,
    /// Since the process started.
    sums: BTreeMap<ReleaseId, BTreeMap<InstanceId, Counters>>,
    none: Counters,
}

impl Measure {
    /// `first` is the number of the second that is going on.
    pub(crate) fn new(first: u64) -> Measure {
        let finished = Mutex::new(Finished { first, ..Finished::default() });
        Measure { shards: Default::default(), finished }
    }

    /// Counts one request that has ended. The latency is that of a complete answer.
    pub(crate) fn record(
        &self,
        instance: Option<InstanceId>,
        counts: &Counters,
        latency: Option<Duration>,
    ) {
        let Some(shard) = self.shards.get(own_shard()) else { return };
        let mut part = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(instance) = instance else {
            part.none.add(counts);
            return;
        };
        let release = part.releases.entry(instance.release).or_default();
        release.instances.entry(instance).or_default().add(counts);
        if let Some(latency) = latency {
            if release.latency.is_none() {
                release.latency = histogram();
            }
            if let Some(histogram) = &mut release.latency {
                let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
                histogram.saturating_record(micros.clamp(1, HOUR_IN_MICROS));
            }
        }
    }

    /// Ends the second of this number.
    pub(crate) fn finish(&self, number: u64) {
        // Locked before the shards are emptied: a reader finds each request in one place.
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sum = Part::default();
        for shard in &self.shards {
            let part = std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner));
            sum.add(&part);
        }
        finished.add(&sum);
        finished.seconds.push_back(sum.second(number));
        if finished.seconds.len() > KEPT {
            finished.seconds.pop_front();
        }
    }

    /// The finished seconds after a cursor, and the one that is going on.
    pub(crate) fn after(&self, cursor: u64, epoch: u64) -> Seconds {
        let finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        let last = finished.seconds.back().map_or(0, |second| second.number);
        // A cursor from the future is one of an earlier process: all that is here is new.
        let is_foreign = cursor > last && !finished.seconds.is_empty();
        let from = if is_foreign { 0 } else { cursor };
        let seconds: Vec<_> =
            finished.seconds.iter().filter(|second| second.number > from).cloned().collect();
        let is_forgotten = finished
            .seconds
            .front()
            .is_some_and(|oldest| oldest.number > finished.first && cursor + 1 < oldest.number);
        let mut open = Part::default();
        for shard in &self.shards {
            open.add(&shard.lock().unwrap_or_else(PoisonError::into_inner));
        }
        let number = finished.seconds.back().map_or(finished.first, |second| second.number + 1);
        Seconds {
            epoch,
            open: Some(open.second(number)),
            cursor: seconds.last().map_or(from, |second| second.number),
            gap: is_foreign || is_forgotten,
            seconds,
        }
    }

    /// The sums since the process started, up to the last finished second.
    pub(crate) fn sums(&self) -> (BTreeMap<InstanceId, Counters>, Counters) {
        let finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        let instances = finished.sums.values().flatten();
        (instances.map(|(id, counts)| (*id, *counts)).collect(), finished.none)
    }
}

impl Part {
    fn add(&mut self, other: &Part) {
        self.none.add(&other.none);
        for (release, other) in &other.releases {
            let sum = self.releases.entry(*release).or_default();
            for (instance, counts) in &other.instances {
                sum.instances.entry(*instance).or_default().add(counts);
            }
            match (&mut sum.latency, &other.latency) {
                (Some(sum), Some(other)) => {
                    // All have the same bounds, so nothing is out of range.
                    let _ = sum.add(other);
                }
                (none @ None, other) => none.clone_from(other),
                (Some(_), None) => {}
            }
        }
    }

    fn second(self, number: u64) -> Second {
        let releases = self.releases.into_iter().map(|(id, part)| (id, part.measured())).collect();
        Second { number, releases, none: self.none, ..Second::default() }
    }
}

impl Finished {
    fn add(&mut self, part: &Part) {
        self.none.add(&part.none);
        for (release, part) in &part.releases {
            let sums = self.sums.entry(*release).or_default();
            for (instance, counts) in &part.instances {
                sums.entry(*instance).or_default().add(counts);
            }
        }
        while self.sums.len() > SUMS {
            self.sums.pop_first();
        }
    }
}

impl OfRelease {
    fn measured(self) -> Measured {
        let latency = self.latency.iter().flat_map(|histogram| {
            histogram
                .iter_recorded()
                .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
        });
        Measured { latency: latency.collect(), instances: self.instances }
    }
}

fn histogram() -> Option<Histogram<u32>> {
    // Bounds and digits are in range, so this is always there.
    Histogram::new_with_bounds(1, HOUR_IN_MICROS, 2).ok()
}

/// Each thread has its own while there are enough.
fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    OWN.with(|own| *own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Counters {
        Counters { requests: 1, ..Counters::default() }
    }

    #[test]
    fn seconds_are_read_by_cursor_and_nothing_is_counted_twice_or_lost() {
        let measure = Measure::new(5);
        let id: InstanceId = "r3.1".parse().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for micros in 0..1000 {
                        measure.record(Some(id), &one(), Some(Duration::from_micros(micros)));
                    }
                });
            }
        });
        measure.record(None, &one(), None);
        let early = measure.after(0, 1);
        assert!(early.seconds.is_empty(), "only finished seconds are there");
        let open = early.open.unwrap();
        assert_eq!((open.number, open.none.requests), (5, 1));
        assert_eq!(open.releases[&id.release].instances[&id].requests, 4000);
        measure.finish(5);
        let read = measure.after(0, 1);
        assert_eq!((read.cursor, read.gap, read.seconds.len()), (5, false, 1));
        let measured = &read.seconds[0].releases[&id.release];
        assert_eq!(measured.instances[&id].requests, 4000);
        assert_eq!(measured.latency.iter().map(|(_, count)| count).sum::<u64>(), 4000);
        assert!(measured.latency.is_sorted());
        assert_eq!(read.seconds[0].none.requests, 1);
        assert!(measure.after(5, 1).seconds.is_empty());
        assert_eq!(measure.after(5, 1).cursor, 5);
        assert_eq!(measure.sums().0[&id].requests, 4000);
    }

    #[test]
    fn forgotten_seconds_and_foreign_cursors_are_gaps() {
        let measure = Measure::new(1);
        (1..=700).for_each(|number| measure.finish(number));
        let read = measure.after(50, 1);
        assert_eq!((read.gap, read.seconds.len(), read.cursor), (true, KEPT, 700));
        assert!(!measure.after(100, 1).gap);
        assert!(measure.after(99, 1).gap);
        let foreign = measure.after(100_000, 1);
        assert_eq!((foreign.gap, foreign.cursor), (true, 700));
    }
}
