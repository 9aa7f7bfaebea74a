//! Which requests are copied, and to where.

use std::sync::Arc;

use cutover_core::comparison::Copies;
use cutover_core::units::Share;
use http::request::Parts;
use hyper::body::{Body, Incoming};

use crate::app::App;
use crate::choose::choose;
use crate::copy::Order;
use crate::headers;
use crate::instance::Instance;
use crate::pair::{Original, Pair};
use crate::plane::Plane;
use crate::route::Route;
use crate::split::Split;
use crate::tee::Tee;

/// The mirror of a table, ready for use.
#[derive(Debug)]
pub(crate) struct Mirroring {
    to: Vec<Arc<Instance>>,
    split: Arc<Split<bool>>,
}

impl Mirroring {
    /// `None` where nothing is copied. Where the share is as before, requests are dealt on.
    pub(crate) fn new(
        to: Vec<Arc<Instance>>,
        share: Share,
        app: &App,
        before: Option<&Mirroring>,
    ) -> Option<Mirroring> {
        if to.is_empty() || share == Share::ZERO {
            return None;
        }
        let split = Split::yes(share.permille(), app.seed("mirror"));
        Some(Mirroring { to, split: split.after(before.map(|before| &before.split)) })
    }

    /// The instance for a copy.
    pub(crate) fn choose(&self) -> Option<&Arc<Instance>> {
        choose(&self.to, None)
    }
}

/// Begins to copy a request, whose head is that for an instance, if it is one that is copied. The
/// copy is sent once the body is here whole, which nobody waits for.
pub(crate) fn begin(
    plane: &Arc<Plane>,
    route: Option<&Route>,
    head: &Parts,
    body: Incoming,
) -> (Tee, Option<Box<Original>>) {
    let Some((route, mirror)) = route.and_then(|route| Some((route, route.mirror.as_ref()?)))
    else {
        return (Tee::plain(body), None);
    };
    let rule = &route.publication.frontend.mirror;
    let is_listed = rule.methods.iter().any(|method| method == head.method.as_str());
    if !is_listed || mirror.split.side(mirror.split.ticket()) != Some(true) {
        return (Tee::plain(body), None);
    }
    if body.size_hint().lower() > u64::from(rule.most_body) {
        let copies = Copies { too_large: 1, ..Copies::default() };
        route.app.measure.copied(&copies, None, None);
        return (Tee::plain(body), None);
    }
    let pair = Pair::new(&route.app, rule.compare_body);
    let original = Box::new(Original::new(&pair));
    let mut head = head.clone();
    headers::for_copy(&mut head);
    let order = Order { plane: Arc::clone(plane), pair, head };
    (Tee::new(body, order, rule.most_body), Some(original))
}
