//! The verdict on the stage that is under way: the guard's bounds and the comparison with stable.

use std::time::Duration;

use cutover_core::app::{Forward, Phase};
use cutover_core::comparison::Compared;
use cutover_core::event::EventKind;
use cutover_core::guard;
use cutover_core::plan::{Gate, OnFailure, Plan, Route, Size, Stage, Sticky};
use cutover_core::reason;
use cutover_core::record::{Record, Verdict};
use cutover_core::units::{At, Share};
use cutover_judge::Look;

use super::Driver;
use crate::evidence::Comparing;
use crate::ports::World;
use crate::readings::severity;

/// How often a look is told while nobody waits for a verdict.
const TELL_IDLE: Duration = Duration::from_secs(60);
/// How often it is told while somebody does.
const TELL_AWAITED: Duration = Duration::from_secs(1);

/// What a look came to.
struct Opinion {
    verdict: Verdict,
    reason: String,
    look: Option<Look>,
}

impl<W: World> Driver<W> {
    /// Says what is compared from now on.
    pub(super) fn prepare_evidence(&mut self, now: At) {
        let Some(rollout) = self.app.live() else { return };
        let plan = &rollout.plan;
        let spec = self.releases.get(&plan.candidate).map(|release| &release.spec);
        let judge = spec.and_then(|spec| spec.judge.as_ref());
        self.run.tally.evidence.prepare(plan, judge);
        if !self.run.tally.evidence.has_judge() {
            return;
        }
        let (Some(stable), Some(state)) = (plan.stable(), &self.watch.state) else { return };
        let stage = match rollout.phase {
            Phase::Forward(forward) => plan.stages.get(forward.stage).map(|s| (forward, s)),
            Phase::Back { .. } | Phase::Done(_) => None,
        };
        let share = state.table.share(plan.candidate);
        let dealt = stage.filter(|(_, stage)| is_dealt_singly(&stage.route, share));
        let comparing = Comparing {
            of: stage.and_then(|(_, stage)| Compared::at(plan, stage)),
            stable,
            candidate: plan.candidate,
            share: dealt.map(|_| f64::from(share.permille()) / 1000.0),
            cold: stage.is_some_and(|(forward, _)| is_cold(plan, &forward, self.app.n, now)),
            generation: state.generation,
        };
        self.run.tally.evidence.compare(comparing);
    }

    /// Judges the stage by its requests so far, and records a verdict that changed.
    pub(super) async fn judge(&mut self, now: At) {
        // Before the first table is in force there is nothing to look at.
        let Some(rollout) = self.app.live().filter(|_| self.watch.state.is_some()) else { return };
        let Phase::Forward(forward) = rollout.phase else { return };
        let Some(stage) = rollout.plan.stages.get(forward.stage) else { return };
        // What leaves anyway is not judged any more.
        if stage.sizes.candidate == Size::Zero || rollout.plan.guard.is_none() {
            return;
        }
        let awaited = stage.is_judged();
        let held = rollout.plan.on_failure == OnFailure::Hold && forward.holding.is_some();
        let Opinion { verdict, reason, look } = self.opinion_with_metrics(&forward);
        // An inconclusive start is no news.
        let before = forward.verdict.unwrap_or(Verdict::Inconclusive);
        let stage = forward.stage;
        if verdict != before && !held {
            let record = Record::Judged { stage, verdict };
            if self.record(record, None).await.is_err() {
                return;
            }
        }
        let every = if awaited { TELL_AWAITED } else { TELL_IDLE };
        let due =
            verdict != before || now.since(self.run.told_verdict.max(forward.entered)) >= every;
        self.run.verdict = Some((verdict, reason.clone()));
        if due {
            self.run.told_verdict = now;
            let evidence = look.map(Box::new);
            self.tell(EventKind::Judged { stage, verdict, reason, evidence });
        }
    }

    /// What a look comes to now: the worse of guard and comparison.
    fn opinion(&mut self, forward: &Forward) -> Opinion {
        let unread = || {
            let reason = "the proxy's counts cannot be read".to_owned();
            Opinion { verdict: Verdict::Error, reason, look: None }
        };
        let Some(plan) = self.app.live().map(|rollout| &rollout.plan) else { return unread() };
        let (Some(bounds), Some(stage)) = (plan.guard, plan.stages.get(forward.stage)) else {
            return unread();
        };
        if !self.run.tally.looked {
            return unread();
        }
        let of = Compared::at(plan, stage);
        let sides = self.run.tally.stage().sides(of.as_ref(), plan.stable(), plan.candidate);
        let (verdict, reason) = guard::judge(&bounds, &sides.1);
        let spec = self.releases.get(&plan.candidate).map(|release| &release.spec);
        let kayenta = spec.and_then(|spec| spec.judge.as_ref()?.kayenta.as_ref());
        if let Some(settings) = kayenta {
            let said = self.run.tally.evidence.kayenta(settings);
            let (verdict, reason) = match said {
                Some(said) => reason::combine((verdict, reason), said),
                None => (verdict, reason),
            };
            return Opinion { verdict, reason, look: None };
        }
        let old = plan.stable().and_then(|id| self.name(id));
        let (Some(look), Some(old)) = (self.run.tally.evidence.look(), old) else {
            return Opinion { verdict, reason, look: None };
        };
        let seen = reason::of(&look, &old);
        let (verdict, reason) = reason::combine((verdict, reason), (look.verdict, seen));
        Opinion { verdict, reason, look: Some(look) }
    }

    /// The worst of guard, comparison and metrics of one's own.
    fn opinion_with_metrics(&mut self, forward: &Forward) -> Opinion {
        let opinion = self.opinion(forward);
        match self.metrics_verdict() {
            Some((verdict, reason)) if severity(verdict) > severity(opinion.verdict) => {
                Opinion { verdict, reason, ..opinion }
            }
            Some(_) | None => opinion,
        }
    }
}

/// Is each request dealt by itself, so that the share is exact? Users who keep their side bring as
/// many requests as they like.
fn is_dealt_singly(route: &Route, share: Share) -> bool {
    match route {
        Route::Split { candidate, sticky } => *sticky == Sticky::No && *candidate == share,
        Route::Held | Route::Even | Route::Match { .. } => false,
    }
}

/// Are the candidate's instances fresh, so that caches are empty and code is not compiled?
fn is_cold(plan: &Plan, forward: &Forward, n: u32, now: At) -> bool {
    let Some(reached) = forward.reached else { return true };
    let stage = plan.stages.get(forward.stage);
    let before = forward.stage.checked_sub(1).and_then(|stage| plan.stages.get(stage));
    let size = |stage: Option<&Stage>| stage.map_or(0, |stage| stage.sizes.of(n).1);
    let served = before.is_some_and(|stage| stage.route.share() != Some(Share::ZERO));
    if served && size(stage) <= size(before) {
        return false;
    }
    let bake = stage.and_then(|stage| stage.gates.iter().find_map(evidence_time));
    let default = bake.map_or(Duration::from_secs(10), |bake| bake / 2);
    let given = plan.against.as_ref().and_then(|against| against.warm_up);
    let warm_up = given.map_or(default.min(Duration::from_secs(60)), |span| span.0);
    now < reached + warm_up
}

/// How long a gate collects evidence.
fn evidence_time(gate: &Gate) -> Option<Duration> {
    match gate {
        Gate::Judge { bake, .. } => Some(*bake),
        Gate::Conclude(span) | Gate::Hold(span) => Some(*span),
        Gate::Ready | Gate::Approval | Gate::Confirm(_) | Gate::Hooks => None,
    }
}
