//! Simulated worlds: random rollouts with every kind of fault, in virtual time, with the promises
//! of `invariants.rs` checked at every step.
//!
//! `CUTOVER_WORLDS=20000 cargo test -p cutover-core --test world` tries more of them;
//! `CUTOVER_SEED=7 cargo test -p cutover-core --test world -- --nocapture` traces one.

mod engine;
mod faults;
mod invariants;
mod scenario;
mod world;

use std::collections::BTreeMap;

use cutover_core::record::Outcome;
use scenario::scenario;
use world::World;

/// Ticks until a world must be at rest: more than any plan with all its limits takes.
const LONGEST: u32 = 60_000;

/// What became of one world.
struct Ending {
    broken: Option<String>,
    world: World,
}

fn run(seed: u64, trace: bool) -> Result<Ending, String> {
    let mut world = World::new(scenario(seed)?, trace);
    for _ in 0..LONGEST {
        let mut checked = world.step();
        let over = checked.is_ok() && world.begun > 0 && world.is_at_rest();
        if over {
            checked = world.ended();
        }
        if over || checked.is_err() {
            return Ok(Ending { broken: checked.err(), world });
        }
    }
    let what = if world.app.live().is_some() { "I6 a rollout does not end" } else { "I7 no rest" };
    Ok(Ending { broken: Some(what.to_owned()), world })
}

/// What became of many.
#[derive(Default)]
struct Tally {
    outcomes: BTreeMap<String, u32>,
    rollouts: usize,
    published: u32,
    /// Per promise: by which seeds it was broken, and how by the first of them.
    broken: BTreeMap<String, (Vec<u64>, String)>,
}

impl Tally {
    fn add(&mut self, seed: u64, ending: Result<Ending, String>) {
        let (what, told) = match ending {
            Ok(Ending { broken, world }) => {
                self.rollouts += world.begun;
                self.published += world.published;
                for outcome in &world.outcomes {
                    *self.outcomes.entry(format!("{outcome:?}")).or_default() += 1;
                }
                let Some(what) = broken else {
                    return;
                };
                (what, world.told())
            }
            Err(what) => (what, String::new()),
        };
        let key = what.split_whitespace().next().unwrap_or_default().to_owned();
        let entry = self.broken.entry(key).or_insert((vec![], format!("{what}\n  {told}")));
        entry.0.push(seed);
    }
    fn merge(&mut self, other: Tally) {
        for (outcome, times) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += times;
        }
        self.rollouts += other.rollouts;
        self.published += other.published;
        for (key, (seeds, told)) in other.broken {
            let entry = self.broken.entry(key).or_insert((vec![], told));
            entry.0.extend(seeds);
        }
    }
    fn has(&self, outcome: &Outcome) -> bool {
        self.outcomes.contains_key(&format!("{outcome:?}"))
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn worlds_keep_their_promises() {
    if let Some(seed) = number("CUTOVER_SEED") {
        let Ending { broken, world } = run(seed, true).unwrap();
        let scenario = scenario(seed).unwrap();
        println!("{}\n{}\n{}", scenario.told(), world.trace().join("\n"), world.told());
        assert_eq!(broken, None);
        return;
    }
    let worlds = number("CUTOVER_WORLDS").unwrap_or(400);
    let from = number("CUTOVER_FROM").unwrap_or(0);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let share = |k: u64| {
            move || {
                let mut tally = Tally::default();
                for seed in (from..from + worlds).filter(|seed| seed % threads == k) {
                    tally.add(seed, run(seed, false));
                }
                tally
            }
        };
        let running: Vec<_> = (0..threads).map(|k| scope.spawn(share(k))).collect();
        for part in running {
            tally.merge(part.join().unwrap());
        }
    });
    println!("{worlds} worlds, {} rollouts, {} tables", tally.rollouts, tally.published);
    println!("{:?}", tally.outcomes);
    for (seeds, told) in tally.broken.values() {
        let (times, some) = (seeds.len(), &seeds[..seeds.len().min(10)]);
        println!("BROKEN in {times} worlds, such as {some:?}; one of them: {told}");
        let seed = some[0];
        println!(
            "trace: CUTOVER_SEED={seed} cargo test -p cutover-core --test world -- --nocapture\n"
        );
    }
    assert!(tally.broken.is_empty(), "{} promises broken, see above", tally.broken.len());
    if worlds >= 400 {
        use cutover_core::record::Why::{Aborted, CrashLoop, HeldTooLong, Hook, NotReady, Verdict};
        assert!(tally.has(&Outcome::Succeeded));
        for why in [Aborted, CrashLoop, HeldTooLong, Hook, NotReady, Verdict] {
            assert!(tally.has(&Outcome::RolledBack(why)), "no world turned back for {why:?}");
        }
    }
}
