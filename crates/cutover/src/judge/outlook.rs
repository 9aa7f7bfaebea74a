//! What the verdicts of a plan can find out with some traffic, and how fast.

use std::time::Duration;

use cutover_core::comparison::Compared;
use cutover_core::plan::{Aside, Gate, Plan, Route, Stage};
use cutover_core::units::Share;
use cutover_judge::Settings;
use cutover_judge::power::Traffic;

use super::traffic::Measured;

/// Errors and latency are compared.
const METRICS: u32 = 2;
/// Longer waits are none.
const LONG: f64 = 86_400.0;

/// A place where a verdict is waited for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wait {
    /// The stage, from 0; `None` where there is no plan.
    pub(crate) stage: Option<usize>,
    /// The candidate's share of what is compared; `None` if that cannot be known.
    pub(crate) share: Option<f64>,
    /// The part of all requests that is compared; more than 1 where each counts twice.
    part: f64,
    /// Is it compared with the old release? If not, only the guard's bounds count.
    pub(crate) compared: bool,
    /// The shortest time of collecting evidence.
    pub(crate) bake: Duration,
    /// After this a person is asked.
    pub(crate) limit: Duration,
    /// Latencies say nothing before.
    warm_up: Duration,
    /// Fewer requests prove nothing.
    least: u64,
}

/// What can be found out there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outlook {
    /// The smallest rise of the error rate that turns it back within `bake`.
    pub(crate) finds: Option<f64>,
    /// When a good release passes; `None` if not within `limit`.
    pub(crate) passes: Option<Duration>,
    /// When there would be enough evidence for that, whatever the limits are.
    pub(crate) shown: Option<Duration>,
}

/// All verdicts of a plan, with the traffic of now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Foreseen {
    /// What was counted, or why nothing was.
    pub(crate) measured: Result<Measured, String>,
    pub(crate) gates: Vec<(Wait, Outlook)>,
    /// What would turn any release back, because the live one does it already.
    pub(crate) broken: Option<String>,
}

impl Wait {
    /// Without a plan: a share, for as long as that.
    pub(crate) fn for_share(share: Share, limit: Duration) -> Wait {
        Wait {
            stage: None,
            share: Some(part(share)),
            part: 1.0,
            compared: true,
            bake: Duration::ZERO,
            limit,
            warm_up: Duration::ZERO,
            least: 0,
        }
    }

    /// All waits of a plan for a verdict, in order.
    pub(crate) fn all(plan: &Plan) -> Vec<Wait> {
        let stages = plan.stages.iter().enumerate();
        stages.filter_map(|(index, stage)| Wait::at(plan, index, stage)).collect()
    }

    fn at(plan: &Plan, index: usize, stage: &Stage) -> Option<Wait> {
        let (bake, limit) = stage.gates.iter().find_map(|gate| match gate {
            Gate::Judge { bake, limit } => Some((*bake, *limit)),
            Gate::Ready
            | Gate::Hold(_)
            | Gate::Approval
            | Gate::Conclude(_)
            | Gate::Confirm(_)
            | Gate::Hooks => None,
        })?;
        let (share, of_all) = match (Compared::at(plan, stage), &stage.aside) {
            (Some(Compared::Before), _) => (Some(0.5), 2.0),
            (Some(Compared::Flag { share, .. }), _) => (Some(self::part(share)), 1.0),
            // Each copy is compared with its original.
            (_, Aside::Mirror(copied)) => (Some(0.5), 2.0 * self::part(*copied)),
            (_, Aside::Nothing | Aside::Preview) => (routed(plan, stage), 1.0),
        };
        let given = plan.against.as_ref().and_then(|against| against.warm_up);
        let compared = plan.against.is_some() && Compared::at(plan, stage).is_some();
        Some(Wait {
            stage: Some(index),
            share,
            part: of_all,
            compared,
            bake,
            limit,
            warm_up: given.map_or((bake / 2).min(Duration::from_secs(60)), |span| span.0),
            least: plan.guard.map_or(0, |guard| guard.min_requests),
        })
    }

    /// What is compared there, of so many requests per second with this error rate.
    pub(crate) fn traffic(&self, rate: f64, errors: f64) -> Option<Traffic> {
        let share = self.share.filter(|share| *share > 0.0 && *share < 1.0)?;
        let rate = rate * self.part;
        (rate > 0.0).then_some(Traffic { rate, share, errors: errors.min(0.99) })
    }

    /// When a release with so many more errors is turned back; `None` if not within the limit.
    pub(crate) fn turned_back(
        &self,
        settings: &Settings,
        traffic: &Traffic,
        more: f64,
    ) -> Option<Duration> {
        let most = self.limit.as_secs_f64();
        let seconds = traffic.turns_back(settings, more, METRICS, most)?;
        Some(Duration::from_secs_f64(seconds))
    }

