//! How fast each method turns back a release that is worse, and what that costs.

use crate::page;
use crate::plan::Plan;
use crate::sim::errors::{self, Cell, METHODS, Method};
use crate::sim::outcome::Outcomes;
use crate::sim::world::{Harm, Noise, Parties, World};
use crate::targets::Targets;

const RUNS: usize = 2_000;

fn worlds() -> Vec<(String, World)> {
    let mut worlds = Vec::new();
    let mut add = |name: &str, harm: Harm, rates: &[f64]| {
        for rate in rates {
            worlds.push((format!("{name}, {rate} rps"), World::clean(*rate, harm)));
        }
    };
    add("+10 pp", Harm::Always(0.1), &[10.0, 100.0, 1000.0]);
    add("+2 pp", Harm::Always(0.02), &[1.0, 10.0, 100.0, 1000.0]);
    add("+0.5 pp", Harm::Always(0.005), &[100.0, 1000.0]);
    add("+2 pp from minute 30", Harm::Late(0.02), &[100.0, 1000.0]);
    add("leak to +5 pp in 1 h", Harm::Leak(0.05), &[100.0, 1000.0]);
    let noisy = [(Parties::Sides, "sides"), (Parties::Instances, "instances")];
    for (parties, kind) in noisy {
        for (name, more) in [("+2 pp", 0.02), ("+0.5 pp", 0.005)] {
            for rate in [100.0, 1000.0] {
                let (noise, harm) = (Noise::ALL, Harm::Always(more));
                let world = World { rate, base: 0.005, harm, noise, parties };
                worlds.push((format!("{name} under all noise ({kind}), {rate} rps"), world));
            }
        }
    }
    worlds
}

/// "97 % 63 / 120 s 17e": how many, the median and the 90th percentile, the candidate's bad answers.
fn text(outcomes: &Outcomes) -> String {
    let show =
        |part| outcomes.seconds(part).map_or("–".to_owned(), |seconds| seconds.to_string());
    let share = outcomes.share();
    let part = if share < 0.9995 { format!("{} ", page::percent(share)) } else { String::new() };
    match outcomes.bad() {
        Some(bad) => format!("{part}{} / {} s {bad}e", show(0.5), show(0.9)),
        None => part,
    }
}

/// All harm.
pub(crate) fn table(plan: &Plan, targets: &mut Targets) {
    let runs = plan.runs(RUNS);
    let methods = METHODS.map(Method::name);
    let columns: Vec<&str> = std::iter::once("harm").chain(methods).collect();
    page::head(
        &format!(
            "Worse: turned back within 60 min ({runs} rollouts; share if not all, median / 90th percentile of seconds, median of the candidate's bad answers until then)"
        ),
        &columns,
    );
    for (number, (name, world)) in worlds().into_iter().enumerate() {
        if !plan.wants(&name) {
            continue;
        }
        let cell = errors::cell(world, 200 + number as u64, runs, plan.threads);
        let mut cells = vec![name.clone()];
        cells.extend(METHODS.map(|method| text(cell.of(method))));
        page::row(&cells);
        limit(&name, &cell, targets);
    }
}

fn limit(name: &str, cell: &Cell, targets: &mut Targets) {
    let (robust, hold) = (cell.of(Method::Robust), cell.of(Method::Hold));
    let mut seconds = |outcomes: &Outcomes, part: f64, limit: u64, what: &str| {
        targets.at_most(&format!("{name}: {what}"), outcomes.seconds(part), limit, " s");
    };
    match name {
        "+10 pp, 1000 rps" => seconds(robust, 0.5, 2, "rollback, median"),
        "+2 pp, 100 rps" => {
            seconds(robust, 0.5, 65, "rollback, median");
            seconds(robust, 0.9, 135, "rollback, 90th percentile");
        }
        "+2 pp, 10 rps" => seconds(robust, 0.5, 600, "rollback, median"),
        "+2 pp from minute 30, 100 rps" => seconds(robust, 0.5, 110, "rollback, median"),
        "+0.5 pp, 1000 rps" => seconds(hold, 0.5, 45, "hold, median"),
        "+0.5 pp, 100 rps" => seconds(hold, 0.5, 430, "hold, median"),
        "+10 pp, 10 rps" | "+10 pp, 100 rps" => {
            let what = format!("{name}: bad answers of the candidate until rollback, median");
            targets.at_most(&what, robust.bad(), 6, "");
        }
        _ => {}
    }
}
