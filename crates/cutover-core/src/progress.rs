//! Progress: which records come next, and the desired world once they are folded in.

use std::time::Duration;

use crate::app::{App, Forward, HookState, Phase, Rollout};
use crate::goal::{Goal, GoalRoute, goal};
use crate::id::ReleaseId;
use crate::observed::{Desired, Instance, Observed, State};
use crate::plan::{Gate, OnFailure, Stage};
use crate::record::{Outcome, Record, Verdict, Why};
use crate::sequencer::{Limits, converge};
use crate::units::{At, Count};

/// What to record, in order, and what to bring about once that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// To be recorded before anything is done.
    pub records: Vec<Record>,
    /// To be brought about.
    pub desired: Desired,
}

/// Own records of one look; more would be a bug, and the next look goes on where this one ended.
const MOST_RECORDS: usize = 8;

/// Exits longer ago than this are no crash loop: an experiment may last for weeks.
const LOOP: Duration = Duration::from_secs(600);

/// Decides, from what is known and what is seen.
#[must_use]
pub fn next(app: &App, seen: &Observed, now: At) -> Next {
    let mut app = app.clone();
    let mut records = vec![];
    while records.len() < MOST_RECORDS {
        let Some(record) = decide(&app, seen, now) else {
            break;
        };
        if app.apply(now, &record).is_err() {
            break;
        }
        // The hook has to run before anything can follow from it.
        let hook = matches!(record, Record::HookStarted { .. });
        records.push(record);
        if hook {
            break;
        }
    }
    Next { records, desired: desired(&app, seen, now) }
}

/// What an app strives for, with no decision taken.
#[must_use]
pub fn desired(app: &App, seen: &Observed, now: At) -> Desired {
    let (drain, upgraded) = app.drain_limits();
    converge(&goal(app, seen, now), app.epoch, Limits { drain, upgraded }, seen, now)
}

fn decide(app: &App, seen: &Observed, now: At) -> Option<Record> {
    let rollout = app.rollout.as_ref()?;
    match rollout.phase {
        Phase::Done(_) => None,
        Phase::Back { why, since } => {
            let patience = rollout.plan.patience;
            let (shape, healthy) = restored(&goal(app, seen, now), seen);
            if shape && healthy {
                Some(Record::Finished(Outcome::RolledBack(why)))
            } else if shape && now >= since + patience.stage {
                Some(Record::Finished(Outcome::RolledBackDegraded(why)))
            } else {
                (now >= since + 2 * patience.stage).then_some(Record::Finished(Outcome::Stuck(why)))
            }
        }
        Phase::Forward(forward) => {
            // A kill is an abort of what raises the flag, even if nobody lived to write the second.
            let killed = rollout.plan.flag.as_ref().is_some_and(|flag| app.killed.contains(flag));
            if rollout.abort || killed {
                return Some(Record::TurnedBack(Why::Aborted));
            }
            // Before anything else: whoever asked for it may no longer reach this machine.
            if rollout.confirm_until().is_some_and(|until| now >= until) {
                return Some(Record::TurnedBack(Why::Unconfirmed));
            }
            match trouble(rollout, &forward, seen, now) {
                Some(why) if !overruled(rollout, &forward) => {
                    turn_back(rollout, &forward, why, now)
                }
                Some(_) | None => go_on(app, rollout, &forward, seen, now),
            }
        }
    }
}

/// Did a person who was asked about trouble in this stage say go? An approval before the trouble,
/// or where the spec asks nobody, overrules nothing.
fn overruled(rollout: &Rollout, forward: &Forward) -> bool {
    rollout.plan.on_failure == OnFailure::Hold && forward.overruled
}

/// Turns back, or asks a person where the spec wants that.
fn turn_back(rollout: &Rollout, forward: &Forward, why: Why, now: At) -> Option<Record> {
    match (rollout.plan.on_failure, forward.holding) {
        (OnFailure::Rollback, _) => Some(Record::TurnedBack(why)),
        (OnFailure::Hold, None) => Some(Record::Holding { stage: forward.stage }),
        (OnFailure::Hold, Some(since)) => (now >= since + rollout.plan.patience.held)
            .then_some(Record::TurnedBack(Why::HeldTooLong)),
    }
}

