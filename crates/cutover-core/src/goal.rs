//! What is aimed at now: by the stage of a rollout, by turning back, or by rest. All the same to
//! the sequencer.

use std::collections::BTreeMap;

use crate::app::{App, Phase, REST_BUDGET};
use crate::id::ReleaseId;
use crate::observed::{Observed, State};
use crate::plan::{Aside, Budget, MatchRule, Plan, Rest, Route, Size, Stage, Sticky};
use crate::table::Flags;
use crate::units::{At, Count, Share};

/// The size aimed at for one release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sized {
    /// Which release.
    pub release: ReleaseId,
    /// How many instances.
    pub count: Count,
    /// Are missing ones started? A standby is kept, never started.
    pub start: bool,
}

/// How live requests shall be shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GoalRoute {
    /// Evenly over every release with a size.
    Even,
    /// By weight.
    Split {
        /// The weights.
        weights: BTreeMap<ReleaseId, Share>,
        /// How users keep their side.
        sticky: Sticky,
        /// The marks that send a request to `favoured`.
        rules: Vec<MatchRule>,
        /// The release that users move to.
        favoured: ReleaseId,
    },
    /// To nobody.
    Held,
}

/// What is aimed at now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// The target number of instances.
    pub n: Count,
    /// The sizes; releases not listed shall go.
    pub sizes: Vec<Sized>,
    /// How live requests shall be shared.
    pub route: GoalRoute,
    /// What the candidate gets beside.
    pub aside: Option<(ReleaseId, Aside)>,
    /// The flags that shall be on.
    pub flags: Flags,
    /// The release that gets what is left of traffic and room.
    pub prefer: Option<ReleaseId>,
    /// Releases that must not serve even if nobody else can.
    pub barred: Vec<ReleaseId>,
    /// How far instance counts may leave n.
    pub budget: Budget,
}

impl Goal {
    /// How many instances of a release are wanted.
    #[must_use]
    pub fn want(&self, release: ReleaseId) -> Count {
        self.sizes.iter().find(|sized| sized.release == release).map_or(0, |sized| sized.count)
    }
    /// Does the goal give a release live requests?
    #[must_use]
    pub fn gives_traffic(&self, release: ReleaseId) -> bool {
        match &self.route {
            GoalRoute::Even => self.want(release) > 0,
            GoalRoute::Split { weights, rules, favoured, .. } => {
                weights.get(&release).is_some_and(|share| *share > Share::ZERO)
                    || (release == *favoured && !rules.is_empty())
            }
            GoalRoute::Held => false,
        }
    }
}

/// What is aimed at now: killed flags are in none of it.
#[must_use]
pub fn goal(app: &App, seen: &Observed, now: At) -> Goal {
    let mut goal = unless_killed(app, seen, now);
    goal.flags.retain(|key, _| !app.killed.contains(key));
    goal
}

fn unless_killed(app: &App, seen: &Observed, now: At) -> Goal {
    let Some(rollout) = &app.rollout else {
        return at_rest(app.rest.as_ref(), app.n, now);
    };
    let plan = &rollout.plan;
    match rollout.phase {
        Phase::Done(_) => {
            Goal { barred: barred(rollout.force, plan), ..at_rest(app.rest.as_ref(), app.n, now) }
        }
        Phase::Back { since, .. } => {
            let mut budget = plan.budget;
            let helpless = now >= helpless_at(plan, seen, since);
            if helpless {
                // Stable does not come up as it should: serve from what it has, and give it a slot
                // to start in.
                budget.unavailable = Size::All;
                if budget.surge == Size::Zero {
                    budget.surge = Size::Exactly(1);
                }
            }
            Goal {
                // Even by force not before stable had its time: it may only have to start.
                barred: barred(rollout.force && helpless, plan),
                budget,
                ..at_rest(plan.before.as_ref(), app.n, now)
            }
        }
        Phase::Forward(forward) => match plan.stages.get(forward.stage) {
            // Rest with another share of a flag.
            Some(stage) if plan.is_ramp() => {
                Goal { flags: plan.flags_at(stage), ..at_rest(plan.before.as_ref(), app.n, now) }
            }
            Some(stage) => at_stage(plan, stage, app.n),
            None => at_rest(plan.before.as_ref(), app.n, now),
        },
    }
}

/// The candidate, by force; a ramp's is the live release itself.
fn barred(force: bool, plan: &Plan) -> Vec<ReleaseId> {
    if force && !plan.is_ramp() { vec![plan.candidate] } else { vec![] }
}

/// When a stable release that is turned back to counts as unable to come up: nothing of it has
/// become ready for as long as one instance may take, or the whole took as long as a stage may.
fn helpless_at(plan: &Plan, seen: &Observed, since: At) -> At {
    let ready = seen.instances.iter().filter(|(id, instance)| {
        Some(id.release) == plan.stable() && instance.state == State::Ready
    });
    let progress = ready.map(|(_, instance)| instance.since).max().unwrap_or(since).max(since);
    (progress + plan.patience.ready).min(since + plan.patience.stage)
}

fn at_rest(rest: Option<&Rest>, n: Count, now: At) -> Goal {
    let mut goal = Goal {
        n,
        sizes: vec![],
        route: GoalRoute::Held,
        aside: None,
        flags: Flags::new(),
        prefer: None,
        barred: vec![],
        budget: REST_BUDGET,
    };
    if let Some(rest) = rest {
        goal.sizes.push(Sized { release: rest.live, count: n, start: true });
        if let Some(standby) = rest.standby.filter(|standby| now < standby.until) {
            goal.sizes.push(Sized { release: standby.release, count: n, start: false });
            goal.budget.surge = Size::All;
        }
        goal.route = GoalRoute::Split {
            weights: BTreeMap::from([(rest.live, Share::FULL)]),
            sticky: Sticky::No,
            rules: vec![],
            favoured: rest.live,
        };
        goal.flags.clone_from(&rest.flags);
        goal.prefer = Some(rest.live);
    }
    goal
}

fn at_stage(plan: &Plan, stage: &Stage, n: Count) -> Goal {
    let (stable, candidate) = stage.sizes.of(n);
    let sized = |release, count| Sized { release, count, start: true };
    let mut sizes = vec![sized(plan.candidate, candidate)];
    sizes.extend(plan.stable().map(|release| sized(release, stable)));
    let split = |share: Share, sticky: &Sticky, rules: &[MatchRule]| {
        let mut weights = BTreeMap::from([(plan.candidate, share)]);
        weights.extend(plan.stable().map(|release| (release, share.rest())));
        let (sticky, rules) = (sticky.clone(), rules.to_vec());
        GoalRoute::Split { weights, sticky, rules, favoured: plan.candidate }
    };
    let route = match &stage.route {
        Route::Even => GoalRoute::Even,
        Route::Held => GoalRoute::Held,
        Route::Split { candidate, sticky } => split(*candidate, sticky, &[]),
        Route::Match { rules, share, sticky } => split(*share, sticky, rules),
    };
    let aside = (stage.aside != Aside::Nothing).then_some((plan.candidate, stage.aside));
    Goal {
        n,
        sizes,
        route,
        aside,
        flags: plan.flags_at(stage),
        prefer: Some(plan.stable().unwrap_or(plan.candidate)),
        barred: vec![],
        budget: stage.budget.unwrap_or(plan.budget),
    }
}
