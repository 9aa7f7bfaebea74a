//! The ports of the engine, served by a simulated world. Each call may find the engine dead, the
//! platform hanging, the journal full; all by the world's dice.

mod journal;
mod plane;
mod platform;
mod rest;

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use cutover_core::dataplane::{Frontend, Mirror};
use cutover_core::id::{Environment, Subject};
use cutover_core::plan::Sticky;
use cutover_core::spec::Spec;
use cutover_core::units::{At, Span};
use cutover_engine::ports::{Parts, World as Ports};

use crate::world::World;
pub(crate) use platform::Doing;

/// The world, as all ports share it.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<World>>);

/// The ports of a simulated world.
pub(crate) enum Simulated {}

impl Ports for Simulated {
    type Journal = Shared;
    type Platform = Shared;
    type DataPlane = Shared;
    type Metrics = Shared;
    type Hooks = Shared;
    type Clock = Shared;
}

impl Shared {
    pub(crate) fn new(world: World) -> Shared {
        Shared(Arc::new(Mutex::new(world)))
    }

    pub(crate) fn parts(&self) -> Parts<Simulated> {
        let [platform, dataplane, metrics, hooks] = std::array::from_fn(|_| self.clone());
        Parts { platform, dataplane, metrics, hooks }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something of the engine calls. If the engine dies of it, it is never answered.
    async fn call(&self) {
        let dead = {
            let mut world = self.world();
            world.activity += 1;
            world.dies()
        };
        if dead {
            std::future::pending::<()>().await;
        }
    }

    /// A call to the platform, which may hang.
    async fn call_platform(&self) {
        self.call().await;
        let until = {
            let mut world = self.world();
            let hangs = world.scenario.faults.hangs;
            let hangs = world.dice.chance(hangs);
            hangs.then(|| world.now + world.dice.up_to(Duration::from_secs(4)))
        };
        if let Some(until) = until {
            self.wait(until).await;
        }
    }

    /// Waits until a time.
    async fn wait(&self, until: At) {
        self.until(until, move |world| (world.now >= until).then_some(())).await;
    }

    /// Waits until there is something, at the latest at `until`, looking at each tick.
    fn until<T>(
        &self,
        until: At,
        mut look: impl FnMut(&mut World) -> Option<T> + Send,
    ) -> impl Future<Output = T> + Send {
        let shared = self.clone();
        poll_fn(move |context| {
            let mut world = shared.world();
            world.activity += 1;
            match look(&mut world).filter(|_| !world.dying) {
                Some(found) => Poll::Ready(found),
                None => {
                    world.wait_for(until);
                    world.wake_later(context.waker());
                    Poll::Pending
                }
            }
        })
    }
}

/// The app of a simulated world.
pub(crate) fn subject(spec: &Spec) -> Subject {
    Subject { app: spec.app.clone(), env: Environment::default() }
}

/// How its users reach it before the first deployment.
pub(crate) fn frontend(spec: &Spec) -> Option<Frontend> {
    Some(Frontend {
        listen: spec.listen?,
        preview: spec.listen?,
        host: None,
        path: None,
        while_down: spec.patterns.big_bang.while_down,
        hold_limit: Span::secs(60),
        hold_most: 10_000,
        drain_upgraded: spec.drain.upgraded,
        drain_requests: spec.drain.requests,
        mirror: Mirror::default(),
        identity: Sticky::No,
    })
}
