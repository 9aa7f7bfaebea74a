//! Counts and latencies of one app, per second.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cutover_core::comparison::Copies;
use cutover_core::dataplane::{Counters, Second, Seconds};
use cutover_core::id::{FlagKey, InstanceId, ReleaseId};

use crate::part::{Part, Sides};

/// Seconds that are kept.
const KEPT: usize = 600;
/// Releases, and flags, whose sums are kept.
const SUMS: usize = 64;
/// Threads seldom meet at the same one.
const SHARDS: usize = 8;

/// The measurements of an app.
#[derive(Debug)]
pub(crate) struct Measure {
    /// The second that is going on, in parts.
    shards: [Mutex<Part>; SHARDS],
    finished: Mutex<Finished>,
}

/// How a request, or a copy of one, ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ended {
    pub(crate) counts: Counters,
    /// That of a complete answer.
    pub(crate) latency: Option<Duration>,
}

#[derive(Debug, Default)]
struct Finished {
    /// The first second of this app.
    first: u64,
    seconds: VecDeque<Second>,
    /// Since the process started.
    sums: Sums,
}

/// The sums since the process started, up to the last finished second.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums {
    pub(crate) releases: BTreeMap<ReleaseId, BTreeMap<InstanceId, Counters>>,
    pub(crate) none: Counters,
    /// By flag: on, off.
    pub(crate) flags: BTreeMap<FlagKey, (Counters, Counters)>,
    /// Without latencies.
    pub(crate) copies: Copies,
}

impl Measure {
    /// `first` is the number of the second that is going on.
    pub(crate) fn new(first: u64) -> Measure {
        let finished = Mutex::new(Finished { first, ..Finished::default() });
        Measure { shards: Default::default(), finished }
    }

    /// Counts one request that has ended.
    pub(crate) fn record(&self, instance: Option<InstanceId>, ended: &Ended) {
        self.change(|part| match instance {
            None => part.none.add(&ended.counts),
            Some(instance) => {
                let release = part.releases.entry(instance.release).or_default();
                release.instances.entry(instance).or_default().add(&ended.counts);
                release.latency.record(ended.latency);
            }
        });
    }

    /// Counts it for its sides of flags, too.
    pub(crate) fn record_sides<'a>(
        &self,
        flags: impl Iterator<Item = (&'a FlagKey, bool)>,
        ended: &Ended,
    ) {
        self.change(|part| {
            for (key, is_on) in flags {
                // Not by `entry`, which wants a key of its own each time.
                if !part.flags.contains_key(key) {
                    part.flags.insert(key.clone(), Sides::default());
                }
                if let Some(sides) = part.flags.get_mut(key) {
                    let side = if is_on { &mut sides.on } else { &mut sides.off };
                    side.record(ended);
                }
            }
        });
    }

    /// Counts what became of a copy, and how long the original and the copy took.
    pub(crate) fn copied(
        &self,
        counts: &Copies,
        original: Option<Duration>,
        copy: Option<Duration>,
    ) {
        self.change(|part| {
            let copies = part.copies.get_or_insert_default();
            copies.counts.add(counts);
            copies.original.record(original);
            copies.copy.record(copy);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Part)) {
        if let Some(shard) = self.shards.get(own_shard()) {
            change(&mut shard.lock().unwrap_or_else(PoisonError::into_inner));
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
        finished.sums.add(&sum);
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
    pub(crate) fn sums(&self) -> Sums {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner).sums.clone()
    }
}

impl Sums {
    fn add(&mut self, part: &Part) {
        self.none.add(&part.none);
        for (release, part) in &part.releases {
            let sums = self.releases.entry(*release).or_default();
            for (instance, counts) in &part.instances {
                sums.entry(*instance).or_default().add(counts);
            }
        }
        while self.releases.len() > SUMS {
            self.releases.pop_first();
        }
        for (key, sides) in &part.flags {
            let (on, off) = self.flags.entry(key.clone()).or_default();
            on.add(&sides.on.counts);
            off.add(&sides.off.counts);
        }
        while self.flags.len() > SUMS {
            self.flags.pop_first();
        }
        if let Some(copies) = &part.copies {
            self.copies.add(&copies.counts);
        }
    }
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

    fn one() -> Ended {
        Ended { counts: Counters { requests: 1, ..Counters::default() }, latency: None }
    }

    #[test]
    fn seconds_are_read_by_cursor_and_nothing_is_counted_twice_or_lost() {
        let measure = Measure::new(5);
        let id: InstanceId = "r3.1".parse().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for micros in 0..1000 {
                        let latency = Some(Duration::from_micros(micros));
                        measure.record(Some(id), &Ended { latency, ..one() });
                    }
                });
            }
        });
        measure.record(None, &one());
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
        assert_eq!(measure.sums().releases[&id.release][&id].requests, 4000);
    }

    #[test]
    fn what_is_kept_of_releases_that_went_is_bounded() {
        let measure = Measure::new(1);
        for number in 1..=1000_u32 {
            measure.record(Some(format!("r{number}.0").parse().unwrap()), &one());
            measure.finish(u64::from(number));
        }
        let sums = measure.sums();
        assert_eq!(sums.releases.len(), SUMS);
        assert!(sums.releases.contains_key(&ReleaseId(1000)), "the newest stay");
        assert_eq!(measure.after(0, 1).seconds.len(), KEPT);
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