/// What is wrong with the candidate, if anything is.
fn trouble(rollout: &Rollout, forward: &Forward, seen: &Observed, now: At) -> Option<Why> {
    let patience = &rollout.plan.patience;
    let candidate = || of(seen, rollout.plan.candidate).filter(|i| i.state != State::Stopping);
    let exits = candidate()
        .flat_map(|instance| &instance.exits)
        .filter(|exit| **exit >= rollout.begun && now.since(**exit) < LOOP)
        .count();
    if exits >= patience.exits as usize {
        return Some(Why::CrashLoop);
    }
    // While it settles, one exit is one too many.
    let settling = forward.stage + 1 == rollout.plan.stages.len() && rollout.plan.promotes();
    let exited = |since: At| candidate().flat_map(|i| &i.exits).any(|exit| *exit >= since);
    if settling && forward.reached.is_some_and(exited) {
        return Some(Why::CrashLoop);
    }
    // What existed before (a standby, say) gets its time from the beginning of the rollout.
    let since = |instance: &Instance| instance.since.max(rollout.begun);
    let late = |instance: &Instance| match instance.state {
        State::Starting | State::Exited => now >= since(instance) + patience.ready,
        State::Unready => now >= since(instance) + patience.lost,
        State::Ready | State::Stopping => false,
    };
    if candidate().any(late) {
        return Some(Why::NotReady);
    }
    if forward.verdict == Some(Verdict::Fail) {
        return Some(Why::Verdict);
    }
    let hook_failed = (0..rollout.plan.hooks).any(|hook| {
        matches!(
            rollout.hooks.get(&(forward.stage, hook)),
            Some(HookState::Done { ok: false } | HookState::Lost)
        )
    });
    hook_failed.then_some(Why::Hook)
}

/// Reached, deadline, gates.
fn go_on(
    app: &App,
    rollout: &Rollout,
    forward: &Forward,
    seen: &Observed,
    now: At,
) -> Option<Record> {
    let patience = &rollout.plan.patience;
    let stage = rollout.plan.stages.get(forward.stage)?;
    let there = is_reached(app, rollout.plan.candidate, seen, now);
    let Some(reached) = forward.reached else {
        if there {
            return Some(Record::Reached { stage: forward.stage });
        }
        let late = now >= forward.entered + patience.stage;
        return late.then_some(()).and_then(|()| turn_back(rollout, forward, Why::Deadline, now));
    };
    if forward.holding.is_some_and(|since| now >= since + patience.held) {
        return Some(Record::TurnedBack(Why::HeldTooLong));
    }
    match gates(rollout, forward, stage, reached, there, now) {
        Gates::Act(record) => Some(record),
        Gates::Open if rollout.paused.is_none() => {
            Some(if forward.stage + 1 < rollout.plan.stages.len() {
                Record::Passed { stage: forward.stage }
            } else {
                Record::Finished(Outcome::Succeeded)
            })
        }
        Gates::Open | Gates::Shut => {
            let limit = longest(stage, patience.held) + patience.stage;
            let since = rollout.paused.or(rollout.resumed).unwrap_or(reached).max(reached);
            let limit = if rollout.paused.is_some() { limit.max(patience.held) } else { limit };
            (now >= since + limit).then_some(Record::TurnedBack(Why::Deadline))
        }
    }
}

enum Gates {
    Open,
    Shut,
    Act(Record),
}

