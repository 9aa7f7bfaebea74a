//! The platform: instances that start, stop, and are looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cutover_core::id::{InstanceId, Subject};
use cutover_core::observed::State;
use cutover_core::release::Release;
use cutover_core::units::At;
use cutover_engine::ports::{KeepLeft, Left, Platform, PlatformError, Seen};

use super::Shared;
use crate::strike::Blow;
use crate::world::World;

/// How much of what was asked is done, and what is said of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    All,
    /// All of it; but it is said to have failed, so it is asked again.
    AllAndFails,
    Half,
    Nothing,
}

fn failed() -> PlatformError {
    PlatformError::new("the platform fails")
}

impl World {
    fn doing(&mut self) -> Doing {
        let blow = self.next_blow.take_if(|blow| {
            let platforms = [Blow::PlatformFails, Blow::PlatformHalfFails, Blow::PlatformRepeats];
            platforms.contains(blow)
        });
        match blow {
            Some(Blow::PlatformFails) => Doing::Nothing,
            Some(Blow::PlatformHalfFails) => Doing::Half,
            Some(Blow::PlatformRepeats) => Doing::AllAndFails,
            _ if self.dice.chance(self.scenario.faults.platform) => {
                let ways = [Doing::AllAndFails, Doing::Half, Doing::Nothing];
                self.dice.pick(&ways).unwrap_or(Doing::Nothing)
            }
            _ => Doing::All,
        }
    }

    /// Starts what is missing, stops what is not wanted; as much of it as is done. False if there was
    /// nothing to do.
    pub(crate) fn make_exist(&mut self, wanted: &BTreeSet<InstanceId>, doing: Doing) -> bool {
        let stops: Vec<InstanceId> = self
            .instances
            .iter()
            .filter(|(id, real)| real.seen.state != State::Stopping && !wanted.contains(id))
            .map(|(id, _)| *id)
            .collect();
        let starts: Vec<InstanceId> =
            wanted.iter().filter(|id| !self.instances.contains_key(id)).copied().collect();
        let all = stops.len() + starts.len();
        let most = match doing {
            Doing::All | Doing::AllAndFails => all,
            Doing::Half => all / 2,
            Doing::Nothing => 0,
        };
        let moves = stops.into_iter().map(|id| (false, id));
        for (starts, id) in moves.chain(starts.into_iter().map(|id| (true, id))).take(most) {
            if starts {
                self.tell(|| format!("start {id}"));
                let check = self.may_start(id);
                self.check(check);
                self.start(id);
            } else {
                self.tell(|| format!("stop {id}"));
                let check = self.may_stop(id);
                self.check(check);
                self.stop(id);
            }
        }
        all > 0
    }
}

impl Platform for Shared {
    async fn preflight(&self, _: &Subject, _: &Release) -> Result<(), PlatformError> {
        self.call_platform().await;
        Ok(())
    }

    async fn prepare(&self, _: &Subject, _: &Release) -> Result<(), PlatformError> {
        self.call_platform().await;
        Ok(())
    }

    async fn observe(
        &self,
        _subject: &Subject,
        now: At,
    ) -> Result<BTreeMap<InstanceId, Seen>, PlatformError> {
        self.call_platform().await;
        let mut world = self.world();
        let fails = world.scenario.faults.platform;
        if world.dice.chance(fails) {
            return Err(failed());
        }
        world.look(now);
        let seen = |real: &crate::world::Real| Seen {
            state: real.seen.state,
            since: real.seen.since,
            address: real.seen.address,
            exits: real.seen.exits.clone(),
            detail: None,
        };
        Ok(world.instances.iter().map(|(id, real)| (*id, seen(real))).collect())
    }

    async fn converge(
        &self,
        _subject: &Subject,
        wanted: &BTreeMap<InstanceId, Arc<Release>>,
        _now: At,
    ) -> Result<(), PlatformError> {
        self.call_platform().await;
        let doing = {
            let mut world = self.world();
            world.follow_ahead();
            let check = world.decided();
            world.check(check);
            let doing = world.doing();
            world.make_exist(&wanted.keys().copied().collect(), doing);
            doing
        };
        // It may have been done, and nobody be there to hear of it.
        self.call().await;
        if doing == Doing::All { Ok(()) } else { Err(failed()) }
    }

    async fn logs(
        &self,
        _: &Subject,
        _: InstanceId,
        _: usize,
    ) -> Result<Vec<String>, PlatformError> {
        Ok(vec![])
    }

    async fn prune(
        &self,
        _: &Subject,
        _: &KeepLeft,
        _dry_run: bool,
    ) -> Result<Vec<Left>, PlatformError> {
        Ok(vec![])
    }

    async fn changed(&self, _: &Subject) {
        // The engine looks at each tick anyway: time passes only there.
        std::future::pending::<()>().await;
    }
}
