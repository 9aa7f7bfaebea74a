//! Running a world to its end: nature by ticks, people by their plan, and the real engine, which
//! is killed and started again as often as the world says.

use std::sync::Arc;

use cutover_core::record::Outcome;
use cutover_core::spec::Spec;
use cutover_core::units::{At, Span};
use cutover_engine::api::{
    Action, Conflict, DeployRequest, RampRequest, RefusedKind, RollbackRequest,
};
use cutover_engine::{Engine, Kept};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, yield_now};

use crate::ports::{Shared, Simulated, subject};
use crate::scenario::{Op, Scenario};
use crate::world::{Exposed, Moment, World};

/// Ticks until a world must be at rest: more than any plan with all its limits takes.
const LONGEST: u32 = 20_000;
/// Calls of an engine within one tick; beyond it runs in circles.
const CIRCLES: u64 = 20_000;

/// What became of one world.
#[derive(Debug)]
pub struct Ending {
    /// The first promise that was broken.
    pub broken: Option<String>,
    /// How each rollout ended that was not superseded.
    pub outcomes: Vec<Outcome>,
    /// Rollouts begun.
    pub begun: usize,
    /// Tables published.
    pub published: u32,
    /// Records written.
    pub written: usize,
    /// Times that an engine looked, and decided.
    pub looks: u64,
    /// Engines started.
    pub starts: u32,
    /// The world as it is, for a person.
    pub told: String,
    /// What happened, if that was asked for.
    pub trace: Vec<String>,
    /// What it was like over time, if that was asked for.
    pub moments: Vec<Moment>,
    /// What users got from the candidate.
    pub exposed: Exposed,
    /// When the last rollout ended.
    pub ended: Option<At>,
    /// When the world was left.
    pub now: At,
}

/// Runs worlds, one after the other, on the caller's thread.
#[derive(Debug)]
pub struct Stage(Runtime);

impl Stage {
    /// Makes one; no thread is started.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn new() -> std::io::Result<Stage> {
        Builder::new_current_thread().build().map(Stage)
    }

    /// Runs a world until it is at rest, or a promise is broken.
    #[must_use]
    pub fn run(&self, scenario: Scenario, trace: bool) -> Ending {
        self.0.block_on(Conductor::new(scenario, trace).conduct())
    }

    /// The same, and notes what the world is like over time.
    #[must_use]
    pub fn watch(&self, scenario: Scenario) -> Ending {
        let conductor = Conductor::new(scenario, false);
        conductor.shared.world().moments = Some(vec![]);
        self.0.block_on(conductor.conduct())
    }
}

struct Conductor {
    shared: Shared,
    engine: Option<Arc<Engine<Simulated>>>,
    asked: JoinSet<()>,
}

impl Conductor {
    fn new(scenario: Scenario, trace: bool) -> Conductor {
        let shared = Shared::new(World::new(scenario, trace));
        Conductor { shared, engine: None, asked: JoinSet::new() }
    }

    async fn conduct(mut self) -> Ending {
        let mut over = false;
        for _ in 0..LONGEST {
            let woken = self.shared.world().tick();
            woken.into_iter().for_each(std::task::Waker::wake);
            self.start_engine().await;
            self.people();
            self.quiet().await;
            if self.shared.world().dying {
                self.bury_engine().await;
            }
            over = self.look();
            if over {
                break;
            }
        }
        if !over {
            let live = self.shared.world().app.live().is_some();
            let what = if live { "I6 a rollout does not end" } else { "I7 no rest" };
            self.shared.world().check(Err(what.to_owned()));
        }
        self.same_memory().await;
        self.bury_engine().await;
        self.ending()
    }

    /// Is it over, at rest or because of a broken promise?
    fn look(&self) -> bool {
        let mut world = self.shared.world();
        let check = world.steady();
        world.check(check);
        if world.broken.is_some() {
            return true;
        }
        let at_rest = world.is_at_rest();
        let over = at_rest && world.scenario.ops.is_empty();
        if at_rest && !over {
            world.hurry();
        }
        if over {
            let check = world.ended();
            world.check(check);
        }
        over
    }

    async fn start_engine(&mut self) {
        let epoch = {
            let mut world = self.shared.world();
            let dead = world.dead_until.is_some_and(|until| world.now < until);
            if self.engine.is_some() || dead {
                return;
            }
            world.dead_until = None;
            world.epoch += 1;
            if world.journal.is_empty() {
                world.first_epoch = world.epoch;
                world.app = world.begun_with();
            }
            world.epoch
        };
        let (kept, clock) = (Kept::simulated(self.shared.clone(), epoch), self.shared.clone());
        let start = Engine::start(kept, self.shared.parts(), |_| clock);
        tokio::pin!(start);
        // It may die while it starts.
        let started = tokio::select! {
            started = &mut start => started.ok(),
            () = self.quiet() => None,
        };
        self.engine = started.map(Arc::new);
        if self.engine.is_some() {
            self.same_memory().await;
        }
    }

