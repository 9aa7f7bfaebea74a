//! The state of one app, folded from its records. Running and replaying are the same function.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::id::FlagKey;
use crate::plan::{Budget, Downtime, Patience, Plan, Rest, Size, Standby};
use crate::record::{Freeze, Keep, Outcome, Record, Verdict, Why};
use crate::units::{At, Count};

/// Where a hook is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookState {
    /// It was started by the engine of this epoch.
    Running {
        /// The engine's start number.
        epoch: u32,
    },
    /// It ended, well or not.
    Done {
        /// Well?
        ok: bool,
    },
    /// The engine that started it is gone: nobody knows whether it ended.
    Lost,
}

/// Where a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// On its way forward.
    Forward(Forward),
    /// Turning back to rest.
    Back {
        /// Why.
        why: Why,
        /// Since when.
        since: At,
    },
    /// Over.
    Done(Outcome),
}

/// A stage on the way forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forward {
    /// Which stage, from 0.
    pub stage: usize,
    /// Since when it is aimed at.
    pub entered: At,
    /// Since when its sizes and route are there.
    pub reached: Option<At>,
    /// Since when a person is waited for, for want of a verdict.
    pub holding: Option<At>,
    /// The verdict on it.
    pub verdict: Option<Verdict>,
    /// A person said go.
    pub approved: bool,
    /// ... when the rollout held, and so knew what was wrong.
    pub overruled: bool,
    /// A person ended the experiment.
    pub concluded: bool,
}

impl Forward {
    fn enter(stage: usize, at: At) -> Forward {
        Forward {
            stage,
            entered: at,
            reached: None,
            holding: None,
            verdict: None,
            approved: false,
            overruled: false,
            concluded: false,
        }
    }
}

/// One run of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// The plan.
    pub plan: Plan,
    /// When it began.
    pub begun: At,
    /// Where it is.
    pub phase: Phase,
    /// The target size, and the one of the spec, that turning back restores.
    pub sizes_before: (Count, Count),
    /// Since when it goes on after a pause.
    pub resumed: Option<At>,
    /// Since when a person wants it to wait before the next stage.
    pub paused: Option<At>,
    /// A person asked to turn back.
    pub abort: bool,
    /// ... even if nobody serves then.
    pub force: bool,
    /// A person confirmed that the new release is good.
    pub confirmed: bool,
    /// The hooks that were started, by (stage, hook).
    pub hooks: BTreeMap<(usize, u32), HookState>,
}

impl Rollout {
    /// Until when a person has to confirm; `None` where nobody has to, or somebody has.
    #[must_use]
    pub fn confirm_until(&self) -> Option<At> {
        let Phase::Forward(forward) = self.phase else { return None };
        let limit = self.plan.stages.get(forward.stage)?.confirm_limit()?;
        forward.reached.filter(|_| !self.confirmed).map(|reached| reached + limit)
    }
    /// Is it not over yet?
    #[must_use]
    pub fn is_live(&self) -> bool {
        match self.phase {
            Phase::Forward(_) | Phase::Back { .. } => true,
            Phase::Done(_) => false,
        }
    }
}

/// Everything that is known of one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// The target number of instances.
    pub n: Count,
    /// The number that the newest good spec asked for; another `n` is by `scale`.
    pub spec_n: Count,
    /// Number of the engine's start.
    pub epoch: u32,
    /// What the app is when nothing is going on; `None` before the first release and when down.
    pub rest: Option<Rest>,
    /// The last rollout, live or over.
    pub rollout: Option<Rollout>,
    /// New releases are refused.
    pub frozen: Option<Freeze>,
    /// Flags that are off for everybody, whatever rest and plan say.
    pub killed: BTreeSet<FlagKey>,
}

/// The budget outside of rollouts: instances come back in place, scaling may go one above n.
pub const REST_BUDGET: Budget =
    Budget { surge: Size::Exactly(1), unavailable: Size::All, downtime: Downtime::Never };

