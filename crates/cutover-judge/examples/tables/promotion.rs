//! How soon a release is shown not to be worse, and how often wrongly.

use crate::page;
use crate::plan::Plan;
use crate::sim::errors;
use crate::sim::world::{Harm, World};
use crate::targets::Targets;

/// "Less than 1 pp worse", shown with 95 %.
pub(crate) fn table(plan: &Plan, targets: &mut Targets) {
    page::head(
        "Shown to be less than 1 pp worse (β = 5 %) within 60 min",
        &["true effect", "rps", "rollouts", "shown", "95 %", "median / 90th percentile"],
    );
    let mut number = 300;
    for (more, full) in [(0.0, 2000), (0.01, 2000), (0.1, 2000)] {
        for rate in [10.0, 100.0, 1000.0] {
            number += 1;
            let runs = plan.runs(full);
            let harm = if more > 0.0 { Harm::Always(more) } else { Harm::None };
            let world = World::clean(rate, harm);
            let outcomes = errors::promotions(world, number, runs, plan.threads);
            let show = |part| outcomes.seconds(part).map_or("–".to_owned(), |s| format!("{s} s"));
            let (low, high) = outcomes.interval();
            page::row(&[
                format!("+{} pp", more * 100.0),
                rate.to_string(),
                runs.to_string(),
                page::percent(outcomes.share()),
                format!("{:.1}–{:.1} %", low * 100.0, high * 100.0),
                format!("{} / {}", show(0.5), show(0.9)),
            ]);
            if more > 0.0 {
                let what = format!("wrongly promoted at +{} pp, {rate} rps", more * 100.0);
                targets.share(&what, outcomes.share(), 0.05);
            } else if (99.0..101.0).contains(&rate) {
                let what = "promoted at 100 rps, median";
                targets.at_most(what, outcomes.seconds(0.5), 90, " s");
            }
        }
    }
}
