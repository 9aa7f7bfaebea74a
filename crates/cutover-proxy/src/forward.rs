//! One request to an instance and its answer back, with at most one more try.

use std::sync::Arc;
use std::time::Duration;

use http::header::{SET_COOKIE, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::time::sleep;

use crate::attempt::{Tried, Unanswered, attempt};
use crate::baggage;
use crate::claim::Claim;
use crate::connect::is_dead;
use crate::headers;
use crate::identity;
use crate::instance::Instance;
use crate::mirror;
use crate::pages::{self, Answer};
use crate::plane::Plane;
use crate::pool::{Lane, Line};
use crate::relay::{Passage, Relay};
use crate::tally::{Outcome, Tally};
use crate::upgrade;
use crate::visit::Visit;

/// Sends the request to the claimed instance, and once more where that cannot be a second time for
/// any instance.
pub(crate) async fn forward(
    mut visit: Visit<'_>,
    mut claim: Claim,
    request: Request<Incoming>,
    upgrade: Option<OnUpgrade>,
) -> Response<Answer> {
    let method = request.method().clone();
    let (mut head, body) = request.into_parts();
    let instance = claim.instance().address.to_string();
    headers::for_instance(&mut head, &body, visit.visitor.from, &instance);
    baggage::rewrite(&mut head.headers, visit.dealing.decided.as_ref());
    let plane = &visit.visitor.plane;
    let route = visit.route.take().filter(|_| upgrade.is_none());
    let (body, original) = mirror::begin(plane, route.as_deref(), &head, body);
    visit.tally.original = original;
    let request = Request::from_parts(head, Either::Left(body));
    let mut tried = attempt(plane, claim.instance(), Line::Users, request, true).await;
    if let Tried::Again(request, _) = tried {
        let (mut head, body) = request.into_parts();
        let first = Arc::clone(claim.instance());
        // Nothing of it is inside there, and it may have to wait now, which is no reason for the
        // first instance to wait with it.
        drop(claim);
        claim = match visit.claim(&head, Some(&first)).await {
            Ok(other) => other,
            Err(response) => return *response,
        };
        visit.tally.retried = true;
        // By the table that dealt it this time.
        baggage::rewrite(&mut head.headers, visit.dealing.decided.as_ref());
        let request = Request::from_parts(head, body);
        tried = attempt(plane, claim.instance(), Line::Users, request, false).await;
    }
    let why = match tried {
        Tried::Answered(response, lane) => {
            return answered(visit, claim, (response, lane), &method, upgrade);
        }
        Tried::UserLeft => {
            let what = "the rest of the request did not come";
            return pages::text(StatusCode::BAD_REQUEST, what);
        }
        Tried::Again(_, why) | Tried::Failed(why) => why,
    };
    let page = pages::text(StatusCode::BAD_GATEWAY, &why.to_string());
    visit.tally.outcome = match why {
        Unanswered::Cut => Outcome::Cut,
        _ => Outcome::Failed,
    };
    if let Unanswered::Broken = why {
        settle(plane, claim.instance(), visit.tally);
    }
    page
}

/// Passes an answer on.
fn answered(
    mut visit: Visit<'_>,
    claim: Claim,
    (mut response, lane): (Response<Incoming>, Lane),
    method: &Method,
    upgrade: Option<OnUpgrade>,
) -> Response<Answer> {
    let plane = &visit.visitor.plane;
    let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let other_side = is_upgrade.then(|| hyper::upgrade::on(&mut response));
    let (mut head, body) = response.into_parts();
    headers::for_user(&mut head, &body, method);
    if let Some(identity) = &visit.dealing.assigned
        && let Ok(cookie) = HeaderValue::from_str(&identity::set_cookie(identity))
    {
        head.headers.append(SET_COOKIE, cookie);
    }
    match (other_side, upgrade) {
        (None, _) => {
            let passage = Passage {
                plane: Arc::clone(plane),
                claim,
                lane,
                tally: visit.tally,
                status: head.status,
            };
            Response::from_parts(head, Either::Left(Relay::new(body, passage)))
        }
        (Some(instance), Some(user)) => {
            let protocol = head.headers.get(UPGRADE).map(HeaderValue::as_bytes);
            let is_websocket = protocol.is_some_and(|it| it.eq_ignore_ascii_case(b"websocket"));
            upgrade::begin(plane, (user, instance, is_websocket), claim, lane, visit.tally);
            Response::from_parts(head, Either::Right(Default::default()))
        }
        (Some(_), None) => {
            visit.tally.outcome = Outcome::Failed;
            pages::text(StatusCode::BAD_GATEWAY, &Unanswered::Protocol.to_string())
        }
    }
}

/// Counts a request whose instance broke it off: lost if the instance has died, else failed.
pub(crate) fn settle(plane: &Plane, instance: &Instance, mut tally: Tally) {
    tally.outcome = Outcome::Failed;
    let address = instance.address;
    plane.tasks.spawn(async move {
        // A process that dies closes its sockets one by one, the listening one perhaps last.
        for pause in [0, 20, 100] {
            sleep(Duration::from_millis(pause)).await;
            if is_dead(address).await {
                tally.outcome = Outcome::Lost;
                break;
            }
        }
        drop(tally);
    });
}
