//! What the world was like over time.

use cutover_core::id::ReleaseId;
use cutover_core::observed::State;
use cutover_core::units::{At, Count, Share};

use super::World;

/// What the world was like at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: At,
    /// Ready instances of the old release that are in the table in force, and of the new one.
    pub serving: (Count, Count),
    /// Every instance that exists, ready or not.
    pub exist: Count,
    /// The new release's share of requests, or that of users with its flag.
    pub share: Share,
}

impl World {
    /// Notes what it is like, if that is asked for and something changed.
    pub(crate) fn note_moment(&mut self) {
        let Some(last) = self.moments.as_ref().map(|moments| moments.last().copied()) else {
            return;
        };
        let Some(rollout) = &self.app.rollout else { return };
        let (plan, table) = (&rollout.plan, &self.plane.in_force.1);
        let ready = |release: Option<ReleaseId>| {
            let members = table.serving.keys().filter(|id| Some(id.release) == release);
            let ready = members.filter(|id| {
                self.instances.get(id).is_some_and(|real| real.seen.state == State::Ready)
            });
            Count::try_from(ready.count()).unwrap_or(Count::MAX)
        };
        let flagged = plan
            .flag
            .as_ref()
            .map(|key| table.flags.get(key).map_or(Share::ZERO, |raised| raised.share));
        let moment = Moment {
            at: self.now,
            serving: (ready(plan.stable()), ready(Some(plan.candidate))),
            exist: Count::try_from(self.instances.len()).unwrap_or(Count::MAX),
            share: flagged.unwrap_or_else(|| table.share(plan.candidate)),
        };
        let same = last.is_some_and(|last| Moment { at: moment.at, ..last } == moment);
        if !same {
            self.moments.get_or_insert_default().push(moment);
        }
    }
}
