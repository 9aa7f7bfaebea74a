//! A small world for a model checker: the pure core over three instances, where everything that
//! may happen is a step of its own, in any order. Its promises are those of `invariants`.
//!
//! A look of the engine is one step, with all that follows from it. Time passes in steps of
//! [`TICK`], or at once past the patience of a stage. Two worlds are the same if nothing but times
//! differs that are beyond every limit; see `key`.

mod key;
mod steps;

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use cutover_core::id::ReleaseId;
use cutover_core::patterns::{Making, Pattern, plan};
use cutover_core::progress;
use cutover_core::record::{Keep, Record};
use cutover_core::release::Release;
use cutover_core::spec::{Source, Spec, parse};
use cutover_core::units::{At, Count};

use crate::ports::Doing;
use crate::scenario::Scenario;
use crate::weather::Faults;
use crate::world::{Check, World};
pub use steps::Step;

/// How far time goes in one step.
pub const TICK: Duration = Duration::from_secs(2);

/// How often what disturbs may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Disturbances {
    /// Exits of instances.
    pub exits: u8,
    /// Losses of readiness.
    pub losses: u8,
    /// Aborts.
    pub aborts: u8,
    /// Changes of the number of instances.
    pub scales: u8,
    /// Rollouts of a third version that take over.
    pub supersedes: u8,
    /// Restarts of the engine.
    pub restarts: u8,
}

impl Disturbances {
    /// One of each.
    pub const ONE: Disturbances =
        Disturbances { exits: 1, losses: 1, aborts: 1, scales: 1, supersedes: 1, restarts: 1 };
    /// None.
    pub const NONE: Disturbances =
        Disturbances { exits: 0, losses: 0, aborts: 0, scales: 0, supersedes: 0, restarts: 0 };
}

/// A small world.
#[derive(Clone)]
pub struct Small {
    world: World,
    left: Disturbances,
    pattern: Pattern,
}

impl Small {
    /// A deployment of a second version is under way, and nobody has looked yet. `in_place` and
    /// `batch` are those of rolling.
    ///
    /// # Errors
    /// If the spec is not valid, which it is.
    pub fn begin(
        pattern: Pattern,
        batch: Count,
        in_place: bool,
        left: Disturbances,
    ) -> Result<Small, String> {
        let surge = !in_place;
        let text = format!(
            "app: shop\ninstances: 3\nlisten: 127.0.0.1:8080\nrelease: {{ command: [serve] }}\n\
             health: {{ deadline: 4s, settle: 2s }}\n\
             drain: {{ requests: 2s, upgraded: 2s, stop: 2s }}\n\
             judge: {{ hold-limit: 4s }}\n\
             hooks: {{ after-ready: [{{ run: [smoke] }}] }}\n\
             patterns:\n  rolling: {{ batch: {batch}, surge: {surge}, pause: 2s }}\n  \
             blue-green: {{ approve: true, soak: 2s, keep: 4s }}\n  \
             canary: {{ steps: [33%], bake: 2s }}\n  \
             shadow: {{ mirror: 50%, for: 2s, then: canary }}\n  \
             ab-testing: {{ split: 50%, for: 4s }}\n  \
             feature-flag: {{ flag: new-checkout, steps: [50%], bake: 2s }}\n"
        );
        let source = Source { name: "cutover.yaml".into(), text };
        let mut spec = parse(&source, &[]).map_err(|problems| format!("{problems:?}"))?;
        spec.pattern = pattern;
        let mut small = Small { world: World::new(scenario(spec), false), left, pattern };
        small.world.now = START;
        small.world.epoch = 1;
        small.world.plane.fence = 1;
        small.world.plane.frontend = None;
        small.record(Record::EngineStarted { epoch: 1 });
        small.deploy(2);
        Ok(small)
    }

    /// The first promise that is broken.
    #[must_use]
    pub fn broken(&self) -> Option<&str> {
        self.world.broken.as_deref()
    }

    /// Is it all over, with every instance where it belongs?
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.world.is_at_rest()
    }

    /// Did the deployment succeed?
    #[must_use]
    pub fn has_succeeded(&self) -> bool {
        use cutover_core::record::Outcome;
        self.world.outcomes.contains(&Outcome::Succeeded)
    }

    fn record(&mut self, record: Record) {
        let now = self.world.now;
        self.world.write(now, None, record);
        // Nobody replays it here.
        self.world.journal.clear();
    }

    fn deploy(&mut self, version: u32) {
        let id = ReleaseId(version);
        let Ok(name) = format!("v{version}").parse() else { return };
        let world = &mut self.world;
        let spec = Spec { pattern: self.pattern, ..Spec::clone(&world.scenario.spec) };
        let live = world.app.live();
        let before = live.map_or(&world.app.rest, |rollout| &rollout.plan.before).clone();
        let making = Making { spec: &spec, n: world.app.n, before, candidate: id };
        let plan = plan(self.pattern, making);
        let known = world.releases.get(&ReleaseId(1)).cloned();
        if let Some(known) = known {
            let release = Release { id, version: name, ..Release::clone(&known) };
            world.releases.insert(id, Arc::new(release));
        }
        self.record(Record::Begun(Box::new(plan)));
    }

    /// The engine looks, decides, records and acts; false if it changed nothing.
    fn look(&mut self) -> bool {
        let world = &mut self.world;
        let now = world.now;
        world.look(now);
        world.look_at_plane();
        let seen = world.looked.1.clone();
        let next = progress::next(&world.app, &seen, now);
        let mut changed = !next.records.is_empty();
        for record in next.records {
            if matches!(record, Record::HookStarted { .. }) {
                self.world.hook_runs += 1;
            }
            self.record(record);
        }
        let world = &mut self.world;
        if next.desired.table != *seen.newest() {
            let check = world.may_publish(&next.desired.table.1);
            world.check(check);
            world.sent.push(next.desired.table.clone());
            world.send(next.desired.table);
            changed = true;
        }
        let check = world.decided();
        world.check(check);
        changed |= world.make_exist(&next.desired.instances, Doing::All);
        let check = world.steady().and_then(|()| ended(world));
        world.check(check);
        changed
    }
}

/// What a rollout that ended must have come to.
fn ended(world: &World) -> Check {
    if world.app.live().is_none() && world.is_at_rest() { world.ended() } else { Ok(()) }
}

fn scenario(spec: Spec) -> Scenario {
    // Instances exit here, and people disturb.
    let faults = Faults { stray_exit: 1, ..Faults::default() };
    Scenario { undisturbed: false, faults, ..Scenario::calm(spec) }
}

impl Hash for Small {
    fn hash<H: Hasher>(&self, state: &mut H) {
        key::key(self).hash(state);
    }
}

impl PartialEq for Small {
    fn eq(&self, other: &Small) -> bool {
        key::key(self) == key::key(other)
    }
}

impl std::fmt::Debug for Small {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = self.world.told();
        let lines = told.lines().filter(|line| !line.contains("PatternSettings"));
        write!(f, "{}\n{:?}", lines.collect::<Vec<_>>().join("\n"), self.world.broken)
    }
}

/// An experiment may be ended by a person on either side.
const KEPT: [Keep; 2] = [Keep::A, Keep::B];
/// When the world begins: no age is older than it.
const START: At = At(1_000_000);
