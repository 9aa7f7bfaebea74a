//! Latency: false alarms and detection.

use crate::page;
use crate::plan::Plan;
use crate::sim::slowness::{SLOW_METHODS, Slow, SlowMethod, SlowWorld, slow_cell};
use crate::targets::Targets;

fn columns<'a>(first: &'a str) -> Vec<&'a str> {
    let methods = SLOW_METHODS.map(SlowMethod::name);
    [first, "rps", "rollouts"].into_iter().chain(methods).collect()
}

/// Both tables.
pub(crate) fn tables(plan: &Plan, targets: &mut Targets) {
    false_alarms(plan, targets);
    detection(plan, targets);
}

fn false_alarms(plan: &Plan, targets: &mut Targets) {
    page::head("Latency, no change: turned back within 60 min", &columns("world"));
    let worlds = [
        ("clean", 0.0, 0.0, 0.01),
        ("own noise 5 % / 10 s", 0.05, 0.0, 0.015),
        ("and lasting ±3 %", 0.05, 0.03, 0.015),
    ];
    let mut number = 400;
    for (name, brief, lasting, limit) in worlds {
        for (rate, full) in [(10.0, 2000), (100.0, 1000), (1000.0, 200)] {
            number += 1;
            let runs = plan.runs(full);
            let world = SlowWorld { rate, slow: Slow::None, brief, lasting };
            let cell = slow_cell(world, number, runs, plan.threads);
            let mut cells = vec![name.to_owned(), rate.to_string(), runs.to_string()];
            cells.extend(SLOW_METHODS.map(|method| page::percent(cell.of(method).share())));
            page::row(&cells);
            let what = format!("false rollback by latency, {name}, {rate} rps");
            targets.share(&what, cell.of(SlowMethod::Robust).share(), limit);
        }
    }
}

fn detection(plan: &Plan, targets: &mut Targets) {
    page::head(
        "Latency, slower: share if not all, median / 90th percentile of seconds",
        &columns("harm"),
    );
    let harms = [
        ("all ×1.3", Slow::All(1.3)),
        ("all ×2", Slow::All(2.0)),
        ("slowest 5 % ×2", Slow::Tail(2.0)),
        ("all ×1.3 from minute 30", Slow::Late(1.3)),
    ];
    let mut number = 450;
    for (name, slow) in harms {
        for (rate, full) in [(10.0, 500), (100.0, 400), (1000.0, 40)] {
            number += 1;
            let runs = plan.runs(full);
            let world = SlowWorld { rate, slow, brief: 0.0, lasting: 0.0 };
            let cell = slow_cell(world, number, runs, plan.threads);
            let mut cells = vec![name.to_owned(), rate.to_string(), runs.to_string()];
            cells.extend(SLOW_METHODS.map(|method| {
                let outcomes = cell.of(method);
                let show =
                    |part| outcomes.seconds(part).map_or("–".to_owned(), |s| s.to_string());
                let share = outcomes.share();
                let part = if share < 0.9995 { page::percent(share) + " " } else { String::new() };
                format!("{part}{} / {} s", show(0.5), show(0.9))
            }));
            page::row(&cells);
            let seconds = cell.of(SlowMethod::Robust).seconds(0.5);
            match (name, number % 3) {
                ("all ×1.3", 2) => targets.at_most("latency ×1.3, 100 rps", seconds, 30, " s"),
                ("slowest 5 % ×2", 2) => {
                    targets.at_most("latency of the slowest 5 % ×2, 100 rps", seconds, 80, " s");
                }
                _ => {}
            }
        }
    }
}
