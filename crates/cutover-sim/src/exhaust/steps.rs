//! What may happen next, and what becomes of it.

use cutover_core::app::{HookState, Phase};
use cutover_core::id::InstanceId;
use cutover_core::observed::State;
use cutover_core::plan::Gate;
use cutover_core::record::{Keep, Record, Verdict};
use cutover_core::units::Count;

use super::{KEPT, Small, TICK};

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The engine looks, decides, and acts.
    Look,
    /// A little time passes.
    Tick,
    /// So much time passes that a stage's patience ends.
    Wait,
    /// An instance becomes ready: a start, or a loss that is over.
    Ready(InstanceId),
    /// An instance loses its readiness.
    Lose(InstanceId),
    /// An instance exits by itself.
    Exit(InstanceId),
    /// One that exited starts again.
    Again(InstanceId),
    /// One that is stopped is gone.
    Gone(InstanceId),
    /// Its last request is answered.
    Drain(InstanceId),
    /// The table of this place on the way comes into force.
    Arrive(usize),
    /// The verdict changes.
    Judge(Verdict),
    /// The hook that runs ends.
    HookEnds(bool),
    /// A person says go.
    Approve,
    /// A person ends an experiment.
    Conclude(Keep),
    /// A person aborts.
    Abort,
    /// A person asks for so many instances.
    Scale(Count),
    /// A third version takes over.
    Supersede,
    /// The engine dies and starts again.
    Restart,
}

impl Small {
    /// Everything that may happen next.
    pub fn steps(&self, steps: &mut Vec<Step>) {
        if self.world.broken.is_some() {
            return;
        }
        steps.push(Step::Look);
        self.of_nature(steps);
        self.of_people(steps);
    }

    fn of_nature(&self, steps: &mut Vec<Step>) {
        let live = self.world.app.live().is_some();
        let standby = self.world.app.rest.as_ref().is_some_and(|rest| rest.standby.is_some());
        if live || standby {
            steps.push(Step::Tick);
        }
        if live {
            steps.push(Step::Wait);
        }
        for (id, real) in &self.world.instances {
            match real.seen.state {
                State::Starting => steps.push(Step::Ready(*id)),
                State::Ready if self.left.losses > 0 => steps.push(Step::Lose(*id)),
                State::Unready => steps.push(Step::Ready(*id)),
                State::Exited => steps.push(Step::Again(*id)),
                State::Stopping => steps.push(Step::Gone(*id)),
                State::Ready => {}
            }
            let runs = matches!(real.seen.state, State::Starting | State::Ready | State::Unready);
            if runs && self.left.exits > 0 {
                steps.push(Step::Exit(*id));
            }
            if real.seen.in_flight > 0 && !self.world.plane.in_force.1.names(*id) {
                steps.push(Step::Drain(*id));
            }
        }
        steps.extend((0..self.world.plane.letters()).map(Step::Arrive));
    }

    fn of_people(&self, steps: &mut Vec<Step>) {
        if self.left.restarts > 0 {
            steps.push(Step::Restart);
        }
        let Some(rollout) = self.world.app.live() else { return };
        if self.left.aborts > 0 && !rollout.abort {
            steps.push(Step::Abort);
        }
        if self.left.scales > 0 {
            steps.extend([Step::Scale(self.world.app.n + 1), Step::Scale(self.world.app.n - 1)]);
        }
        if self.left.supersedes > 0 {
            steps.push(Step::Supersede);
        }
        let running = |state: &HookState| matches!(state, HookState::Running { .. });
        if rollout.hooks.values().any(running) {
            steps.extend([Step::HookEnds(true), Step::HookEnds(false)]);
        }
        let Phase::Forward(now) = rollout.phase else { return };
        let gates = rollout.plan.stages.get(now.stage).map(|stage| stage.gates.as_slice());
        for gate in gates.into_iter().flatten().filter(|_| now.reached.is_some()) {
            match gate {
                Gate::Judge { .. } => {
                    let all = [Verdict::Pass, Verdict::Fail];
                    let news = all.into_iter().filter(|verdict| now.verdict != Some(*verdict));
                    steps.extend(news.map(Step::Judge));
                }
                Gate::Approval if !now.approved => steps.push(Step::Approve),
                Gate::Conclude(_) if !now.concluded => steps.extend(KEPT.map(Step::Conclude)),
                Gate::Ready
                | Gate::Hold(_)
                | Gate::Approval
                | Gate::Conclude(_)
                | Gate::Confirm(_)
                | Gate::Hooks => {}
            }
        }
    }

