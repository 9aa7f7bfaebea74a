//! The data plane, as the engine talks to it.

use cutover_core::dataplane::{AppState, DataPlaneState, Publication, Seconds};
use cutover_core::id::Subject;
use cutover_core::spec::Spec;
use cutover_engine::ports::{DataPlane, DataPlaneError, PlatformError};

use super::Shared;
use crate::weather::Showing;
use crate::world::World;

fn unreachable() -> DataPlaneError {
    DataPlaneError::Unreachable("no answer".into())
}

impl DataPlane for Shared {
    async fn hello(&self, epoch: u32) -> Result<DataPlaneState, DataPlaneError> {
        self.call().await;
        let mut world = self.world();
        let lost = world.scenario.faults.lost;
        world.blind = world.dice.chance(lost);
        if world.blind {
            return Err(unreachable());
        }
        world.plane.fence = world.plane.fence.max(epoch);
        world.look_at_plane();
        Ok(world.plane_states())
    }

    async fn state(&self) -> Result<DataPlaneState, DataPlaneError> {
        self.call().await;
        let mut world = self.world();
        let lost = world.scenario.faults.lost / 4;
        world.blind = world.dice.chance(lost);
        if world.blind {
            return Err(unreachable());
        }
        world.look_at_plane();
        Ok(world.plane_states())
    }

    async fn publish(
        &self,
        _subject: &Subject,
        publication: &Publication,
    ) -> Result<AppState, DataPlaneError> {
        self.call().await;
        let (ticket, until) = {
            let mut world = self.world();
            world.follow_ahead();
            let check = world.may_publish(&publication.table);
            world.tell_table(publication);
            world.check(check);
            world.sent.push((publication.generation, publication.table.clone()));
            (world.post(publication), world.now + World::ANSWER)
        };
        let generation = publication.generation;
        let answer = self.until(until, move |world| match world.plane.answer(ticket) {
            Some(Ok(())) => Some(world.plane_state().ok_or_else(unreachable)),
            Some(Err(refusal)) => {
                world.sent.retain(|sent| sent.0 != generation);
                Some(Err(refusal.into()))
            }
            None => (world.now >= until).then(|| Err(unreachable())),
        });
        let answer = answer.await;
        self.call().await;
        answer
    }

    async fn remove(&self, _subject: &Subject, epoch: u32) -> Result<(), DataPlaneError> {
        self.call().await;
        let mut world = self.world();
        if epoch >= world.plane.fence {
            world.plane.frontend = None;
            world.plane.in_force = Default::default();
        }
        Ok(())
    }

    async fn seconds(&self, _subject: &Subject, after: u64) -> Result<Seconds, DataPlaneError> {
        self.call().await;
        let mut world = self.world();
        if world.scenario.showing == Showing::Down {
            return Err(unreachable());
        }
        Ok(world.seconds(after))
    }

    async fn preflight(&self, _: &Subject, _: &Spec) -> Result<(), PlatformError> {
        self.call().await;
        Ok(())
    }
}

impl World {
    fn tell_table(&mut self, Publication { generation, table, .. }: &Publication) {
        self.tell(|| {
            let serving: Vec<String> = table.serving.keys().map(ToString::to_string).collect();
            let aside = table.preview.len() + table.mirrored.len();
            let deal = match &table.deal {
                cutover_core::table::Deal::Split { shares, .. } => format!("{shares:?}"),
                other => format!("{other:?}"),
            };
            format!("publish {generation:?} {deal} {serving:?} aside {aside} {:?}", table.flags)
        });
    }
}
