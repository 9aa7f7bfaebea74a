//! What a plan would do if ...: many runs of one deployment under what is supposed, by the real
//! engine.

use std::time::Duration;

use cutover_core::record::Outcome;
use cutover_core::spec::Spec;
use cutover_core::units::{At, Count};

use crate::conduct::Stage;
use crate::many::on_all_cores;
use crate::scenario::{Op, Scenario};
use crate::suppose::Suppose;
use crate::weather::Showing;
pub use crate::world::{Exposed, Moment};

/// When the deployment is asked for.
const BEGIN: At = At(1000);

/// One run of a deployment.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its seed: it alone gives the same run.
    pub seed: u64,
    /// How it ended; `None` if it did not.
    pub outcome: Option<Outcome>,
    /// How long it took.
    pub took: Duration,
    /// What users got from the new release.
    pub exposed: Exposed,
    /// The fewest ready instances that served at one time, and the most that existed.
    pub instances: (Count, Count),
    /// What it was like over time, from the beginning, whenever that changed.
    pub moments: Vec<Moment>,
    /// A promise that was broken; it never should be.
    pub broken: Option<String>,
}

/// The deployment of a second version over a first one that is live and well.
#[must_use]
pub fn scenario(spec: Spec, suppose: Suppose, seed: u64) -> Scenario {
    let worse = suppose.worse > 0 || suppose.slower != 100;
    let deploy = Op::Deploy { pattern: spec.pattern, version: 2, supersede: false };
    Scenario {
        seed,
        showing: if worse { Showing::Worse } else { Showing::Alike },
        suppose,
        ops: vec![(BEGIN, deploy)],
        ..Scenario::calm(spec)
    }
}

/// Runs it once.
#[must_use]
pub fn run(stage: &Stage, spec: Spec, suppose: Suppose, seed: u64) -> Run {
    let ending = stage.watch(scenario(spec, suppose, seed));
    let fewest = ending.moments.iter().map(|moment| moment.serving.0 + moment.serving.1).min();
    let most = ending.moments.iter().map(|moment| moment.exist).max();
    let begun = ending.moments.first().map_or(BEGIN, |moment| moment.at);
    let ended = ending.ended.unwrap_or(ending.now);
    Run {
        seed,
        outcome: ending.outcomes.last().copied(),
        took: ended.since(begun),
        exposed: ending.exposed,
        instances: (fewest.unwrap_or(0), most.unwrap_or(0)),
        moments: ending.moments,
        broken: ending.broken,
    }
}

/// Runs it often, from this seed on, on all cores.
///
/// # Errors
/// Where the system gives no runtime.
pub fn runs(spec: &Spec, suppose: Suppose, seed: u64, runs: u32) -> std::io::Result<Vec<Run>> {
    let parts = on_all_cores(|k, cores| -> std::io::Result<Vec<Run>> {
        let stage = Stage::new()?;
        let mine = (0..u64::from(runs)).skip(k).step_by(cores);
        Ok(mine.map(|at| run(&stage, spec.clone(), suppose, seed + at)).collect())
    });
    let parts: std::io::Result<Vec<Vec<Run>>> = parts.into_iter().collect();
    let mut all: Vec<Run> = parts?.into_iter().flatten().collect();
    all.sort_by_key(|run| run.seed);
    Ok(all)
}
