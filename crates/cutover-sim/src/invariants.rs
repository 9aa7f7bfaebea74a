//! What must hold, whatever happens. Each broken promise is told by its number.
//!
//! | | |
//! |---|---|
//! | I0 | the journal, replayed, is the state in memory; own records are legal |
//! | I1 | nothing is stopped while a table may lead to it, or undrained before its limit |
//! | I2 | no table in force names a stopped instance |
//! | I3 | no share above ready capacity |
//! | I4 | published capacity is not below the floor while that many are ready |
//! | I5 | no start above the ceiling |
//! | I6 | every rollout ends |
//! | I7 | the world comes to rest afterwards |
//! | I8 | abort wins |
//! | I9 | the flag is not on while a release unaware of it serves |
//! | I10 | a hook runs at most once |
//! | I11 | a clean world succeeds |
//! | I12 | in a clean world what is in force keeps floor and capacity too |
//! | I13 | a good stable release is always brought back whole |
//! | I14 | a degraded stable release does not block the fix |
//! | I15 | preview and mirror raise no live traffic |
//! | I16 | a release that was turned back and relieved gets no traffic again |
//! | I17 | a release that exited while it had to settle does not succeed |
//! | I18 | a release that is never ready does not succeed |
//! | I19 | a crash loop or a failed hook turns back at once, unless the spec asks a person |
//! | I20 | only what the goal names is started; a standby never |
//! | I21 | while nobody is ready, running instances that serve go on serving |
//! | I22 | every candidate instance has the plan's patience, however long it exists |
//! | I23 | no ready instance is stopped while a broken one beside it stays |
//! | I24 | a table is well-formed: shares sum to full, and whoever has one serves |
//! | I25 | good releases are never late and never crash, however people scale and supersede |
//! | I26 | where downtime is allowed, turning back takes all traffic off at once |
//! | I27 | what has to be confirmed and is not does not succeed |
//! | I28 | an experiment that succeeds ends with the side that was kept, else with the old one |
//! | I29 | the engine never runs in circles |
//! | I30 | a ramp that succeeds leaves the flag at the share that was asked for |
//! | I31 | a killed flag is in no table that is sent, and none at the end |

use std::time::Duration;

use cutover_core::app::{HookState, Phase, Rollout};
use cutover_core::goal::{GoalRoute, goal};
use cutover_core::id::{InstanceId, ReleaseId};
use cutover_core::observed::{Instance, Observed, State};
use cutover_core::plan::{Aside, Downtime, Gate, OnFailure};
use cutover_core::progress::desired;
use cutover_core::record::{Keep, Outcome, Record, Why};
use cutover_core::table::{Deal, Table};
use cutover_core::units::{At, Share};

use crate::weather::{Behaviour, Showing};
use crate::world::{Check, World};

/// As the sequencer has it: so long a lost readiness changes no table.
const GRACE: Duration = Duration::from_millis(500);
/// So long ago an exit still counts for a crash loop.
const LOOP: Duration = Duration::from_secs(600);
/// No plan of these worlds may take longer, holds of a day included.
const LONGEST: Duration = Duration::from_secs(30 * 3600);

fn broken(what: impl Into<String>) -> Check {
    Err(what.into())
}

/// Rounding to thousandths may add a little.
fn exceeds(share: Share, ready: u32, basis: u32) -> bool {
    share.permille() > Share::of(ready, basis).permille() + 3
}

