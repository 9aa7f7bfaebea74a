//! Random worlds with every kind of fault, in virtual time, under the real engine.

use std::time::Instant;

use cutover_core::record::Outcome;
use cutover_core::record::Why::{Aborted, CrashLoop, HeldTooLong, Hook, NotReady, Verdict};
use cutover_sim::conduct::Stage;
use cutover_sim::many::{self, Many};
use cutover_sim::scenario::scenario;

/// Rollouts that are tried.
const ROLLOUTS: u64 = 20_000;
/// Worlds until then: some begin no rollout, most begin more than one.
const BATCH: u64 = 2_000;

#[test]
fn twenty_thousand_rollouts_keep_every_promise() {
    let (begun, mut all, mut next) = (Instant::now(), Many::default(), 0);
    while all.rollouts < ROLLOUTS && all.broken.is_empty() {
        all.merge(many::run(next..next + BATCH, |seed| (seed.to_string(), scenario(seed))));
        next += BATCH;
    }
    println!("{all}in {:.1} s", begun.elapsed().as_secs_f64());
    assert!(all.broken.is_empty(), "a promise is broken: {all}");
    assert!(all.rollouts >= ROLLOUTS);
    // What these worlds are made of happened in them.
    assert!(all.engines > all.worlds, "no engine was ever started again");
    assert!(all.has(&Outcome::Succeeded));
    for why in [Aborted, CrashLoop, HeldTooLong, Hook, NotReady, Verdict] {
        assert!(all.has(&Outcome::RolledBack(why)), "no world turned back for {why:?}");
    }
}

#[test]
fn a_seed_is_a_world() {
    let run = |seed| Stage::new().unwrap().run(scenario(seed).unwrap(), true);
    for seed in [3, 14, 1592] {
        let (first, second) = (run(seed), run(seed));
        assert_eq!(first.trace, second.trace);
        assert!(first.trace.len() > 10);
    }
}
