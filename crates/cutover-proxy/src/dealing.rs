//! What a request keeps while it is dealt, perhaps more than once.

use cutover_core::id::ReleaseId;
use cutover_core::plan::Sticky;
use cutover_core::table::Deal;
use http::request::Parts;

use crate::flags::Decided;
use crate::identity;
use crate::route::Route;
use crate::split::Places;

/// What a request keeps while it is dealt, perhaps more than once: the same places in the same
/// splits, and one identity.
#[derive(Debug, Default)]
pub(crate) struct Dealing {
    splits: Places<ReleaseId>,
    flags: Places<bool>,
    /// The identity that the proxy has just assigned to it.
    pub(crate) assigned: Option<String>,
    /// What its flags are, by the table that dealt it last.
    pub(crate) decided: Option<Decided>,
}

impl Dealing {
    /// The release by the split in force, if there is one.
    pub(crate) fn side(&mut self, route: &Route, request: &Parts) -> Option<ReleaseId> {
        let split = route.split.as_ref()?;
        let Deal::Split { sticky, .. } = &route.publication.table.deal else {
            return None;
        };
        self.assign_to_new(sticky, route, request, true);
        match who(sticky, request, self.assigned.as_deref()) {
            Some(identity) => split.side_of(identity::bucket(identity)),
            None => self.splits.side(split),
        }
    }

    /// Decides the flags in force.
    pub(crate) fn decide(&mut self, route: &Route, request: &Parts) {
        self.decided = None;
        let Some(flags) = &route.flags else { return };
        let sticky = &route.publication.frontend.identity;
        // What is on for everybody is so whoever it is.
        if flags.first_partly().is_some() {
            self.assign_to_new(sticky, route, request, false);
        }
        let identity = who(sticky, request, self.assigned.as_deref());
        self.decided = Some(flags.decide(identity, &mut self.flags));
    }

    /// Assigns an identity to a user who should have one and has none.
    fn assign_to_new(&mut self, sticky: &Sticky, route: &Route, request: &Parts, is_split: bool) {
        let is_new = *sticky == Sticky::Cookie
            && self.assigned.is_none()
            && identity::from_cookie(&request.headers).is_none();
        if is_new {
            self.assigned = self.assign(route, is_split);
        }
    }

    /// A new identity. The sides come first, each from its place in the deal, and the identity is
    /// one that has them: so the shares of new users are as exact as those of requests. With
    /// several flags on for some, only the first one is.
    fn assign(&mut self, route: &Route, is_split: bool) -> Option<String> {
        let split = route.split.as_ref().filter(|_| is_split);
        let split = split.map(|split| (split, self.splits.side(split)));
        let is_user_of_flags = route.publication.frontend.identity == Sticky::Cookie;
        let flags = route.flags.as_ref().filter(|_| is_user_of_flags);
        let flag = flags.and_then(|flags| flags.first_partly());
        let flag = flag.map(|flag| (flag, self.flags.side(&flag.split)));
        identity::assign(|identity| {
            split.is_none_or(|(split, side)| split.side_of(identity::bucket(identity)) == side)
                && flag.is_none_or(|(flag, side)| Some(flag.is_on(identity)) == side)
        })
    }
}

/// Who the user is; `None` where every request is somebody new.
fn who<'a>(sticky: &Sticky, request: &'a Parts, assigned: Option<&'a str>) -> Option<&'a str> {
    match sticky {
        Sticky::No => None,
        Sticky::Header(name) => identity::from_header(&request.headers, name),
        Sticky::Cookie => identity::from_cookie(&request.headers).or(assigned),
    }
}