fn gates(
    rollout: &Rollout,
    forward: &Forward,
    stage: &Stage,
    reached: At,
    there: bool,
    now: At,
) -> Gates {
    let held = rollout.plan.patience.held;
    let last = forward.stage + 1 == rollout.plan.stages.len();
    let mut open = true;
    for gate in &stage.gates {
        match gate {
            Gate::Ready => open &= there,
            // A person may cut a pause short, but not the time in which the release shows that it
            // is good.
            Gate::Hold(span) => open &= (forward.approved && !last) || now >= reached + *span,
            Gate::Judge { bake, limit } => {
                let passed = forward.verdict == Some(Verdict::Pass) && now >= reached + *bake;
                if !forward.approved && !passed {
                    if forward.holding.is_none() && now >= reached + *limit {
                        return Gates::Act(Record::Holding { stage: forward.stage });
                    }
                    open = false;
                }
            }
            Gate::Approval => {
                if !forward.approved && now >= reached + held {
                    return Gates::Act(Record::TurnedBack(Why::HeldTooLong));
                }
                open &= forward.approved;
            }
            Gate::Conclude(longest) => open &= forward.concluded || now >= reached + *longest,
            Gate::Confirm(_) => open &= rollout.confirmed,
            Gate::Hooks => {
                for hook in 0..rollout.plan.hooks {
                    match rollout.hooks.get(&(forward.stage, hook)) {
                        None if open && rollout.paused.is_none() => {
                            let stage = forward.stage;
                            return Gates::Act(Record::HookStarted { stage, hook });
                        }
                        Some(HookState::Done { ok: true }) => {}
                        Some(HookState::Done { ok: false } | HookState::Lost)
                            if overruled(rollout, forward) => {}
                        None
                        | Some(
                            HookState::Running { .. }
                            | HookState::Done { ok: false }
                            | HookState::Lost,
                        ) => open = false,
                    }
                }
            }
        }
    }
    if open { Gates::Open } else { Gates::Shut }
}

/// The longest a stage may rightly wait at its gates.
fn longest(stage: &Stage, held: Duration) -> Duration {
    let wait = |gate: &Gate| match gate {
        Gate::Ready => Duration::ZERO,
        Gate::Hold(span) | Gate::Conclude(span) | Gate::Confirm(span) => *span,
        Gate::Judge { limit, .. } => *limit + held,
        Gate::Approval => held,
        // Each hook has its own deadline, which ends it.
        Gate::Hooks => Duration::from_secs(3600),
    };
    stage.gates.iter().map(wait).sum()
}

fn of(seen: &Observed, release: ReleaseId) -> impl Iterator<Item = &Instance> {
    seen.instances.iter().filter(move |(id, _)| id.release == release).map(|(_, i)| i)
}

fn count(items: impl Iterator) -> Count {
    Count::try_from(items.count()).unwrap_or(Count::MAX)
}

/// Are the stage's sizes and route there?
///
/// Nothing is asked of stable's health, so that a degraded stable never blocks the fix.
fn is_reached(app: &App, candidate: ReleaseId, seen: &Observed, now: At) -> bool {
    let goal = goal(app, seen, now);
    let others_gone =
        seen.instances.keys().all(|id| goal.sizes.iter().any(|s| s.release == id.release));
    let sizes = goal.sizes.iter().all(|sized| {
        if sized.release == candidate && sized.count > 0 {
            // More than wanted is right while a degraded stable needs its help.
            let ready = of(seen, candidate).filter(|i| i.state == State::Ready);
            count(ready) >= sized.count
        } else {
            count(of(seen, sized.release)) <= sized.count
        }
    });
    let table = &seen.in_force.1;
    let route = match &goal.route {
        GoalRoute::Held => table.is_held(),
        GoalRoute::Even => !table.is_held(),
        GoalRoute::Split { weights, rules, .. } => {
            let wanted = weights.get(&candidate).copied().unwrap_or_default();
            table.share(candidate) >= wanted && (rules.is_empty() || table.marked.is_some())
        }
    };
    others_gone
        && sizes
        && route
        && seen.is_settled()
        && table.flags == goal.flags
        && desired(app, seen, now).table == seen.in_force
}

/// (the old release is there in number and nothing else is, and all of it is ready)
fn restored(goal: &Goal, seen: &Observed) -> (bool, bool) {
    let listed = seen.instances.keys().all(|id| goal.want(id.release) > 0);
    let table = &seen.in_force.1;
    let settled = seen.is_settled() && table.flags == goal.flags;
    let Some(live) = goal.prefer else {
        // A first release is turned back to nothing.
        let shape = listed && settled && table.is_held();
        return (shape, shape);
    };
    let only_live = table.serving.keys().all(|id| id.release == live);
    let shape = listed && settled && only_live && count(of(seen, live)) == goal.n;
    let ready = count(of(seen, live).filter(|instance| instance.state == State::Ready));
    (shape, ready == goal.n && count(table.serving.keys()) == goal.n)
}
