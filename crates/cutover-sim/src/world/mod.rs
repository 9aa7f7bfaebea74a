//! A world that holds state: a journal, instances, a data plane with its network, a clock. What
//! nature does in it is here and in the modules below, what the engine may ask of it in `ports`,
//! what must hold in `invariants`.

mod instances;
mod moments;
mod plane;
mod settle;
mod traffic;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use cutover_core::app::{App, Phase};
use cutover_core::id::{InstanceId, ReleaseId};
use cutover_core::observed::{Instance, Observed};
use cutover_core::plan::Gate;
use cutover_core::record::{Keep, Outcome, Record};
use cutover_core::release::Release;
use cutover_core::table::{Generation, Table};
use cutover_core::units::At;
use cutover_engine::journal::Entry;

use crate::dice::Dice;
use crate::scenario::{Op, Scenario};
use crate::strike::Blow;
use crate::weather::Behaviour;
pub(crate) use instances::Real;
pub use moments::Moment;
pub(crate) use plane::Plane;
pub use traffic::Exposed;

/// Nothing, or which promise was broken.
pub(crate) type Check = Result<(), String>;

/// A longer wait than any in which something still happens.
const LONGEST_TICK: Duration = Duration::from_secs(600);
/// The longest tick of a world whose times are told.
const WATCHED_LEAP: Duration = Duration::from_secs(1);
/// The longest tick where holds have a limit.
const SHORT_LEAP: Duration = Duration::from_secs(5);
/// An engine that looks as seldom as this has nothing to do but wait.
const CALM: Duration = Duration::from_millis(250);
/// Ticks without any news after which they become longer.
const QUIET: u32 = 6;

