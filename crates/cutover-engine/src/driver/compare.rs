//! What both sides of the stage that is under way are like.

use cutover_core::app::Phase;
use cutover_core::comparison::{Compared, Comparison, Side};

use super::Driver;
use crate::api::StageComparison;
use crate::ports::{Clock, World};

impl<W: World> Driver<W> {
    /// What the stage that is under way has shown so far, and its number; `None` where it compares
    /// nothing.
    pub(super) fn comparison(&self) -> Option<(usize, Comparison)> {
        let rollout = self.app.live()?;
        let Phase::Forward(forward) = rollout.phase else { return None };
        let reached = forward.reached?;
        let plan = &rollout.plan;
        let of = Compared::shown(plan, plan.stages.get(forward.stage)?)?;
        let tally = self.run.tally.stage();
        let (a, b) = tally.sides(Some(&of), plan.stable(), plan.candidate);
        let (old, new) = (plan.stable().and_then(|id| self.name(id)), self.name(plan.candidate));
        // Behind a flag both groups get the same release.
        let old = if matches!(of, Compared::Flag { .. }) { new.clone() } else { old };
        let span = self.context.clock.now().since(reached);
        let comparison = Comparison {
            a: Side::of(old, &a),
            b: Side::of(new, &b),
            copies: (of == Compared::Shadow).then(|| tally.copies().clone()),
            milliseconds: u64::try_from(span.as_millis()).unwrap_or(u64::MAX),
            of,
        };
        Some((forward.stage, comparison))
    }

    /// The same, as clients get it.
    pub(super) fn compared_now(&self) -> Option<StageComparison> {
        let (stage, comparison) = self.comparison()?;
        Some(StageComparison { rollout: self.run.number, stage, live: true, comparison })
    }
}
