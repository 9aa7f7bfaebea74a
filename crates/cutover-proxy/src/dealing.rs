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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cutover_core::dataplane::{Frontend, Publication};
    use cutover_core::table::{Generation, Raised, Table};
    use cutover_core::units::{Share, Span};
    use http::header::COOKIE;
    use proptest::prelude::*;

    use super::*;
    use crate::app::App;

    fn route(app: &Arc<App>, share: u32, flag: u32) -> Arc<Route> {
        let address = "127.0.0.1:80".parse().unwrap();
        let share = Share::from_permille(share);
        let raised = Raised { share: Share::from_permille(flag), by: ReleaseId(1) };
        let deal = Deal::Split {
            shares: [(ReleaseId(1), share.rest()), (ReleaseId(2), share)].into(),
            sticky: Sticky::Cookie,
            favoured: ReleaseId(2),
        };
        let serving = ["r1.0", "r2.0"].map(|id| (id.parse().unwrap(), address)).into();
        let flags = [("new".parse().unwrap(), raised)].into();
        let table = Table { deal, serving, flags, ..Table::default() };
        let frontend = Frontend {
            listen: address,
            preview: address,
            host: None,
            path: None,
            while_down: Default::default(),
            hold_limit: Span::secs(1),
            hold_most: 1,
            drain_upgraded: Span::secs(1),
            drain_requests: Span::secs(1),
            mirror: Default::default(),
            identity: Sticky::Cookie,
        };
        let publication = Publication { generation: Generation::default(), frontend, table };
        Route::new(app, publication, None, None)
    }

    /// The side and the flag of a user, and the cookie that they send from then on.
    fn deal(route: &Route, cookie: Option<&str>) -> (bool, bool, Option<String>) {
        let mut request = http::Request::new(()).into_parts().0;
        if let Some(cookie) = cookie {
            let value = format!("{}={cookie}", identity::COOKIE_NAME);
            request.headers.insert(COOKIE, value.parse().unwrap());
        }
        let mut dealing = Dealing::default();
        let side = dealing.side(route, &request) == Some(ReleaseId(2));
        dealing.decide(route, &request);
        let on = dealing.decided.unwrap().partly().all(|(_, on)| on);
        (side, on, dealing.assigned)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn new_users_have_the_sides_that_were_dealt_and_keep_them(
            share in 10..=90_u32,
            flag in 10..=90_u32,
        ) {
            let app = App::new("shop".parse().unwrap(), 0);
            let first = route(&app, share * 10, flag * 10);
            let people: Vec<_> = (0..100).map(|_| deal(&first, None)).collect();
            prop_assert_eq!(people.iter().filter(|(side, ..)| *side).count(), share as usize);
            prop_assert_eq!(people.iter().filter(|(_, on, _)| *on).count(), flag as usize);
            // In tables whose shares have grown, everybody is where they were or on the new side.
            for more in [0, 5, 10] {
                let grown = route(&app, (share + more) * 10, (flag + more) * 10);
                for (side, on, assigned) in &people {
                    let (side_now, on_now, again) = deal(&grown, assigned.as_deref());
                    prop_assert_eq!(again, None);
                    prop_assert!(side_now >= *side && on_now >= *on);
                    prop_assert!(more > 0 || (side_now == *side && on_now == *on));
                }
            }
        }
    }
}