fn count(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

fn carries(seen: &Observed, newest: &Table, id: InstanceId, now: At) -> bool {
    let in_table = newest.serving.contains_key(&id);
    seen.instances.get(&id).is_some_and(|instance| {
        instance.state == State::Ready
            || (instance.state == State::Unready && in_table && now < instance.since + GRACE)
    })
}

impl World {
    fn exits(&self, release: ReleaseId, from: At) -> usize {
        let of = self.instances.iter().filter(|(id, _)| id.release == release);
        let of = of.filter(|(_, real)| real.seen.state != State::Stopping);
        of.flat_map(|(_, real)| &real.seen.exits).filter(|exit| **exit >= from).count()
    }

    pub(crate) fn before_record(&mut self, record: &Record) -> Check {
        match record {
            Record::Begun(plan) => {
                self.begun += 1;
                self.aborted = false;
                self.kept = None;
                self.experiment = !plan.winner.is_empty();
                let ramp = plan.stages.iter().any(|stage| stage.flag > Some(Share::ZERO));
                if plan.is_ramp() {
                    // A person says that the live release knows it. Older ones need not.
                    self.unaware.retain(|release| *release < plan.candidate);
                    if plan.before.as_ref().is_some_and(|rest| rest.flags.is_empty()) {
                        let older = self.releases.keys().filter(|id| **id < plan.candidate);
                        self.unaware.extend(older.copied());
                    }
                }
                // Releases are numbered as they are made.
                let earlier = plan.stable().filter(|stable| ramp && *stable < plan.candidate);
                if plan.before.as_ref().is_some_and(|rest| rest.flags.is_empty()) {
                    self.unaware.extend(earlier);
                }
            }
            Record::Concluded { keep, .. } => self.kept = Some(*keep),
            Record::HookStarted { stage, hook }
                if !self.hook_starts.insert((self.begun, *stage, *hook)) =>
            {
                return broken(format!("I10 hook {hook} of stage {stage} is started twice"));
            }
            Record::AbortRequested { .. } => self.aborted = true,
            Record::TurnedBack(Why::NotReady) => {
                let rollout = self.app.live();
                let patience = |r: &Rollout| r.plan.patience.lost.min(r.plan.patience.ready);
                if rollout.is_some_and(|r| self.now < r.begun + patience(r)) {
                    return broken("I22 turned back for an instance that was given no time");
                }
            }
            Record::Finished(outcome) => {
                self.outcomes.push(*outcome);
                self.ended_at = Some(self.now);
                if *outcome == Outcome::Succeeded {
                    return self.succeeds();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn succeeds(&self) -> Check {
        if self.aborted {
            return broken("I8 abort did not win");
        }
        let promotes = self.app.live().is_some_and(|rollout| rollout.plan.promotes());
        if self.experiment && promotes != (self.kept == Some(Keep::B)) {
            return broken(format!("I28 kept {:?}, and promoted: {promotes}", self.kept));
        }
        let asks = |rollout: &&Rollout| {
            let gates = rollout.plan.stages.iter().flat_map(|stage| &stage.gates);
            gates.into_iter().any(|gate| matches!(gate, Gate::Confirm(_)))
        };
        if self.app.live().filter(asks).is_some_and(|rollout| !rollout.confirmed) {
            return broken("I27 succeeded without the confirmation that was asked for");
        }
        let Some(rollout) = self.app.live().filter(|rollout| rollout.plan.promotes()) else {
            return Ok(());
        };
        let (plan, candidate) = (&rollout.plan, rollout.plan.candidate);
        if let (true, Some(key)) = (plan.is_ramp(), &plan.flag) {
            let wanted = plan.stages.last().and_then(|stage| stage.flag).unwrap_or_default();
            let raised = self.plane.in_force.1.flags.get(key).map(|raised| raised.share);
            if raised.unwrap_or_default() != wanted {
                return broken(format!("I30 a ramp to {wanted} ended with {raised:?}"));
            }
            if self.app.killed.contains(key) {
                return broken("I31 a ramp of a killed flag succeeded");
            }
        }
        if self.behaviour(candidate) == Behaviour::NeverReady {
            return broken("I18 a release that is never ready succeeded");
        }
        if let Phase::Forward(now) = rollout.phase
            && let Some(reached) = now.reached
            && !now.approved
            && self.exits(candidate, reached + Duration::from_millis(1)) > 0
        {
            return broken("I17 a release that exited while it settled succeeded");
        }
        Ok(())
    }

    /// After the engine has decided upon what it saw.
    pub(crate) fn decided(&self) -> Check {
        let seen = &self.looked.1;
        let Some(rollout) = self.app.live() else {
            return Ok(());
        };
        if self.now >= rollout.begun + LONGEST {
            return broken("I6 a rollout does not end");
        }
        // An engine that cannot look decides nothing.
        if !matches!(rollout.phase, Phase::Forward(_)) || self.blind {
            return Ok(());
        }
        if rollout.abort {
            return broken("I8 aborted, and still going forward");
        }
        let plan = &rollout.plan;
        let exits = seen.instances.iter().filter(|(id, instance)| {
            id.release == plan.candidate && instance.state != State::Stopping
        });
        let lately = |at: &&At| **at >= rollout.begun && self.now < **at + LOOP;
        let exits = exits.flat_map(|(_, i)| &i.exits).filter(lately).count();
        if plan.on_failure == OnFailure::Rollback && exits >= plan.patience.exits as usize {
            return broken("I19 a crash loop, and still going forward");
        }
        let hook_failed = rollout.hooks.iter().any(|((stage, _), state)| {
            let here = matches!(rollout.phase, Phase::Forward(now) if now.stage == *stage);
            here && match state {
                HookState::Running { epoch } => *epoch < self.app.epoch,
                HookState::Done { ok } => !ok,
                HookState::Lost => true,
            }
        });
        if plan.on_failure == OnFailure::Rollback && hook_failed {
            return broken("I19 a failed hook, and still going forward");
        }
        Ok(())
    }

    pub(crate) fn came_into_force(&mut self) -> Check {
        let table = &self.plane.in_force.1;
        let named = table.serving.keys().chain(table.preview.keys()).chain(table.mirrored.keys());
        for id in named {
            let real = self.instances.get(id);
            if real.is_none_or(|real| real.seen.state == State::Stopping) {
                return broken(format!("I2 the table in force names {id}, which is stopped"));
            }
        }
        let Some(rollout) = &self.app.rollout else {
            return Ok(());
        };
        let turned_back = match rollout.phase {
            Phase::Back { .. } | Phase::Done(Outcome::RolledBack(_)) => true,
            Phase::Forward(_) | Phase::Done(_) => false,
        };
        let Some(stable) = rollout.plan.stable().filter(|_| turned_back) else {
            return Ok(());
        };
        let candidate = rollout.plan.candidate;
        if self.plane.is_settled() && !table.serves(candidate) && table.serves(stable) {
            self.off = Some(self.begun);
        } else if table.serves(candidate) && self.off == Some(self.begun) {
            return broken("I16 the release that was turned back gets traffic again");
        }
        Ok(())
    }

    /// The engine sends a table, upon what it saw last.
    pub(crate) fn may_publish(&self, table: &Table) -> Check {
        let (now, seen) = (self.looked.0, &self.looked.1);
        if table.flags.keys().any(|key| self.app.killed.contains(key)) {
            return broken("I31 a killed flag is switched on");
        }
        let goal = goal(&self.app, seen, now);
        let newest = &self.newest().1;
        let may_serve = |release: ReleaseId| {
            (goal.gives_traffic(release) || newest.serves(release))
                && !goal.barred.contains(&release)
        };
        if let Some(Rollout { phase: Phase::Back { .. }, plan, .. }) = &self.app.rollout
            && plan.budget.downtime == Downtime::Allowed
            && table.serves(plan.candidate)
        {
            return broken("I26 downtime is allowed, and the bad release keeps traffic");
        }
        let fit = count(table.serving.keys().filter(|id| carries(seen, newest, **id, now)));
        let able = |id: &&InstanceId| may_serve(id.release) && carries(seen, newest, **id, now);
        let ready = seen.instances.keys().filter(able);
        let basis = goal.budget.bounds(goal.n).floor.min(count(ready));
        if fit < basis && goal.route != GoalRoute::Held {
            return broken(format!("I4 published capacity {fit}, wanted {basis}"));
        }
        for release in self.releases.keys().copied() {
            let members = table.serving.keys().filter(|id| id.release == release);
            let ready = count(members.filter(|id| carries(seen, newest, **id, now)));
            let split = matches!(table.deal, Deal::Split { .. });
            if split && basis > 0 && exceeds(table.share(release), ready, basis) {
                let share = table.share(release);
                return broken(format!("I3 {share} to {release} with {ready} ready of {basis}"));
            }
        }
        let serves_on = |(id, instance): (&InstanceId, &Instance)| {
            instance.state == State::Unready
                && may_serve(id.release)
                && newest.serving.contains_key(id)
        };
        let given = seen.instances.keys().any(|id| goal.gives_traffic(id.release));
        let never = goal.budget.downtime == Downtime::Never;
        if never && given && table.is_held() && seen.instances.iter().any(serves_on) {
            return broken("I21 the last running servers are taken off");
        }
        if let Deal::Split { shares, .. } = &table.deal {
            let sum: u32 = shares.values().map(|share| share.permille()).sum();
            let served = |release: &ReleaseId| table.serving.keys().any(|i| i.release == *release);
            if sum != 1000
                || !shares.keys().all(served)
                || shares.values().any(|s| *s == Share::ZERO)
            {
                return broken(format!("I24 shares {shares:?} do not fit their servers"));
            }
        }
        if let Some((candidate, aside)) = goal.aside
            && aside != Aside::Nothing
            && table.share(candidate) > newest.share(candidate)
        {
            return broken("I15 live traffic is raised to a preview or mirror");
        }
        Ok(())
    }

    /// The engine stops an instance.
    pub(crate) fn may_stop(&self, id: InstanceId) -> Check {
        let seen = &self.looked.1;
        let Some(real) = self.instances.get(&id) else {
            return Ok(());
        };
        if self.may_be_reached(id) {
            return broken(format!("I1 {id} is stopped while a table may lead to it"));
        }
        let (drain, upgraded) = self.app.drain_limits();
        let limit = if real.seen.upgraded > 0 { upgraded } else { drain };
        let past = real.seen.off_since.is_some_and(|since| self.now >= since + limit);
        if real.seen.in_flight > 0 && !past {
            let inside = real.seen.in_flight;
            return broken(format!("I1 {id} is stopped with {inside} requests inside"));
        }
        let goal = goal(&self.app, &self.observe(), self.now);
        let good = |(other, instance): &(&InstanceId, &Instance)| {
            let flapping = instance.state == State::Unready && seen.routed(**other);
            other.release == id.release && (instance.state == State::Ready || flapping)
        };
        let good = count(seen.instances.iter().filter(good));
        // Upon what it saw: sending a table may have taken a while since.
        let ready = seen.instances.get(&id).is_some_and(|known| known.state == State::Ready);
        if ready && good <= goal.want(id.release) {
            return broken(format!("I23 {id} is ready and stopped, a broken one stays"));
        }
        Ok(())
    }

    /// The engine starts an instance.
    pub(crate) fn may_start(&self, id: InstanceId) -> Check {
        // Upon what it saw: a call to the platform may have hung since.
        let goal = goal(&self.app, &self.looked.1, self.looked.0);
        let ceiling = goal.budget.bounds(goal.n).ceiling;
        let exist = count(self.instances.keys());
        if exist + 1 > ceiling {
            return broken(format!("I5 {id} is started above the ceiling of {ceiling}"));
        }
        let named = match &self.app.rollout {
            Some(Rollout { phase: Phase::Forward(_), plan, .. }) => {
                Some(id.release) == plan.stable() || id.release == plan.candidate
            }
            Some(Rollout { phase: Phase::Back { .. }, plan, .. }) => {
                Some(id.release) == plan.stable()
            }
            Some(Rollout { phase: Phase::Done(_), .. }) | None => {
                self.app.rest.as_ref().is_some_and(|rest| rest.live == id.release)
            }
        };
        let have = count(self.instances.iter().filter(|(other, real)| {
            other.release == id.release && real.seen.state != State::Stopping
        }));
        if !named || have >= goal.want(id.release) {
            return broken(format!("I20 {id} is started, and is not wanted"));
        }
        Ok(())
    }

    /// What must hold at every instant.
    pub(crate) fn steady(&mut self) -> Check {
        let table = &self.plane.in_force.1;
        if !table.flags.is_empty()
            && let Some(id) = table.serving.keys().find(|id| self.unaware.contains(&id.release))
        {
            return broken(format!("I9 {:?} are on while {id} serves", table.flags));
        }
        let goal = goal(&self.app, &self.observe(), self.now);
        let first = self.app.live().is_some_and(|rollout| rollout.plan.before.is_none());
        if !self.scenario.clean || goal.prefer.is_none() || first {
            return Ok(());
        }
        let at_rest = self.app.live().is_none();
        // All releases are good here: what the plan promised holds all the way back, too.
        let back = self.app.live().filter(|rollout| matches!(rollout.phase, Phase::Back { .. }));
        let budget = back.map_or(goal.budget, |rollout| rollout.plan.budget);
        let floor = if at_rest { goal.n } else { budget.bounds(goal.n).floor };
        // Who forces an abort gives up the servers that stable cannot replace yet.
        let forced = self.app.rollout.as_ref().is_some_and(|rollout| rollout.force);
        if goal.budget.downtime == Downtime::Allowed || forced {
            return Ok(());
        }
        let ready = |id: &&InstanceId| {
            self.instances.get(id).is_some_and(|real| real.seen.state == State::Ready)
        };
        let fit = count(table.serving.keys().filter(ready));
        if fit < floor {
            return broken(format!("I12 {fit} in service, wanted {floor}"));
        }
        for release in self.releases.keys().copied() {
            let ready = count(table.serving.keys().filter(|id| id.release == release));
            let split = matches!(table.deal, Deal::Split { .. });
            if split && exceeds(table.share(release), ready, floor) {
                return broken(format!("I12 share of {release} above capacity in force"));
            }
        }
        Ok(())
    }
}

mod end;
