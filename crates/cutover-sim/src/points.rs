//! Every point: each pattern, struck by each blow at each record of its journal.

use std::time::Duration;

use cutover_core::patterns::Pattern;
use cutover_core::record::Keep;
use cutover_core::spec::{Source, parse};
use cutover_core::units::At;

use crate::scenario::{Op, Scenario, VERSIONS};
use crate::strike::{Blow, Strike};
use crate::weather::{Behaviour, Showing};

/// What the instances of the candidate do, beside what is struck.
pub const CANDIDATES: [(Behaviour, Showing); 3] = [
    (Behaviour::Good, Showing::Alike),
    (Behaviour::Good, Showing::Worse),
    (Behaviour::CrashLoop, Showing::Alike),
];

/// Settings under which every pattern passes through all of its stages within seconds.
const SPEC: &str = "
app: shop
instances: 3
listen: 127.0.0.1:8080
release: { command: [serve] }
health: { deadline: 40s, settle: 3s }
drain: { requests: 5s, upgraded: 5s, stop: 3s }
hooks: { after-ready: [{ run: [smoke] }] }
judge: { hold-limit: 30s, compare: false }
patterns:
  rolling: { batch: 1, pause: 2s }
  blue-green: { soak: 2s, keep: 30s }
  canary: { steps: [10%, 50%], bake: 2s }
  shadow: { mirror: 50%, for: 3s, then: canary }
  ab-testing: { split: 25%, for: 5s }
  feature-flag: { flag: new-checkout, steps: [10%, 50%], bake: 2s }
";

/// A deployment of `v2` by one pattern over `v1`, with three instances, where nothing goes wrong
/// but the strike.
///
/// # Errors
/// If the spec is not valid, which it is.
pub fn point(
    pattern: Pattern,
    (candidate, showing): (Behaviour, Showing),
    strike: Option<Strike>,
    seed: u64,
) -> Result<Scenario, String> {
    let source = Source { name: "cutover.yaml".into(), text: SPEC.to_owned() };
    let mut spec = parse(&source, &[]).map_err(|problems| format!("{problems:?}"))?;
    spec.pattern = pattern;
    let at = |seconds| At(0) + Duration::from_secs(seconds);
    let mut behaviours = [Behaviour::Good; VERSIONS];
    behaviours[1] = candidate;
    Ok(Scenario {
        seed,
        undisturbed: strike.is_none(),
        behaviours,
        showing,
        ops: vec![
            (at(1), Op::Deploy { pattern, version: 2, supersede: false }),
            (at(25), Op::Conclude(Keep::B)),
        ],
        strike,
        ..Scenario::calm(spec)
    })
}

/// How many records the deployment writes that nothing strikes.
///
/// # Errors
/// If a promise is broken even so.
pub fn records(
    stage: &crate::conduct::Stage,
    pattern: Pattern,
    candidate: (Behaviour, Showing),
    seed: u64,
) -> Result<usize, String> {
    let ending = stage.run(point(pattern, candidate, None, seed)?, false);
    ending.broken.map_or(Ok(ending.written), Err)
}

/// Every point: its name, and the world.
///
/// # Errors
/// If a promise is broken where nothing strikes.
pub fn all(seeds: u64) -> Result<Vec<(String, Scenario)>, String> {
    let stage = crate::conduct::Stage::new().map_err(|error| error.to_string())?;
    let mut points = vec![];
    for pattern in Pattern::ALL {
        for candidate in CANDIDATES {
            for seed in 0..seeds {
                // Blows make it longer: what they add is struck, too.
                let longest = records(&stage, pattern, candidate, seed)? + 4;
                for record in 0..longest {
                    for what in Blow::ALL {
                        let name = format!("{pattern} {candidate:?} {what:?} at {record}, {seed}");
                        let strike = Some(Strike { record, what });
                        points.push((name, point(pattern, candidate, strike, seed)?));
                    }
                }
            }
        }
    }
    Ok(points)
}
