//! Which runs are made, how many at a time, and until when.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::choices::{Choices, Seed, seed_for};
use crate::fault::Fault;
use crate::run::{End, Ground, Outcome, run};

/// How long a run may well take: none is begun later before the end.
fn about(seed: Seed) -> Duration {
    match Choices::of(seed).fault {
        Fault::Crowd => Duration::from_secs(75),
        _ => Duration::from_secs(25),
    }
}

/// The runs to make.
#[derive(Debug)]
pub(crate) struct Schedule {
    pub(crate) seeds: Vec<Seed>,
    pub(crate) worlds: usize,
    /// No run begins that could not end by then.
    pub(crate) until: Option<Instant>,
    /// Runs go on although promises were broken.
    pub(crate) keep_going: bool,
}

/// The seeds of so many runs: every fault equally often, in an order that is drawn anew for each
/// round, the longest first.
pub(crate) fn seeds(seed: u64, runs: usize, only: &[Fault]) -> Vec<Seed> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut seeds = Vec::new();
    while seeds.len() < runs {
        let mut round: Vec<Fault> = Fault::ALL
            .into_iter()
            .filter(|fault| only.is_empty() || only.contains(fault))
            .collect();
        random.shuffle(&mut round);
        round.sort_by_key(|fault| !matches!(fault, Fault::Crowd));
        seeds.extend(round.into_iter().map(|fault| seed_for(fault, &mut random)));
    }
    seeds.truncate(runs);
    seeds
}

impl Schedule {
    /// Makes the runs; each is told as it ends.
    pub(crate) fn play(
        self,
        ground: &Ground,
        stop: &AtomicBool,
        mut told: impl FnMut(&Outcome),
    ) -> Vec<Outcome> {
        let next = AtomicUsize::new(0);
        let broken = AtomicBool::new(false);
        let (sender, receiver) = mpsc::sync_channel(self.worlds);
        let mut outcomes = Vec::new();
        std::thread::scope(|threads| {
            for _ in 0..self.worlds {
                let sender = sender.clone();
                threads.spawn(|| {
                    let sender = sender;
                    let late =
                        |seed| self.until.is_some_and(|until| Instant::now() + about(seed) > until);
                    let over = || stop.load(Ordering::SeqCst) || broken.load(Ordering::SeqCst);
                    while !over() {
                        let index = next.fetch_add(1, Ordering::SeqCst);
                        let Some(seed) = self.seeds.get(index) else { return };
                        if late(*seed) {
                            continue;
                        }
                        let outcome = run(ground, Choices::of(*seed));
                        if matches!(outcome.end, End::Broken { .. }) && !self.keep_going {
                            broken.store(true, Ordering::SeqCst);
                        }
                        if sender.send(outcome).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            for outcome in receiver {
                told(&outcome);
                outcomes.push(outcome);
            }
        });
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_fault_comes_equally_often_and_the_seed_decides() {
        let seeds = super::seeds(5, 2 * Fault::ALL.len(), &[]);
        let mut counts: BTreeMap<Fault, usize> = BTreeMap::new();
        for seed in &seeds {
            *counts.entry(Choices::of(*seed).fault).or_default() += 1;
        }
        assert_eq!(counts.len(), Fault::ALL.len());
        assert!(counts.values().all(|count| *count == 2));
        assert_eq!(seeds, super::seeds(5, 2 * Fault::ALL.len(), &[]));
        assert_ne!(seeds, super::seeds(6, 2 * Fault::ALL.len(), &[]));
        let only = super::seeds(5, 3, &[Fault::Port]);
        assert!(only.iter().all(|seed| Choices::of(*seed).fault == Fault::Port));
    }
}
