//! The benchmark's simulation, with few rollouts of the cells that matter most.
//!
//! Bounds: a rate that is at most p in truth is above p + 4·√(p(1−p)/n) once in 30,000 times.

#[expect(dead_code, unreachable_pub, reason = "the benchmark uses more of it")]
#[path = "../examples/tables/sim/mod.rs"]
mod sim;

use sim::errors::{Method, cell, promotions};
use sim::slowness::{Slow, SlowMethod, SlowWorld, slow_cell};
use sim::world::{Harm, Noise, Parties, World};

fn most(p: f64, runs: usize) -> f64 {
    p + 4.0 * (p * (1.0 - p) / runs as f64).sqrt()
}

#[test]
fn what_is_not_worse_is_not_turned_back() {
    let runs = 200;
    let clean = cell(World::clean(100.0, Harm::None), 1, runs, 2);
    assert!(clean.of(Method::Robust).share() <= most(0.01, runs));
    assert!(clean.of(Method::Hold).share() <= most(0.05, runs));
    // The simulation is one in which other methods fail as they are known to.
    assert!(clean.of(Method::Argo3).share() > 0.25 && clean.of(Method::Z).share() > 0.1);

    let world = World {
        rate: 100.0,
        base: 0.005,
        harm: Harm::None,
        noise: Noise::ALL,
        parties: Parties::Instances,
    };
    let noisy = cell(world, 2, runs, 2);
    assert!(noisy.of(Method::Robust).share() <= most(0.015, runs));
    assert!(noisy.of(Method::Exact).share() > 0.3, "without a guard it is noise that is found");
}

#[test]
fn what_is_worse_is_found_in_time() {
    let runs = 200;
    let found = cell(World::clean(100.0, Harm::Always(0.02)), 3, runs, 2);
    let robust = found.of(Method::Robust);
    // Medians of 200 are within a quarter of the true one.
    assert!(robust.seconds(0.5).is_some_and(|s| (35..=80).contains(&s)), "{robust:?}");
    assert!(robust.seconds(0.9).is_some_and(|s| s <= 175), "{robust:?}");
    let many = cell(World::clean(100.0, Harm::Always(0.1)), 4, runs, 2);
    assert!(many.of(Method::Robust).bad().is_some_and(|bad| bad <= 7));
    let late = cell(World::clean(100.0, Harm::Late(0.02)), 5, runs, 2);
    assert!(late.of(Method::Robust).seconds(0.5).is_some_and(|s| s <= 135));
}

#[test]
fn what_is_not_worse_is_promoted_and_nothing_else() {
    let runs = 200;
    let good = promotions(World::clean(100.0, Harm::None), 6, runs, 2);
    assert!(good.seconds(0.5).is_some_and(|s| s <= 115), "{:?}", good.seconds(0.5));
    let bad = promotions(World::clean(100.0, Harm::Always(0.01)), 7, runs, 2);
    assert!(bad.share() <= most(0.05, runs), "{}", bad.share());
}

#[test]
fn slowness_is_found_and_noise_is_not() {
    let world = SlowWorld { rate: 100.0, slow: Slow::All(1.3), brief: 0.0, lasting: 0.0 };
    let slow = slow_cell(world, 8, 50, 2);
    assert!(slow.of(SlowMethod::Robust).seconds(0.5).is_some_and(|s| s <= 40));
    let noisy = SlowWorld { rate: 20.0, slow: Slow::None, brief: 0.05, lasting: 0.03 };
    let noisy = slow_cell(noisy, 9, 50, 2);
    assert!(noisy.of(SlowMethod::Robust).share() <= most(0.015, 50));
}
