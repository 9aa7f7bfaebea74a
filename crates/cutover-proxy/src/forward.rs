//! One request to an instance and its answer back, with at most one more try.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::header::SET_COOKIE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Either, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::{TrySendError, http1};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::claim::Claim;
use crate::headers;
use crate::identity;
use crate::instance::Instance;
use crate::pages::{self, Answer};
use crate::plane::Plane;
use crate::pool::{FRESH, Lane, USABLE, Upload};
use crate::relay::{Passage, Relay};
use crate::tally::{Outcome, Tally};
use crate::upgrade;
use crate::visit::Visit;
use crate::wire::{Wire, WireIo};

const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// Why an instance did not answer.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("connection to the instance refused")]
    Refused,
    #[error("connection to the instance timed out")]
    TimedOut,
    #[error("connection to the instance failed: {0}")]
    Unreachable(io::Error),
    #[error("the instance closed the connection before it answered")]
    Broken,
    #[error("the instance was taken out of service before it answered")]
    Cut,
    #[error("the instance changed the protocol without being asked to")]
    Protocol,
}

/// What a try ended with.
enum Tried {
    Answered(Response<Incoming>, Lane),
    /// No byte of this request has reached an instance, or it may be repeated.
    Again(Request<Upload>, Unanswered),
    Failed(Unanswered),
    /// The user did not send the rest of the body.
    UserLeft,
}

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
    let request = Request::from_parts(head, Either::Left(body));
    let plane = &visit.visitor.plane;
    let mut tried = attempt(plane, claim.instance(), request, true).await;
    if let Tried::Again(request, _) = tried {
        let (head, body) = request.into_parts();
        let first = Arc::clone(claim.instance());
        // Nothing of it is inside there, and it may have to wait now, which is no reason for the
        // first instance to wait with it.
        drop(claim);
        claim = match visit.claim(&head, Some(&first)).await {
            Ok(other) => other,
            Err(response) => return *response,
        };
        visit.tally.retried = true;
        tried = attempt(plane, claim.instance(), Request::from_parts(head, body), false).await;
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
            upgrade::begin(plane, (user, instance), claim, lane, visit.tally);
            Response::from_parts(head, Either::Right(Default::default()))
        }
        (Some(_), None) => {
            visit.tally.outcome = Outcome::Failed;
            pages::text(StatusCode::BAD_GATEWAY, &Unanswered::Protocol.to_string())
        }
    }
}

async fn attempt(
    plane: &Plane,
    instance: &Arc<Instance>,
    request: Request<Upload>,
    is_first: bool,
) -> Tried {
    let is_empty = request.body().is_end_stream();
    let is_repeatable = is_empty && [Method::GET, Method::HEAD].contains(request.method());
    let limit = if is_repeatable { USABLE } else { FRESH };
    let pooled = if is_first { instance.pool.take(limit) } else { None };
    let mut lane = match pooled {
        Some(lane) => lane,
        None => match connect(plane, instance).await {
            Ok(lane) => lane,
            Err(why) => return Tried::Again(request, why),
        },
    };
    // Cloned only where it may be needed: a connection that was idle may end just now.
    let spare = (is_first && is_empty && lane.reused).then(|| {
        let mut spare = Request::new(Either::Right(Empty::new()));
        *spare.method_mut() = request.method().clone();
        *spare.uri_mut() = request.uri().clone();
        *spare.headers_mut() = request.headers().clone();
        spare
    });
    let (written, read) = (lane.wire.written(), lane.wire.read());
    let error = match lane.sender.try_send_request(request).await {
        Ok(response) => return Tried::Answered(response, lane),
        Err(error) => error,
    };
    let wire = &lane.wire;
    let why = if wire.is_cut() { Unanswered::Cut } else { Unanswered::Broken };
    let is_unsent = wire.written() == written;
    let may_repeat = is_unsent || (is_repeatable && wire.read() == read && !wire.is_cut());
    match given_back(error) {
        Ok(request) => Tried::Again(request, why),
        Err(error) if error.is_user() => Tried::UserLeft,
        Err(_) => match spare.filter(|_| may_repeat) {
            Some(request) => Tried::Again(request, why),
            None => Tried::Failed(why),
        },
    }
}

fn given_back(mut error: TrySendError<Request<Upload>>) -> Result<Request<Upload>, hyper::Error> {
    error.take_message().ok_or_else(|| error.into_error())
}

/// A new connection to an instance.
async fn connect(plane: &Plane, instance: &Arc<Instance>) -> Result<Lane, Unanswered> {
    let stream = match timeout(CONNECT_LIMIT, TcpStream::connect(instance.address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            instance.refused();
            return Err(Unanswered::Refused);
        }
        Ok(Err(error)) => return Err(Unanswered::Unreachable(error)),
        Err(_) => {
            instance.refused();
            return Err(Unanswered::TimedOut);
        }
    };
    let wire = Wire::new(stream);
    instance.connected(&wire);
    let io = TokioIo::new(WireIo(Arc::clone(&wire)));
    let shaken = http1::handshake::<_, Upload>(io).await;
    let (mut sender, connection) =
        shaken.map_err(|error| Unanswered::Unreachable(io::Error::other(error)))?;
    plane.tasks.spawn(async move {
        // Its errors reach the request that suffers from them.
        let _ = connection.with_upgrades().await;
    });
    match sender.ready().await {
        Ok(()) => Ok(Lane { sender, wire, reused: false }),
        Err(error) => Err(Unanswered::Unreachable(io::Error::other(error))),
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

/// Does nobody listen there?
pub(crate) async fn is_dead(address: std::net::SocketAddr) -> bool {
    matches!(
        timeout(CONNECT_LIMIT, TcpStream::connect(address)).await,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused
    )
}
