//! What all requests of the proxy share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use cutover_core::id::Subject;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::claim::Claim;
use crate::dealing::Dealing;
use crate::drain;
use crate::instance::Instance;
use crate::route::Route;
use crate::routes::{Door, Routes};
use http::request::Parts;

/// The tables in force and the tasks under them.
#[derive(Debug, Default)]
pub(crate) struct Plane {
    routes: ArcSwap<Routes>,
    /// Number of the routes in force; see [`Plane::claim`].
    number: AtomicU64,
    departures: AtomicU64,
    /// The second that is being measured.
    pub(crate) second: AtomicU64,
    /// Requests that wait for a descriptor.
    pub(crate) short: AtomicUsize,
    /// Connections of users, which the end of the proxy waits for.
    pub(crate) users: TaskTracker,
    /// Everything else: connections to instances, drain limits.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the proxy shall end: nobody is let in any more.
    pub(crate) stop: CancellationToken,
    /// Cancelled when it has waited long enough for those who are inside.
    pub(crate) end: CancellationToken,
}

/// What became of a request's wish for an instance.
pub(crate) enum Dealt {
    /// It has one.
    To(Claim, Arc<Route>),
    /// Nobody serves its app in the routes of this number.
    Nobody(Arc<Route>, u64),
    /// No app is reached under its host and path.
    Unknown,
}

impl Plane {
    /// The routes in force.
    pub(crate) fn routes(&self) -> Arc<Routes> {
        self.routes.load_full()
    }

    /// The number of the routes in force.
    pub(crate) fn number(&self) -> u64 {
        self.number.load(Ordering::SeqCst)
    }

    /// Brings routes into force. Afterwards no instance that they do not name can be claimed, and
    /// once such an instance counts zero requests it gets none ever.
    ///
    /// There is one caller at a time.
    pub(crate) fn swap(self: &Arc<Self>, apps: BTreeMap<Subject, Arc<Route>>) {
        let number = self.number() + 1;
        let before = self.routes.swap(Arc::new(Routes::new(number, apps)));
        self.number.store(number, Ordering::SeqCst);
        let routes = self.routes.load();
        for (subject, old) in &before.apps {
            let new = routes.apps.get(subject).filter(|new| Arc::ptr_eq(&new.app, &old.app));
            for instance in old.app.instances() {
                if !instance.has_left() && !new.is_some_and(|new| new.names(&instance)) {
                    let departure = self.departures.fetch_add(1, Ordering::Relaxed) + 1;
                    instance.leave(departure);
                    drain::begin(self, &instance, &old.publication.frontend);
                }
            }
            old.app.hold.release();
        }
    }

    /// Claims an instance for a request, from one table that is in force at that moment.
    ///
    /// Between looking at the table and counting the request a swap may come, and whoever drains
    /// the instance would see zero requests. So the request is counted *first*, and the number of
    /// the routes is read *after*; the swap stores its number first, and the drain reads the count
    /// after. All four are sequentially consistent, so there is one order of them: either the drain
    /// sees the count, or the claim sees the new number, takes its count back and deals again. That
    /// an instance that left may count one for a moment only delays its drain by that moment.
    pub(crate) fn claim(
        &self,
        door: &Door,
        request: &Parts,
        dealing: &mut Dealing,
        avoid: Option<&Arc<Instance>>,
    ) -> Dealt {
        loop {
            let routes = self.routes.load();
            let Some(route) = routes.find(door, request) else {
                return Dealt::Unknown;
            };
            let Some(instance) = route.deal(door, request, dealing, avoid) else {
                return Dealt::Nobody(Arc::clone(route), routes.number);
            };
            let claim = Claim::new(instance);
            if self.number.load(Ordering::SeqCst) == routes.number {
                return Dealt::To(claim, Arc::clone(route));
            }
            drop(claim);
            std::hint::spin_loop();
        }
    }

