//! What must hold in the end.

use super::*;

impl World {
    /// Nothing is going on, and everything is where it belongs.
    pub(crate) fn is_at_rest(&self) -> bool {
        let asked = !self.soon.is_empty() || !self.asking.is_empty();
        if self.app.live().is_some() || asked || self.dead_until.is_some() {
            return false;
        }
        let (seen, goal) = (self.observe(), goal(&self.app, &self.observe(), self.now));
        let Some(rest) = &self.app.rest else {
            return seen.instances.is_empty() && seen.in_force.1.is_held() && seen.is_settled();
        };
        let live_is_good = self.behaviour(rest.live) == Behaviour::Good;
        let shaped = goal.sizes.len() == 1
            && seen.is_settled()
            && seen.in_force.1.flags == goal.flags
            && seen.instances.keys().all(|id| id.release == rest.live)
            && count(seen.instances.keys()) == goal.n
            && seen.in_force.1.serving.keys().all(|id| id.release == rest.live);
        if !live_is_good {
            // With nobody ready to take over, the last server of the other release is right.
            let stuck = matches!(self.outcomes.last(), Some(Outcome::Stuck(_)));
            return shaped || stuck;
        }
        let wanted = desired(&self.app, &seen, self.now);
        shaped
            && seen.instances.values().all(|instance| instance.state == State::Ready)
            && count(seen.in_force.1.serving.keys()) == goal.n
            && wanted.table == seen.in_force
            && wanted.instances == seen.instances.keys().copied().collect()
    }

    pub(crate) fn ended(&self) -> Check {
        let up = self.plane.in_force.1.flags.keys().find(|key| self.app.killed.contains(*key));
        if let Some(key) = up {
            return broken(format!("I31 flag {key} is killed, and on at the end"));
        }
        let [stable, candidate, _] = self.scenario.behaviours;
        let expected = |outcome: &Outcome| match outcome {
            // There was nothing to compare with, and nothing to go back to.
            Outcome::Stuck(Why::HeldTooLong) => matches!(stable, Behaviour::Degraded(_)),
            Outcome::Succeeded => true,
            Outcome::RolledBack(why) | Outcome::RolledBackDegraded(why) => {
                matches!(why, Why::HeldTooLong | Why::Hook | Why::Unconfirmed)
            }
            Outcome::Stuck(_) => false,
        };
        let outcomes = &self.outcomes;
        let calm = self.scenario.undisturbed;
        if self.scenario.clean && calm && !outcomes.iter().all(|o| expected(o) && not_hook(o)) {
            return broken(format!("I11 a clean world did not succeed: {outcomes:?}"));
        }
        // Where calls hang and tables are late, turning back may outlast its patience by chance.
        let faults = &self.scenario.faults;
        let slow = faults.hangs + faults.lost + faults.platform > 0 || !faults.late.is_zero();
        let clumsy = |outcome: &Outcome| match outcome {
            Outcome::Stuck(_) => true,
            Outcome::RolledBackDegraded(_) => !slow,
            Outcome::Succeeded | Outcome::RolledBack(_) => false,
        };
        let suppose = &self.scenario.suppose;
        let deadline = self.scenario.spec.health.as_ref().map(|health| health.deadline.0);
        let late = deadline.is_some_and(|deadline| suppose.ready.1 >= deadline);
        let strays = self.scenario.faults.stray_exit > 0
            || self.made_to_exit
            || suppose.start_fails > 0
            || late;
        let first_ok = self.scenario.has_rest && stable == Behaviour::Good;
        let all_good = self.scenario.behaviours.iter().all(|b| *b == Behaviour::Good);
        if (first_ok && outcomes.len() == 1 || all_good) && !strays && outcomes.iter().any(clumsy) {
            return broken(format!("I13 a good stable was not brought back: {outcomes:?}"));
        }
        let blamed = |outcome: &Outcome| {
            let of = |why: &Why| match why {
                Why::NotReady | Why::CrashLoop => true,
                Why::Deadline => !slow,
                Why::Aborted | Why::Verdict | Why::Hook | Why::HeldTooLong | Why::Unconfirmed => {
                    false
                }
            };
            matches!(outcome, Outcome::RolledBack(why) if of(why))
        };
        if all_good && !strays && outcomes.iter().any(blamed) {
            return broken(format!("I25 good releases were turned back: {outcomes:?}"));
        }
        if matches!(stable, Behaviour::Degraded(_))
            && candidate == Behaviour::Good
            && self.scenario.showing == Showing::Alike
            && !strays
            && calm
            && self.scenario.confirm == 0
            && self.begun == 1
            // A degraded first release is no fix of anything.
            && self.app.rollout.as_ref().is_some_and(|rollout| {
                rollout.plan.before.is_some() && rollout.plan.promotes()
            })
            && !outcomes.iter().all(expected)
        {
            return broken(format!("I14 a degraded stable blocked the fix: {outcomes:?}"));
        }
        Ok(())
    }

    pub(crate) fn told(&self) -> String {
        let rollout = self.app.rollout.as_ref();
        let instances: Vec<String> = self
            .instances
            .iter()
            .map(|(id, real)| {
                let seen = &real.seen;
                format!(
                    "{id} {:?} exits {} inside {}",
                    seen.state,
                    seen.exits.len(),
                    seen.in_flight
                )
            })
            .collect();
        let gates = |rollout: &Rollout| match rollout.phase {
            Phase::Forward(now) => rollout.plan.stages.get(now.stage).map(|s| s.gates.clone()),
            Phase::Back { .. } | Phase::Done(_) => None::<Vec<Gate>>,
        };
        format!(
            "{}\n  at {} n={} {:?} {:?} gates {:?}\n  rest {:?} outcomes {:?}\n  {instances:?}\n  in force {:?} {:?} pending {} flags {:?}",
            self.scenario.told(),
            self.now.0,
            self.app.n,
            rollout.map(|rollout| (rollout.plan.pattern, rollout.plan.candidate)),
            rollout.map(|rollout| rollout.phase),
            rollout.and_then(gates),
            self.app.rest,
            self.outcomes,
            self.plane.in_force.0,
            self.plane.in_force.1.deal,
            self.observe().pending.len(),
            self.plane.in_force.1.flags,
        )
    }
}

fn not_hook(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::RolledBack(Why::Hook) | Outcome::RolledBackDegraded(_))
}
