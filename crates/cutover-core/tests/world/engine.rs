//! The engine's part: journal, people's wishes, verdicts, hooks, and the acts, each of which it may
//! not survive.

use std::time::Duration;

use cutover_core::app::{HookState, Phase};
use cutover_core::goal::goal;
use cutover_core::id::ReleaseId;
use cutover_core::observed::{Desired, Observed, State};
use cutover_core::patterns::{Making, plan, plan_back};
use cutover_core::plan::{Gate, Plan};
use cutover_core::progress::next;
use cutover_core::record::{Freeze, Record, Verdict};

use crate::faults::Judging;
use crate::scenario::Op;
use crate::world::{Check, World};

/// Why the engine does not go on.
pub(crate) enum Stop {
    /// It died.
    Death,
    /// A promise is broken.
    Broken(String),
}

impl From<String> for Stop {
    fn from(broken: String) -> Stop {
        Stop::Broken(broken)
    }
}

type Alive = Result<(), Stop>;

impl World {
    pub(crate) fn engine(&mut self) -> Check {
        match self.think_and_act() {
            Ok(()) => Ok(()),
            Err(Stop::Broken(what)) => Err(what),
            Err(Stop::Death) => {
                self.outbox.clear();
                self.dead_until = Some(self.now + self.dice.up_to(Duration::from_secs(5)));
                self.tell(|| "the engine dies".to_owned());
                Ok(())
            }
        }
    }

    /// The journal, replayed, must give what was in memory; then the data plane is told.
    pub(crate) fn restart(&mut self) -> Check {
        self.dead_until = None;
        let mut app = self.initial.clone();
        for (at, record) in &self.journal {
            let text = serde_json::to_string(record).map_err(|e| format!("I0 no text: {e}"))?;
            let record: Record =
                serde_json::from_str(&text).map_err(|e| format!("I0 not read: {e} {text}"))?;
            app.apply(*at, &record).map_err(|e| format!("I0 replay refused: {e}"))?;
        }
        if app != self.app {
            return Err("I0 replay differs from memory".to_owned());
        }
        let epoch = self.app.epoch + 1;
        self.record(Record::EngineStarted { epoch })?;
        self.fence = epoch;
        Ok(())
    }

    fn survive(&mut self) -> Alive {
        let dies = self.dice.chance(self.scenario.faults.engine_crash);
        if dies { Err(Stop::Death) } else { Ok(()) }
    }

    fn record(&mut self, record: Record) -> Check {
        self.tell(|| match &record {
            Record::Begun(plan) => format!(
                "BEGUN {} to {} from {:?}, {} stages",
                plan.pattern,
                plan.candidate,
                plan.before,
                plan.stages.len()
            ),
            other => format!("{other:?}"),
        });
        self.before_record(&record)?;
        let at = self.now;
        self.app.apply(at, &record).map_err(|e| format!("I0 illegal {record:?}: {e}"))?;
        self.journal.push((at, record));
        Ok(())
    }

    fn think_and_act(&mut self) -> Alive {
        while self.scenario.ops.first().is_some_and(|(at, _)| *at <= self.now) {
            let (_, op) = self.scenario.ops.remove(0);
            if let Some(record) = self.wish(op) {
                self.record(record)?;
            }
            self.survive()?;
        }
        self.judge_and_hooks()?;
        let seen = self.observe();
        let decided = next(&self.app, &seen, self.now);
        for record in decided.records {
            let hook = match &record {
                Record::HookStarted { stage, hook } => Some((self.begun, *stage, *hook)),
                _ => None,
            };
            self.record(record)?;
            self.survive()?;
            if let Some(hook) = hook
                && !self.hooks_run.insert(hook)
            {
                return Err(Stop::Broken(format!("I10 hook {hook:?} ran twice")));
            }
        }
        self.decided(&seen)?;
        self.act(&decided.desired, &seen)
    }

    /// What a person's wish is in the journal, if it can be granted.
    fn wish(&mut self, op: Op) -> Option<Record> {
        let live = self.app.live().map(|rollout| rollout.phase);
        match op {
            Op::Scale(n) => Some(Record::Scaled { n, by_spec: false }),
            Op::Conclude(keep) => match live {
                Some(Phase::Forward(now)) if now.reached.is_some() => {
                    let plan = self.app.live().map(|rollout| &rollout.plan);
                    let experiment =
                        !now.concluded && plan.is_some_and(|plan| plan.is_experiment(now.stage));
                    experiment.then_some(Record::Concluded { stage: now.stage, keep })
                }
                _ => None,
            },
            Op::Confirm => live.map(|_| Record::Confirmed),
            Op::Freeze => {
                let (reason, by) = ("no".to_owned(), "ana".to_owned());
                Some(Record::Frozen(Freeze { reason, by, since: self.now, until: None }))
            }
            Op::Unfreeze => Some(Record::Unfrozen),
            Op::Abort { force } => live.map(|_| Record::AbortRequested { force }),
            Op::Pause => live.map(|_| Record::Paused),
            Op::Resume => live.map(|_| Record::Resumed),
            Op::Down if live.is_none() => Some(Record::Down),
            Op::Approve => match live {
                Some(Phase::Forward(now)) => Some(Record::Approved { stage: now.stage }),
                _ => None,
            },
            Op::Deploy { pattern, candidate, supersede } if live.is_none() || supersede => {
                self.plan(candidate, |making| plan(pattern, making))
            }
            Op::Rollback { candidate } if live.is_none() => self.plan(candidate, plan_back),
            Op::Down | Op::Deploy { .. } | Op::Rollback { .. } => None,
        }
    }