    /// What the engine knows must be what the journal says.
    async fn same_memory(&self) {
        let Some(engine) = &self.engine else { return };
        if !self.shared.world().ahead.is_empty() || self.shared.world().dying {
            return;
        }
        let subject = subject(&self.shared.world().scenario.spec);
        let before = self.shared.world().replayed();
        let known = tokio::select! {
            known = engine.app(&subject) => known.ok(),
            () = self.quiet() => None,
        };
        let mut world = self.shared.world();
        // It goes on once it has answered.
        let check = match (before, world.replayed(), known) {
            (Ok(before), Ok(after), Some(known)) if before != known && after != known => {
                Err(format!("I0 the journal comes to {after:?}, the engine knows {known:?}"))
            }
            (Ok(_), Ok(_), _) => Ok(()),
            (Err(what), _, _) | (_, Err(what), _) => Err(what),
        };
        world.check(check);
    }

    /// An engine that died is gone with all that it was doing.
    async fn bury_engine(&mut self) {
        self.asked.abort_all();
        while self.asked.join_next().await.is_some() {}
        self.engine = None;
        for _ in 0..4 {
            yield_now().await;
        }
        let mut world = self.shared.world();
        world.dying = false;
        world.sent.clear();
        // Whoever got no answer asks again.
        let again = std::mem::take(&mut world.asking);
        world.soon.extend(again.into_values());
        world.forget_ahead();
    }

    /// Until everybody waits for time to pass.
    async fn quiet(&self) {
        let begin = self.shared.world().activity;
        let mut known = begin;
        loop {
            for _ in 0..4 {
                yield_now().await;
            }
            let now = self.shared.world().activity;
            if now - begin > CIRCLES {
                self.shared.world().check(Err("I29 the engine runs in circles".to_owned()));
                return;
            }
            if std::mem::replace(&mut known, now) == now {
                return;
            }
        }
    }

    /// What people want now.
    fn people(&mut self) {
        let Some(engine) = &self.engine else { return };
        let mut world = self.shared.world();
        let mut due = std::mem::take(&mut world.soon);
        due.extend(world.approval().map(|()| Op::Approve));
        while world.scenario.ops.first().is_some_and(|(at, _)| *at <= world.now) {
            due.push(world.scenario.ops.remove(0).1);
        }
        for op in due {
            world.tell(|| format!("PERSON {op:?}"));
            let (rate, limit) = (world.scenario.confirm, Span::secs(20));
            let confirm = world.dice.chance(rate).then_some(limit);
            let (engine, spec) = (Arc::clone(engine), Spec::clone(&world.scenario.spec));
            let number = world.asked;
            world.asked += 1;
            world.asking.insert(number, op.clone());
            let shared = self.shared.clone();
            self.asked.spawn(async move {
                ask(&engine, op, spec, confirm).await;
                shared.world().asking.remove(&number);
            });
        }
    }

    fn ending(&self) -> Ending {
        let mut world = self.shared.world();
        Ending {
            broken: world.broken.take(),
            outcomes: std::mem::take(&mut world.outcomes),
            begun: world.begun,
            published: world.published,
            written: world.written,
            looks: world.looks,
            starts: world.epoch,
            told: world.told(),
            trace: world.take_trace(),
            moments: world.moments.take().unwrap_or_default(),
            exposed: world.exposed,
            ended: world.ended_at,
            now: world.now,
        }
    }
}

/// What a person asks of the engine. It may refuse: that is its affair.
async fn ask(engine: &Engine<Simulated>, op: Op, spec: Spec, confirm: Option<Span>) {
    let subject = subject(&spec);
    let action = match op {
        Op::Deploy { pattern, version, supersede } => {
            let Ok(version) = format!("v{version}").parse() else { return };
            let request = DeployRequest {
                subject,
                version,
                spec: Spec { pattern, ..spec },
                base: "/".into(),
                passed: std::collections::BTreeMap::new(),
                conflict: if supersede { Conflict::Supersede } else { Conflict::Refuse },
                confirm,
                message: None,
            };
            let begun = engine.deploy(request.clone(), "ana").await;
            if begun.is_err_and(|refused| refused.kind == RefusedKind::Usage) && confirm.is_some() {
                // Some patterns have nothing to confirm.
                let _ = engine.deploy(DeployRequest { confirm: None, ..request }, "ana").await;
            }
            return;
        }
        Op::Rollback => {
            let request = RollbackRequest { subject, to: None, dry_run: false };
            let _ = engine.rollback(request, "ana").await;
            return;
        }
        Op::Ramp { to, judge } => {
            let Some(flag) = spec.patterns.feature_flag.flag else { return };
            let (steps, bake, message) = (vec![], None, None);
            let request =
                RampRequest { subject, flag, to, steps, bake, judge, message, dry_run: false };
            let _ = engine.ramp(request, "ana").await;
            return;
        }
        Op::KillFlag | Op::RestoreFlag => {
            let Some(flag) = spec.patterns.feature_flag.flag else { return };
            match op {
                Op::KillFlag => Action::KillFlag { flag, reason: None },
                _ => Action::RestoreFlag { flag, reason: None },
            }
        }
        Op::Abort { force } => Action::Abort { force },
        Op::Scale(n) => Action::Scale { n },
        Op::Pause => Action::Pause,
        Op::Resume => Action::Resume,
        Op::Approve => Action::Promote,
        Op::Conclude(keep) => Action::Conclude { keep },
        Op::Confirm => Action::Confirm,
        Op::Freeze => Action::Freeze { reason: "no".to_owned(), lasts: None },
        Op::Unfreeze => Action::Unfreeze,
        Op::Down => Action::Down,
    };
    let _ = engine.act(&subject, action, "ana").await;
}
