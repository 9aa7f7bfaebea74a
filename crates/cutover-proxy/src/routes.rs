//! All tables in force, as one value that requests look at.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use cutover_core::id::Subject;
use http::request::Parts;

use crate::marks;
use crate::route::Route;

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