/// A record that does not fit the state it meets: a bug, or a journal that was tampered with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a record does not fit: {0}")]
pub struct Illegal(pub &'static str);

impl Default for App {
    fn default() -> App {
        App {
            n: 1,
            spec_n: 0,
            epoch: 0,
            rest: None,
            rollout: None,
            frozen: None,
            killed: BTreeSet::new(),
        }
    }
}

impl App {
    /// The rollout that is not over yet.
    #[must_use]
    pub fn live(&self) -> Option<&Rollout> {
        self.rollout.as_ref().filter(|rollout| rollout.is_live())
    }

    /// Limits of the last rollout, which also hold at rest.
    #[must_use]
    pub fn drain_limits(&self) -> (Duration, Duration) {
        const BEFORE_ANY: Duration = Duration::from_secs(30);
        let patience: Option<&Patience> = self.rollout.as_ref().map(|r| &r.plan.patience);
        patience.map_or((BEFORE_ANY, BEFORE_ANY), |p| (p.drain, p.upgraded))
    }

    /// Folds one record into the state.
    ///
    /// # Errors
    /// [`Illegal`] if the record does not fit; the state is unchanged then.
    pub fn apply(&mut self, at: At, record: &Record) -> Result<(), Illegal> {
        match record {
            Record::EngineStarted { epoch } => self.engine_started(*epoch),
            Record::Scaled { n, by_spec } => self.scale(*n, *by_spec),
            Record::Down => self.go_down()?,
            Record::Base(base) => self.begin_from(base)?,
            Record::Begun(plan) => self.begin(at, plan)?,
            Record::Frozen(freeze) => self.frozen = Some(freeze.clone()),
            Record::Unfrozen => self.frozen = None,
            Record::FlagKilled { flag } => drop(self.killed.insert(flag.clone())),
            Record::FlagRestored { flag } => drop(self.killed.remove(flag)),
            Record::Reached { .. }
            | Record::Passed { .. }
            | Record::Judged { .. }
            | Record::Approved { .. }
            | Record::Concluded { .. }
            | Record::Confirmed
            | Record::HookStarted { .. }
            | Record::HookEnded { .. }
            | Record::Paused
            | Record::Resumed
            | Record::AbortRequested { .. }
            | Record::Holding { .. }
            | Record::TurnedBack(_)
            | Record::Finished(_) => self.go_on(at, record)?,
        }
        Ok(())
    }

    fn engine_started(&mut self, epoch: u32) {
        self.epoch = epoch;
        for hook in self.rollout.iter_mut().flat_map(|rollout| rollout.hooks.values_mut()) {
            if matches!(hook, HookState::Running { epoch: started } if *started < epoch) {
                *hook = HookState::Lost;
            }
        }
    }

    fn scale(&mut self, n: Count, by_spec: bool) {
        self.n = n;
        if by_spec {
            self.spec_n = n;
        }
        // What a person asks for in the middle of a rollout outlasts its end.
        if let Some(rollout) = self.rollout.as_mut().filter(|rollout| rollout.is_live()) {
            rollout.sizes_before.0 = n;
        }
    }

    fn go_down(&mut self) -> Result<(), Illegal> {
        if self.live().is_some() {
            return Err(Illegal("an app goes down while a rollout is live"));
        }
        self.rest = None;
        Ok(())
    }

    fn begin(&mut self, at: At, plan: &Plan) -> Result<(), Illegal> {
        if plan.stages.is_empty() {
            return Err(Illegal("a plan without stages"));
        }
        if !plan.back && self.frozen.as_ref().is_some_and(|freeze| freeze.holds(at)) {
            return Err(Illegal("a new release while the app is frozen"));
        }
        let superseded = self.live();
        let sizes_before = superseded.map(|old| old.sizes_before).unwrap_or((self.n, self.spec_n));
        (self.n, self.spec_n) = (plan.n, plan.spec_n);
        self.rollout = Some(Rollout {
            plan: plan.clone(),
            begun: at,
            sizes_before,
            resumed: None,
            phase: Phase::Forward(Forward::enter(0, at)),
            paused: None,
            abort: false,
            force: false,
            confirmed: false,
            hooks: BTreeMap::new(),
        });
        Ok(())
    }

    fn go_on(&mut self, at: At, record: &Record) -> Result<(), Illegal> {
        let rollout = self.rollout.as_mut().ok_or(Illegal("no rollout"))?;
        if !rollout.is_live() {
            return Err(Illegal("the rollout is over"));
        }
        match record {
            Record::AbortRequested { force } => {
                rollout.abort = true;
                rollout.force |= force;
            }
            Record::Paused => rollout.paused = Some(at),
            Record::Confirmed => rollout.confirmed = true,
            Record::Resumed => {
                rollout.paused = None;
                rollout.resumed = Some(at);
            }
            Record::HookEnded { stage, hook, ok } => {
                rollout.hooks.insert((*stage, *hook), HookState::Done { ok: *ok });
            }
            Record::Finished(outcome) => {
                let forward = matches!(rollout.phase, Phase::Forward(_));
                if forward != (*outcome == Outcome::Succeeded) {
                    return Err(Illegal("only a way forward ends well, and only a way back else"));
                }
                let rest = after(&rollout.plan, *outcome, at);
                rollout.phase = Phase::Done(*outcome);
                if *outcome == Outcome::Succeeded && !rollout.plan.promotes() {
                    // The old release stays live, at its own size.
                    (self.n, self.spec_n) = rollout.sizes_before;
                }
                self.rest = rest;
            }
            Record::TurnedBack(why) => match rollout.phase {
                Phase::Forward(_) => {
                    rollout.phase = Phase::Back { why: *why, since: at };
                    (self.n, self.spec_n) = rollout.sizes_before;
                }
                Phase::Back { .. } | Phase::Done(_) => return Err(Illegal("turned back already")),
            },
            Record::Reached { .. }
            | Record::Passed { .. }
            | Record::Judged { .. }
            | Record::Approved { .. }
            | Record::Concluded { .. }
            | Record::HookStarted { .. }
            | Record::Holding { .. } => return self.go_forward(at, record),
            Record::EngineStarted { .. }
            | Record::Begun(_)
            | Record::Scaled { .. }
            | Record::Frozen(_)
            | Record::Unfrozen
            | Record::FlagKilled { .. }
            | Record::FlagRestored { .. }
            | Record::Down
            | Record::Base(_) => return Err(Illegal("not of a rollout")),
        }
        Ok(())
    }

    fn go_forward(&mut self, at: At, record: &Record) -> Result<(), Illegal> {
        let epoch = self.epoch;
        let rollout = self.rollout.as_mut().ok_or(Illegal("no rollout"))?;
        let Phase::Forward(now) = &mut rollout.phase else {
            return Err(Illegal("the rollout turns back"));
        };
        match record {
            Record::Reached { stage } if *stage == now.stage => now.reached = Some(at),
            Record::Passed { stage }
                if *stage == now.stage
                    && now.reached.is_some()
                    && stage + 1 < rollout.plan.stages.len() =>
            {
                *now = Forward::enter(stage + 1, at);
            }
            Record::Judged { stage, verdict } if *stage == now.stage => {
                now.verdict = Some(*verdict);
            }
            Record::Approved { stage } if *stage == now.stage => {
                now.approved = true;
                now.overruled |= now.holding.is_some();
                now.holding = None;
            }
            Record::Concluded { stage, keep }
                if *stage == now.stage
                    && now.reached.is_some()
                    && !now.concluded
                    && rollout.plan.is_experiment(*stage) =>
            {
                now.concluded = true;
                // Who concludes while it holds knows what was wrong.
                now.overruled |= now.holding.is_some();
                now.holding = None;
                if *keep == Keep::B && !rollout.plan.winner.is_empty() {
                    rollout.plan.stages.truncate(stage + 1);
                    rollout.plan.stages.append(&mut rollout.plan.winner);
                }
            }
            Record::HookStarted { stage, hook } if *stage == now.stage => {
                rollout.hooks.insert((*stage, *hook), HookState::Running { epoch });
            }
            Record::Holding { stage } if *stage == now.stage => now.holding = Some(at),
            _ => return Err(Illegal("of another stage")),
        }
        Ok(())
    }
}

/// What the app rests on once a rollout ended. Only here is rest ever written.
fn after(plan: &Plan, outcome: Outcome, at: At) -> Option<Rest> {
    if outcome != Outcome::Succeeded || !plan.promotes() {
        return plan.before.clone();
    }
    let flags = plan.stages.last().map(|stage| plan.flags_at(stage)).unwrap_or_default();
    if plan.is_ramp() {
        return plan.before.clone().map(|rest| Rest { flags, ..rest });
    }
    let kept = plan.stable().filter(|old| *old != plan.candidate && plan.keep > Duration::ZERO);
    let standby = kept.map(|release| Standby { release, until: at + plan.keep });
    Some(Rest { live: plan.candidate, standby, flags })
}