/// A world that holds state.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) dice: Dice,
    pub(crate) now: At,
    pub(crate) journal: Vec<Entry>,
    pub(crate) releases: BTreeMap<ReleaseId, Arc<Release>>,
    /// What the journal comes to, and decisions that are ahead of it.
    pub(crate) app: App,
    /// Decided and done, and not recorded yet for want of room.
    pub(crate) ahead: Vec<Record>,
    /// Until when the journal has no room.
    pub(crate) full_until: At,
    /// Number of the engine's start.
    pub(crate) epoch: u32,
    /// The start that wrote the first record.
    pub(crate) first_epoch: u32,
    /// How soon the engine wants to look again.
    pub(crate) pace: Duration,
    /// The engine died within this tick.
    pub(crate) dying: bool,
    /// When a dead engine starts again.
    pub(crate) dead_until: Option<At>,
    pub(crate) instances: BTreeMap<InstanceId, Real>,
    pub(crate) plane: Plane,
    /// Tables that the engine sent and has no answer to.
    pub(crate) sent: Vec<(Generation, Table)>,
    /// What the engine saw at its last look, and when.
    pub(crate) looked: (At, Observed),
    /// It could not look at the data plane then.
    pub(crate) blind: bool,
    /// A good instance was made to exit.
    pub(crate) made_to_exit: bool,
    /// What strikes next, once the engine acts.
    pub(crate) next_blow: Option<Blow>,
    /// What people do next, beside the scenario's own.
    pub(crate) soon: Vec<Op>,
    /// What people ask just now, and how often they asked.
    pub(crate) asking: BTreeMap<u64, Op>,
    pub(crate) asked: u64,
    /// Releases made before the flag was.
    pub(crate) unaware: BTreeSet<ReleaseId>,
    /// Hooks that were about to run: (rollout, stage, hook).
    pub(crate) hook_starts: BTreeSet<(usize, usize, u32)>,
    /// How many did.
    pub(crate) hook_runs: usize,
    /// Records written in this world.
    pub(crate) written: usize,
    /// Times that the engine looked.
    pub(crate) looks: u64,
    /// Rollouts begun.
    pub(crate) begun: usize,
    /// The live rollout was aborted.
    pub(crate) aborted: bool,
    /// It is an experiment, and which side was kept by a person.
    pub(crate) experiment: bool,
    pub(crate) kept: Option<Keep>,
    /// The rollout in whose turning back all traffic was off the candidate.
    pub(crate) off: Option<usize>,
    pub(crate) outcomes: Vec<Outcome>,
    /// When the last of them ended.
    pub(crate) ended_at: Option<At>,
    pub(crate) published: u32,
    /// The first promise that was broken.
    pub(crate) broken: Option<String>,
    /// Calls of the engine to this world, and other signs of life.
    pub(crate) activity: u64,
    /// What users got from the candidate.
    pub(crate) exposed: Exposed,
    /// What it was like over time, if somebody asks for it.
    pub(crate) moments: Option<Vec<Moment>>,
    quiet: u32,
    /// The next time that somebody waits for.
    awaited: At,
    wakers: Vec<Waker>,
    next_port: u16,
    trace: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(scenario: Scenario, trace: bool) -> World {
        let mut world = World {
            dice: Dice::new(scenario.seed ^ 0xC0FFEE),
            now: At(0),
            journal: vec![],
            releases: BTreeMap::new(),
            app: App::default(),
            ahead: vec![],
            full_until: At(0),
            epoch: 0,
            first_epoch: 0,
            pace: Duration::ZERO,
            dying: false,
            dead_until: None,
            instances: BTreeMap::new(),
            plane: Plane::default(),
            sent: vec![],
            looked: (At(0), Observed::default()),
            blind: false,
            made_to_exit: false,
            next_blow: None,
            soon: vec![],
            asking: BTreeMap::new(),
            asked: 0,
            unaware: BTreeSet::new(),
            hook_starts: BTreeSet::new(),
            hook_runs: 0,
            written: 0,
            looks: 0,
            begun: 0,
            aborted: false,
            experiment: false,
            kept: None,
            off: None,
            outcomes: vec![],
            ended_at: None,
            published: 0,
            broken: None,
            activity: 0,
            exposed: Exposed::default(),
            moments: None,
            quiet: 0,
            awaited: At(u64::MAX),
            wakers: vec![],
            next_port: 20_000,
            trace: trace.then(Vec::new),
            scenario,
        };
        if world.scenario.has_rest {
            world.settle_in();
        }
        world
    }

    pub(crate) fn tell(&mut self, what: impl FnOnce() -> String) {
        self.quiet = 0;
        if let Some(lines) = &mut self.trace {
            lines.push(format!("{:>8}  {}", self.now.0, what()));
        }
    }

    pub(crate) fn take_trace(&mut self) -> Vec<String> {
        self.trace.take().unwrap_or_default()
    }

    /// Notes a broken promise; the first one counts.
    pub(crate) fn check(&mut self, check: Check) {
        if let Err(what) = check {
            self.tell(|| what.clone());
            self.broken.get_or_insert(what);
        }
    }

    /// One tick of nature; whoever waits for the time is woken. Ticks become longer while nothing
    /// happens.
    pub(crate) fn tick(&mut self) -> Vec<Waker> {
        let short = Duration::from_millis(250) * (1 + self.dice.below(4));
        if self.pace < CALM {
            self.quiet = 0;
        }
        // Limits of seconds are not leapt over.
        let longest = match (&self.moments, &self.scenario.spec.judge) {
            (Some(_), _) => WATCHED_LEAP,
            (None, Some(_)) => SHORT_LEAP,
            (None, None) => LONGEST_TICK,
        };
        let doublings = self.quiet.saturating_sub(QUIET).min(12);
        let mut tick = (short * (1 << doublings)).min(longest);
        let next = self.scenario.ops.first().map_or(self.awaited, |(next, _)| *next);
        tick = tick.min(next.min(self.awaited).since(self.now).max(short));
        self.awaited = At(u64::MAX);
        self.quiet = self.quiet.saturating_add(1);
        self.now = self.now + tick;
        self.nature();
        self.note_moment();
        std::mem::take(&mut self.wakers)
    }

    /// Somebody waits for this time.
    pub(crate) fn wait_for(&mut self, until: At) {
        self.awaited = self.awaited.min(until);
    }

    /// Wakes the caller at the next tick.
    pub(crate) fn wake_later(&mut self, waker: &Waker) {
        self.wakers.push(waker.clone());
    }

    /// An approval that is waited for, where everything is approved.
    pub(crate) fn approval(&self) -> Option<()> {
        let rollout = self.app.live().filter(|_| self.scenario.suppose.approved)?;
        let Phase::Forward(now) = rollout.phase else { return None };
        let gates = &rollout.plan.stages.get(now.stage)?.gates;
        let waits = now.reached.is_some() && !now.approved && gates.contains(&Gate::Approval);
        waits.then_some(())
    }

    /// While nothing is going on, people need not wait: what they do next they do soon.
    pub(crate) fn hurry(&mut self) {
        let next = self.scenario.ops.first().map_or(self.now, |(at, _)| *at);
        let early = next.since(self.now + Duration::from_secs(1));
        for (at, _) in &mut self.scenario.ops {
            *at = self.now + (at.since(self.now).saturating_sub(early));
        }
    }

    fn nature(&mut self) {
        if self.dice.chance(self.scenario.faults.proxy_death) {
            self.proxy_dies();
        }
        self.tables_arrive();
        let ids: Vec<InstanceId> = self.instances.keys().copied().collect();
        for id in ids {
            self.live(id);
            self.work(id);
        }
    }

    /// Does the engine die here? Its call is never answered then.
    pub(crate) fn dies(&mut self) -> bool {
        if !self.dying && self.dice.chance(self.scenario.faults.engine_death) {
            self.kill_engine();
        }
        self.dying
    }

    pub(crate) fn kill_engine(&mut self) {
        self.dying = true;
        self.dead_until = Some(self.now + self.dice.up_to(Duration::from_secs(5)));
        self.tell(|| "the engine dies".to_owned());
    }

    /// What is true now, as an engine that knows its own tables would see it.
    pub(crate) fn observe(&self) -> Observed {
        let instances: BTreeMap<InstanceId, Instance> =
            self.instances.iter().map(|(id, real)| (*id, real.seen.clone())).collect();
        let (in_force, pending) = (self.plane.in_force.clone(), self.plane.pending());
        Observed { instances, in_force, pending }
    }

    /// The engine looks at the platform.
    pub(crate) fn look(&mut self, now: At) {
        self.looks += 1;
        self.looked.0 = now;
        let seen = self.instances.iter().map(|(id, real)| (*id, real.seen.clone()));
        self.looked.1.instances = seen.collect();
    }

    /// It looks at the data plane, and takes tables for pending that it has no answer to.
    pub(crate) fn look_at_plane(&mut self) {
        let in_force = &self.plane.in_force;
        self.sent.retain(|sent| sent.0 > in_force.0);
        let looked = &mut self.looked.1;
        if looked.in_force != *in_force {
            looked.in_force.clone_from(in_force);
        }
        if looked.pending != self.sent {
            looked.pending.clone_from(&self.sent);
        }
    }

    /// Could a request still reach it by any table?
    pub(crate) fn may_be_reached(&self, id: InstanceId) -> bool {
        self.plane.in_force.1.names(id) || self.plane.on_the_way().any(|(_, table)| table.names(id))
    }

    pub(crate) fn behaviour(&self, release: ReleaseId) -> Behaviour {
        let version = self.releases.get(&release).map(|release| release.version.as_str());
        let version = version.and_then(|version| version.trim_start_matches('v').parse().ok());
        self.scenario.behaviour(version.unwrap_or(0))
    }

    /// The newest table that the engine sent and that may come into force, or else the one in force.
    pub(crate) fn newest(&self) -> (Generation, Table) {
        let sent = self.sent.last().filter(|sent| sent.0 > self.plane.in_force.0);
        sent.unwrap_or(&self.plane.in_force).clone()
    }
}