    /// What can be found out here; without `settings` only the guard judges.
    pub(crate) fn outlook(&self, settings: Option<&Settings>, rate: f64, errors: f64) -> Outlook {
        let traffic = self.traffic(rate, errors);
        let least = settings.map_or(self.least, |settings| settings.min_requests);
        let shown = match (settings.filter(|_| self.compared), &traffic) {
            (Some(settings), Some(traffic)) => self.shown(settings, traffic),
            (Some(_), None) => None,
            // The bounds alone: enough requests are enough.
            (None, _) => self.share.filter(|share| share * rate > 0.0).map(|share| {
                let requests = u32::try_from(least.max(1)).unwrap_or(u32::MAX);
                Duration::from_secs_f64(
                    (f64::from(requests) / (share * rate * self.part)).min(LONG),
                )
            }),
        };
        let finds =
            settings.filter(|_| self.compared).zip(traffic).and_then(|(settings, traffic)| {
                traffic.smallest(settings, METRICS, self.bake.as_secs_f64())
            });
        let passes = shown.filter(|shown| *shown <= self.limit).map(|shown| shown.max(self.bake));
        Outlook { finds, passes, shown }
    }

    /// When a release like stable is shown not to be worse, by errors and by latency. The latter has
    /// margins of its own: at the median a tenth more slow answers, at the 95th percentile a
    /// twentieth.
    fn shown(&self, settings: &Settings, traffic: &Traffic) -> Option<Duration> {
        let seconds = traffic.promotes(settings, LONG)?;
        let mut shown = Duration::from_secs_f64(seconds);
        if settings.latency.is_some() {
            for (slow, margin) in [(0.5, 0.1), (0.05, 0.05)] {
                let settings = Settings { not_worse_by: margin, ..settings.clone() };
                let seconds = Traffic { errors: slow, ..*traffic }.promotes(&settings, LONG)?;
                shown = shown.max(self.warm_up + Duration::from_secs_f64(seconds));
            }
        }
        Some(shown)
    }
}

fn part(share: Share) -> f64 {
    f64::from(share.permille()) / 1000.0
}

/// The candidate's share by the route; `None` where only marked requests go to it.
fn routed(plan: &Plan, stage: &Stage) -> Option<f64> {
    match &stage.route {
        Route::Held => None,
        Route::Even => {
            let (old, new) = stage.sizes.of(plan.n);
            (old + new > 0).then(|| f64::from(new) / f64::from(old + new))
        }
        Route::Split { candidate: share, .. } | Route::Match { share, .. } => {
            (*share > Share::ZERO).then(|| part(*share))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::sample;

    fn canary() -> Vec<Wait> {
        let mut plan = *sample::canary().rollout.unwrap().plan;
        plan.against = Some(
            serde_json::from_value(serde_json::json!({
                "tolerance": {}, "not_worse_by": "1pp", "min_requests": 100}))
            .unwrap(),
        );
        Wait::all(&plan)
    }

    #[test]
    fn each_verdict_of_a_plan_is_a_wait_with_its_share() {
        let found: Vec<_> = canary().iter().map(|wait| (wait.stage, wait.share)).collect();
        let at = |stage, share| (Some(stage), Some(share));
        assert_eq!(found, [at(0, 0.05), at(1, 0.25), at(2, 0.5), at(3, 0.5)]);
        assert_eq!(canary()[3].part, 2.0, "all of it, and as much of the time before");
    }

    #[test]
    fn more_traffic_finds_smaller_rises_and_passes_sooner() {
        let settings = Settings::default();
        let outlook = |rate| canary()[1].outlook(Some(&settings), rate, 0.005);
        let (thin, dense) = (outlook(20.0), outlook(500.0));
        assert!(thin.finds.unwrap() > 2.0 * dense.finds.unwrap(), "{thin:?} {dense:?}");
        assert!(thin.shown.unwrap() > dense.shown.unwrap());
        assert_eq!(dense.passes, Some(Duration::from_secs(120)), "not before it has baked");
        let trickle = outlook(0.1);
        assert!(trickle.passes.is_none() && trickle.finds.is_none(), "{trickle:?}");
        assert_eq!(outlook(0.0), Outlook { finds: None, passes: None, shown: None });
    }

    #[test]
    fn the_bounds_alone_need_requests_and_nothing_else() {
        let mut wait = canary().remove(0);
        wait.compared = false;
        let settings = Settings { min_requests: 100, ..Settings::default() };
        let outlook = wait.outlook(Some(&settings), 100.0, 0.0);
        assert_eq!((outlook.finds, outlook.shown), (None, Some(Duration::from_secs(20))));
    }
}