    /// The world after a step; `None` if it changes nothing.
    #[must_use]
    pub fn after(&self, step: Step) -> Option<Small> {
        let mut small = self.clone();
        let forward = match small.world.app.live().map(|rollout| rollout.phase) {
            Some(Phase::Forward(now)) => now.stage,
            Some(Phase::Back { .. } | Phase::Done(_)) | None => 0,
        };
        match step {
            Step::Look => return small.look().then_some(small),
            Step::Tick => small.world.now = small.world.now + TICK,
            Step::Wait => {
                let patience = small.world.app.live().map(|rollout| rollout.plan.patience.stage);
                small.world.now = small.world.now + patience.unwrap_or(TICK);
            }
            Step::Ready(id) => small.becomes(id, State::Ready),
            Step::Lose(id) => {
                small.left.losses -= 1;
                small.becomes(id, State::Unready);
            }
            Step::Exit(id) => {
                small.left.exits -= 1;
                small.becomes(id, State::Exited);
            }
            Step::Again(id) => small.becomes(id, State::Starting),
            Step::Gone(id) => drop(small.world.instances.remove(&id)),
            Step::Drain(id) => {
                if let Some(real) = small.world.instances.get_mut(&id) {
                    real.seen.in_flight = 0;
                }
            }
            Step::Arrive(place) => small.world.arrives(place),
            Step::Judge(verdict) => small.record(Record::Judged { stage: forward, verdict }),
            Step::HookEnds(ok) => small.hook_ends(ok),
            Step::Approve => small.record(Record::Approved { stage: forward }),
            Step::Conclude(keep) => small.record(Record::Concluded { stage: forward, keep }),
            Step::Abort => {
                small.left.aborts -= 1;
                small.record(Record::AbortRequested { force: false });
            }
            Step::Scale(n) => {
                small.left.scales -= 1;
                small.record(Record::Scaled { n, by_spec: false });
            }
            Step::Supersede => {
                small.left.supersedes -= 1;
                small.deploy(3);
            }
            Step::Restart => small.restart(),
        }
        Some(small)
    }

    fn becomes(&mut self, id: InstanceId, state: State) {
        let now = self.world.now;
        let serves = self.world.plane.in_force.1.serving.contains_key(&id);
        let Some(real) = self.world.instances.get_mut(&id) else { return };
        (real.seen.state, real.seen.since) = (state, now);
        if state == State::Exited {
            real.seen.exits.push(now);
            real.seen.in_flight = 0;
        }
        if state == State::Ready && serves {
            real.seen.in_flight = 1;
        }
    }

    fn hook_ends(&mut self, ok: bool) {
        let Some(rollout) = self.world.app.live() else { return };
        let running = |(_, state): &(_, &HookState)| matches!(state, HookState::Running { .. });
        let found = rollout.hooks.iter().find(running).map(|(hook, _)| *hook);
        if let Some((stage, hook)) = found {
            self.record(Record::HookEnded { stage, hook, ok });
        }
    }

    /// Tables on their way are refused by then: the new engine says hello first.
    fn restart(&mut self) {
        self.left.restarts -= 1;
        self.world.epoch += 1;
        let epoch = self.world.epoch;
        self.world.sent.clear();
        self.world.plane.fence = epoch;
        self.world.proxy_forgets();
        self.record(Record::EngineStarted { epoch });
    }
}
