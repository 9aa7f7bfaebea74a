//! One app as it is now, for people.

use cutover_core::app::Phase;
use cutover_core::plan::Gate;

use super::Driver;
use crate::api::{AppStatus, InstanceStatus, RolloutStatus};
use crate::ports::{Clock, World};

impl<W: World> Driver<W> {
    pub(super) fn status(&self) -> AppStatus {
        let state = self.watch.state.as_ref();
        let table = state.map(|state| &state.table);
        let live = self.app.rest.as_ref().map(|rest| rest.live);
        let spec = live.and_then(|live| self.releases.get(&live)).map(|release| &release.spec);
        let instances = self.seen.iter().filter_map(|(id, seen)| {
            Some(InstanceStatus {
                id: *id,
                release: self.name(id.release)?,
                state: seen.state,
                since: seen.since,
                address: seen.address.map(|address| address.to_string()),
                in_flight: state.and_then(|s| s.in_flight.get(id)).copied().unwrap_or_default(),
                serving: table.is_some_and(|table| table.serving.contains_key(id)),
                exits: seen.exits.len(),
                detail: seen.detail.clone(),
            })
        });
        let ids = table.iter().flat_map(|table| table.serving.keys().map(|id| id.release));
        let standby = self.app.rest.as_ref().and_then(|rest| rest.standby);
        let now = self.context.clock.now();
        AppStatus {
            subject: self.subject.clone(),
            n: self.app.n,
            scaled: spec.is_some_and(|spec| spec.instances != self.app.n),
            listen: state.map(|state| state.frontend.listen.to_string()),
            preview: state
                .filter(|state| !state.table.preview.is_empty())
                .and_then(|state| state.preview)
                .map(|preview| preview.to_string()),
            live: live.and_then(|live| self.name(live)),
            standby: standby
                .filter(|standby| standby.until > now)
                .and_then(|standby| Some((self.name(standby.release)?, standby.until))),
            instances: instances.collect(),
            shares: ids.filter_map(|id| table.map(|table| (id, table.share(id)))).collect(),
            held: table.is_some_and(cutover_core::table::Table::is_held),
            routed: table.is_some(),
            killed: self.app.killed.clone(),
            flags: table.map(|table| table.flags.clone()).unwrap_or_default(),
            frozen: self.app.frozen.clone().filter(|freeze| freeze.holds(now)),
            rollout: self.rollout_status(),
            troubles: self.troubles.values().cloned().collect(),
        }
    }

    fn rollout_status(&self) -> Option<RolloutStatus> {
        let rollout = self.app.live()?;
        let (forward, why) = match rollout.phase {
            Phase::Forward(forward) => (Some(forward), None),
            Phase::Back { why, .. } => (None, Some(why)),
            Phase::Done(_) => (None, None),
        };
        let waiting = forward.is_some_and(|forward| {
            let gates = rollout.plan.stages.get(forward.stage).map(|stage| &stage.gates);
            let asks = gates.is_some_and(|gates| gates.contains(&Gate::Approval));
            forward.holding.is_some() || (asks && forward.reached.is_some() && !forward.approved)
        });
        Some(RolloutStatus {
            number: self.run.number,
            to: self.name(rollout.plan.candidate)?,
            plan: Box::new(rollout.plan.clone()),
            begun: rollout.begun,
            actor: self.run.actor.clone(),
            stage: forward.map(|forward| forward.stage),
            reached: forward.is_some_and(|forward| forward.reached.is_some()),
            entered_at: forward.map(|forward| forward.entered),
            reached_at: forward.and_then(|forward| forward.reached),
            approved: forward.is_some_and(|forward| forward.approved),
            turned_back: why.map(|why| (why, self.run.reason.clone().unwrap_or_default())),
            waiting,
            paused: rollout.paused.is_some(),
            verdict: self.run.verdict.clone(),
            confirm_until: rollout.confirm_until(),
            comparison: self.comparison().map(|(_, comparison)| comparison),
        })
    }
}
