//! All tables in force, as one value that requests look at.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use cutover_core::dataplane::{AppState, Publication};
use cutover_core::id::{ReleaseId, Subject};
use cutover_core::plan::Sticky;
use cutover_core::table::Deal;
use http::request::Parts;

use crate::app::App;
use crate::deal::{Split, choose};
use crate::identity;
use crate::instance::Instance;
use crate::marks;

/// Through which listener a user came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Door {
    /// The listener at this address, which several apps may share.
    Users(SocketAddr),
    /// The preview listener of an app.
    Preview(Subject),
}

/// All tables in force.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// Increases with each swap.
    pub(crate) number: u64,
    pub(crate) apps: BTreeMap<Subject, Arc<Route>>,
    /// The apps of each listener, the most specific first.
    doors: HashMap<SocketAddr, Vec<Arc<Route>>>,
}

impl Routes {
    pub(crate) fn new(number: u64, apps: BTreeMap<Subject, Arc<Route>>) -> Routes {
        let mut doors: HashMap<SocketAddr, Vec<Arc<Route>>> = HashMap::new();
        for route in apps.values() {
            doors.entry(route.publication.frontend.listen).or_default().push(Arc::clone(route));
        }
        for routes in doors.values_mut() {
            routes.sort_by_key(|route| {
                let frontend = &route.publication.frontend;
                (
                    frontend.host.is_none(),
                    std::cmp::Reverse(frontend.path.as_ref().map(String::len)),
                )
            });
        }
        Routes { number, apps, doors }
    }

    /// The app that a request is for.
    pub(crate) fn find(&self, door: &Door, request: &Parts) -> Option<&Arc<Route>> {
        match door {
            Door::Preview(subject) => self.apps.get(subject),
            Door::Users(listener) => self.doors.get(listener)?.iter().find(|route| {
                let frontend = &route.publication.frontend;
                let is_host = |wanted: &str| {
                    marks::host(request).is_some_and(|host| host.eq_ignore_ascii_case(wanted))
                };
                frontend.host.as_deref().is_none_or(is_host)
                    && frontend
                        .path
                        .as_deref()
                        .is_none_or(|prefix| marks::is_below(request.uri.path(), prefix))
            }),
        }
    }
}

/// The table in force for one app, ready for use.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) app: Arc<App>,
    pub(crate) publication: Publication,
    /// Where the preview really listens.
    pub(crate) preview_at: Option<SocketAddr>,
    serving: Vec<Arc<Instance>>,
    /// Where in `serving` each release is.
    releases: Vec<(ReleaseId, Range<usize>)>,
    preview: Vec<Arc<Instance>>,
    split: Option<Arc<Split>>,
}

/// What a request keeps while it is dealt, perhaps more than once.
#[derive(Debug, Default)]
pub(crate) struct Dealing {
    /// Its place in which split; a request takes one place, however often it is dealt by it.
    ticket: Option<(Arc<Split>, u64)>,
    /// The identity that the proxy has just assigned to it.
    pub(crate) assigned: Option<String>,
}

impl Route {
    /// Makes a table ready. Its instances are entered, so it must come into force next.
    pub(crate) fn new(
        app: &Arc<App>,
        publication: Publication,
        preview_at: Option<SocketAddr>,
        before: Option<&Route>,
    ) -> Arc<Route> {
        let table = &publication.table;
        let enter = |(id, address): (&_, &SocketAddr)| app.instance(*id, *address);
        let serving: Vec<_> = table.serving.iter().map(enter).collect();
        let preview = table.preview.iter().map(enter).collect();
        let mut releases: Vec<(ReleaseId, Range<usize>)> = Vec::new();
        for (place, instance) in serving.iter().enumerate() {
            match releases.last_mut() {
                Some((release, range)) if *release == instance.id.release => range.end = place + 1,
                _ => releases.push((instance.id.release, place..place + 1)),
            }
        }
        let split = match &table.deal {
            Deal::Held | Deal::Even => None,
            Deal::Split { shares, favoured, .. } => {
                let new = Split::new(shares, *favoured, app.seed);
                let old = before.and_then(|before| before.split.clone());
                Some(old.filter(|old| old.equals(&new)).unwrap_or(new))
            }
        };
        Arc::new(Route {
            app: Arc::clone(app),
            preview_at,
            serving,
            releases,
            preview,
            split,
            publication,
        })
    }

    /// The instance for a request; `None` while nobody serves it.
    pub(crate) fn deal(
        &self,
        door: &Door,
        request: &Parts,
        dealing: &mut Dealing,
        avoid: Option<&Arc<Instance>>,
    ) -> Option<&Arc<Instance>> {
        if let Door::Preview(_) = door {
            return choose(&self.preview, avoid);
        }
        if self.publication.table.deal == Deal::Held {
            return None;
        }
        let group = self.group(request, dealing);
        let chosen = choose(group, avoid)?;
        if avoid.is_some_and(|avoid| Arc::ptr_eq(avoid, chosen)) {
            // Alone in its release; another one is better than none.
            return choose(&self.serving, avoid);
        }
        Some(chosen)
    }

    /// The instances among which a request may choose: those of its release if it has one that
    /// serves, else all.
    fn group(&self, request: &Parts, dealing: &mut Dealing) -> &[Arc<Instance>] {
        let table = &self.publication.table;
        if let Some(marked) = &table.marked
            && let Some(group) = self.release(marked.to)
            && marked.rules.iter().any(|rule| marks::holds(rule, request))
        {
            return group;
        }
        self.side(request, dealing).and_then(|side| self.release(side)).unwrap_or(&self.serving)
    }

    fn release(&self, release: ReleaseId) -> Option<&[Arc<Instance>]> {
        let (_, range) = self.releases.iter().find(|(id, _)| *id == release)?;
        self.serving.get(range.clone())
    }

    fn side(&self, request: &Parts, dealing: &mut Dealing) -> Option<ReleaseId> {
        let split = self.split.as_ref()?;
        let Deal::Split { sticky, .. } = &self.publication.table.deal else {
            return None;
        };
        let identity = match sticky {
            Sticky::No => None,
            Sticky::Header(name) => {
                request.headers.get(name).and_then(|value| Some(value.to_str().ok()?.to_owned()))
            }
            Sticky::Cookie => identity::from_cookie(&request.headers).or_else(|| {
                if dealing.assigned.is_none() {
                    dealing.assigned = identity::assign();
                }
                dealing.assigned.clone()
            }),
        };
        if let Some(identity) = identity {
            return split.side_of(&identity);
        }
        let ticket = match &dealing.ticket {
            Some((of, ticket)) if Arc::ptr_eq(of, split) => *ticket,
            Some(_) | None => {
                let ticket = split.ticket();
                dealing.ticket = Some((Arc::clone(split), ticket));
                ticket
            }
        };
        split.side(ticket)
    }

    /// Does the table in force name this instance?
    pub(crate) fn names(&self, instance: &Instance) -> bool {
        let table = &self.publication.table;
        [&table.serving, &table.preview, &table.mirrored]
            .iter()
            .any(|named| named.get(&instance.id) == Some(&instance.address))
    }

    /// What is in force, and what is going on.
    pub(crate) fn state(&self) -> AppState {
        AppState {
            generation: self.publication.generation,
            table: self.publication.table.clone(),
            frontend: self.publication.frontend.clone(),
            preview: self.preview_at,
            held: self.app.hold.len(),
            in_flight: self.app.in_flight(),
        }
    }
}