    /// Claims an instance for the copy of a request, in the same way; `None` where the app's
    /// requests are copied no longer.
    pub(crate) fn claim_copy(&self, app: &Arc<App>) -> Option<Claim> {
        loop {
            let routes = self.routes.load();
            let route = routes.apps.get(&app.subject).filter(|it| Arc::ptr_eq(&it.app, app))?;
            let claim = Claim::new(route.mirror.as_ref()?.choose()?);
            if self.number.load(Ordering::SeqCst) == routes.number {
                return Some(claim);
            }
            drop(claim);
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::AtomicBool;

    use cutover_core::dataplane::{Frontend, Publication};
    use cutover_core::id::InstanceId;
    use cutover_core::table::{Deal, Generation, Table};
    use cutover_core::units::{Share, Span};

    use super::*;

    const LISTEN: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 80);

    fn route(app: &Arc<App>, slot: u32) -> BTreeMap<Subject, Arc<Route>> {
        let id = |release| -> InstanceId { format!("r{release}.{slot}").parse().unwrap() };
        let table = Table {
            deal: Deal::Even,
            serving: [(id(1), LISTEN)].into(),
            mirrored: [(id(2), LISTEN)].into(),
            mirror: Share::FULL,
            ..Table::default()
        };
        let frontend = Frontend {
            listen: LISTEN,
            preview: LISTEN,
            host: None,
            path: None,
            while_down: Default::default(),
            hold_limit: Span::secs(1),
            hold_most: 1,
            drain_upgraded: Span::secs(60),
            drain_requests: Span::secs(60),
            mirror: Default::default(),
            identity: Default::default(),
        };
        let publication = Publication { generation: Generation::default(), frontend, table };
        [(app.subject.clone(), Route::new(app, publication, None, None))].into()
    }

    /// After a swap that takes an instance out, once it counts zero, nobody claims it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_claim_slips_past_a_swap() {
        let plane = Arc::new(Plane::default());
        let app = App::new("shop".parse().unwrap(), 0);
        plane.swap(route(&app, 0));
        // Set for a slot between "drained" and "back in the table": a claim then is the error.
        let empty: Arc<[AtomicBool; 2]> = Arc::default();
        let done = Arc::new(AtomicBool::new(false));
        let claimers: Vec<_> = (0..3)
            .map(|_| {
                let (plane, app) = (plane.clone(), app.clone());
                let (empty, done) = (empty.clone(), done.clone());
                std::thread::spawn(move || {
                    let request = http::Request::new(()).into_parts().0;
                    let door = Door::Users(LISTEN);
                    let mut claims = 0_u64;
                    while !done.load(Ordering::SeqCst) {
                        let dealt = plane.claim(&door, &request, &mut Dealing::default(), None);
                        let Dealt::To(claim, _) = dealt else { panic!("someone always serves") };
                        let slot = claim.instance().id.slot as usize;
                        assert!(!empty[slot].load(Ordering::SeqCst), "claimed after its drain");
                        drop(claim);
                        let copy = plane.claim_copy(&app).expect("always mirrored");
                        let slot = copy.instance().id.slot as usize;
                        assert!(!empty[slot].load(Ordering::SeqCst), "copied after its drain");
                        drop(copy);
                        claims += 1;
                    }
                    claims
                })
            })
            .collect();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(2);
        let mut swaps = 0_u32;
        while std::time::Instant::now() < end {
            let (new, old) = (((swaps + 1) % 2) as usize, (swaps % 2) as usize);
            empty[new].store(false, Ordering::SeqCst);
            plane.swap(route(&app, new as u32));
            let all = app.instances().into_iter();
            for leaving in all.filter(|instance| instance.id.slot as usize == old) {
                while leaving.requests.load(Ordering::SeqCst) > 0 {
                    std::hint::spin_loop();
                }
            }
            empty[old].store(true, Ordering::SeqCst);
            for _ in 0..fastrand::u32(..200) {
                std::hint::spin_loop();
            }
            swaps += 1;
        }
        done.store(true, Ordering::SeqCst);
        let claims: u64 = claimers.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert!(swaps > 100 && claims > 1000, "{swaps} swaps, {claims} claims");
    }
}
