//! How often each method turns back a release that is not worse.

use crate::page;
use crate::plan::Plan;
use crate::sim::errors::{self, Cell, METHODS, Method};
use crate::sim::world::{Harm, Noise, Parties, World};
use crate::targets::Targets;

const RUNS: usize = 10_000;

fn head(title: &str) {
    let methods = METHODS.map(Method::name);
    let columns: Vec<&str> = std::iter::once("world").chain(methods).chain(["95 %"]).collect();
    page::head(title, &columns);
}

fn row(name: &str, cell: &Cell) {
    let mut cells = vec![name.to_owned()];
    cells.extend(METHODS.map(|method| page::percent(cell.of(method).share())));
    let (low, high) = cell.of(Method::Robust).interval();
    cells.push(format!("{:.2}–{:.2} %", low * 100.0, high * 100.0));
    page::row(&cells);
}

/// Requests scatter by chance alone.
pub(crate) fn clean(plan: &Plan, targets: &mut Targets) {
    let runs = plan.runs(RUNS);
    head(&format!(
        "No change, no noise: turned back within 60 min ({runs} rollouts; last column: interval of ROBUST)"
    ));
    let worlds = [(1.0, 0.005), (10.0, 0.005), (100.0, 0.005), (1000.0, 0.005), (100.0, 0.012)];
    for (number, (rate, base)) in worlds.into_iter().enumerate() {
        let world = World { base, ..World::clean(rate, Harm::None) };
        let name = format!("{rate} rps, {} % errors", base * 100.0);
        if !plan.wants(&name) {
            continue;
        }
        let cell = errors::cell(world, number as u64, runs, plan.threads);
        row(&name, &cell);
        targets.share(&format!("false rollback, {name}"), cell.of(Method::Robust).share(), 0.01);
        targets.share(&format!("false hold, {name}"), cell.of(Method::Hold).share(), 0.05);
    }
}

/// Noise of all kinds.
pub(crate) fn noise(plan: &Plan, targets: &mut Targets) {
    let none = Noise::NONE;
    let worlds = [
        ("shared drift", Noise { drift: true, ..none }, true),
        ("×20 incidents", Noise { incidents: true, ..none }, true),
        ("own noise CV 0.5 / 10 s", Noise { brief: 0.5, ..none }, true),
        ("own noise CV 0.3 / 60 s", Noise { longer: 0.3, ..none }, false),
        ("own lasting ±10 %", Noise { lasting: 0.1, ..none }, false),
        ("own lasting ±20 %", Noise { lasting: 0.2, ..none }, false),
        ("everything, CV 0.5 / 10 s", Noise { longer: 0.0, ..Noise::ALL }, true),
        ("everything, CV 0.3 / 60 s too", Noise::ALL, true),
    ];
    let kinds = [
        (Parties::Sides, "two sides, each with its own noise"),
        (Parties::Instances, "ten instances, each with its own noise"),
    ];
    let runs = plan.runs(RUNS);
    let mut number = 100;
    for (parties, kind) in kinds {
        head(&format!("No change, {kind}: turned back within 60 min ({runs} rollouts)"));
        for (name, noise, both) in worlds {
            // Shared noise is the same for any number of instances.
            let own = noise.brief + noise.longer + noise.lasting > 0.0;
            for rate in [100.0, 1000.0] {
                number += 1;
                if (rate < 1000.0 && !both) || (parties == Parties::Instances && !own) {
                    continue;
                }
                let name = format!("{name}, {rate} rps");
                if !plan.wants(&name) {
                    continue;
                }
                let world = World { rate, base: 0.005, harm: Harm::None, noise, parties };
                let cell = errors::cell(world, number, runs, plan.threads);
                row(&name, &cell);
                let what = format!("false rollback, {name} ({kind})");
                targets.share(&what, cell.of(Method::Robust).share(), 0.015);
            }
        }
    }
}