    fn plan(
        &mut self,
        candidate: ReleaseId,
        make: impl FnOnce(Making<'_>) -> Plan,
    ) -> Option<Record> {
        let live = self.app.live();
        let before = live.map_or(&self.app.rest, |rollout| &rollout.plan.before).clone();
        // The engine refuses both: there is nothing to go to, or the rollout already goes there.
        if before.as_ref().is_some_and(|rest| rest.live == candidate)
            || live.is_some_and(|rollout| rollout.plan.candidate == candidate)
        {
            return None;
        }
        let spec = &self.scenario.spec;
        let mut plan = make(Making { spec, n: self.app.n, before, candidate });
        plan.patience.held = Duration::from_secs(30);
        if plan.promotes() && self.dice.chance(self.scenario.confirm) {
            plan.confirm_within(Duration::from_secs(20));
        }
        if !plan.back && self.app.frozen.is_some() {
            return None;
        }
        Some(Record::Begun(Box::new(plan)))
    }

    fn judge_and_hooks(&mut self) -> Alive {
        let Some(rollout) = self.app.live() else {
            return Ok(());
        };
        let Phase::Forward(now) = rollout.phase else {
            return Ok(());
        };
        let Some(reached) = now.reached else {
            return Ok(());
        };
        let (stage, age) = (now.stage, self.now.since(reached));
        let running = rollout.hooks.iter().find_map(|((stage, hook), state)| match state {
            // Nobody hears of the end of a hook whose engine died.
            HookState::Running { epoch } if *epoch == self.app.epoch => Some((*stage, *hook)),
            HookState::Running { .. } | HookState::Done { .. } | HookState::Lost => None,
        });
        let gates = rollout.plan.stages.get(stage).map(|stage| stage.gates.as_slice());
        let judged = gates.into_iter().flatten().any(|gate| matches!(gate, Gate::Judge { .. }));
        if judged && self.dice.chance(300) {
            let old_enough = age > Duration::from_secs(2);
            let verdict = match self.scenario.judging {
                Judging::Passes if old_enough => Verdict::Pass,
                Judging::Fails if old_enough => Verdict::Fail,
                Judging::Broken => Verdict::Error,
                Judging::Wavers => self
                    .dice
                    .pick(&[Verdict::Pass, Verdict::Inconclusive, Verdict::Error, Verdict::Fail])
                    .unwrap_or(Verdict::Error),
                Judging::Passes | Judging::Fails | Judging::Unsure => Verdict::Inconclusive,
            };
            if now.verdict != Some(verdict) {
                self.record(Record::Judged { stage, verdict })?;
                self.survive()?;
            }
        }
        if let Some((stage, hook)) = running
            && self.dice.chance(300)
        {
            let ok = self.scenario.clean || !self.dice.chance(100);
            self.record(Record::HookEnded { stage, hook, ok })?;
            self.survive()?;
        }
        Ok(())
    }

    fn act(&mut self, desired: &Desired, seen: &Observed) -> Alive {
        let goal = goal(&self.app, &self.observe(), self.now);
        if desired.table != *seen.newest() {
            let table = &desired.table.1;
            self.tell(|| {
                let serving: Vec<String> = table.serving.keys().map(ToString::to_string).collect();
                let aside = table.preview.len() + table.mirrored.len();
                let shares = match &table.deal {
                    cutover_core::table::Deal::Split { shares, .. } => format!("{shares:?}"),
                    other => format!("{other:?}"),
                };
                let flags = &table.flags;
                format!(
                    "publish {:?} {shares} {serving:?} aside {aside} {flags:?}",
                    desired.table.0
                )
            });
            self.may_publish(&goal, seen, &desired.table.1)?;
            self.published += 1;
            self.outbox.push(desired.table.clone());
        }
        self.send();
        self.survive()?;
        for (id, instance) in &seen.instances {
            if instance.state != State::Stopping && !desired.instances.contains(id) {
                self.tell(|| format!("stop {id}"));
                self.may_stop(*id, seen)?;
                self.stop(*id);
                self.survive()?;
            }
        }
        for id in &desired.instances {
            if !self.instances.contains_key(id) {
                self.tell(|| format!("start {id}"));
                self.may_start(&goal, *id)?;
                self.start(*id);
                self.survive()?;
            }
        }
        Ok(())
    }

    /// The newest table is sent again until it is accepted: the same generation and content.
    fn send(&mut self) {
        let in_force = self.in_force.0;
        self.outbox.retain(|(generation, _)| *generation > in_force);
        let Some(newest) = self.outbox.last().cloned() else {
            return;
        };
        let arrived = self.accepted.iter().any(|(_, table)| table.0 == newest.0);
        if !arrived && !self.dice.chance(self.scenario.faults.lost) {
            let due = self.now + self.dice.up_to(self.scenario.faults.late);
            self.network.push((due, newest));
        }
    }
}
