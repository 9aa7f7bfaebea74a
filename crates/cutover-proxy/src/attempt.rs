//! One try to get an answer from an instance.

use std::io;
use std::sync::Arc;

use http::{Method, Request, Response};
use http_body_util::{Either, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::TrySendError;

use crate::connect::connect;
use crate::instance::Instance;
use crate::plane::Plane;
use crate::pool::{FRESH, Lane, Line, USABLE, Upload};

/// Why an instance did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
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
pub(crate) enum Tried {
    Answered(Response<Incoming>, Lane),
    /// No byte of this request has reached an instance, or it may be repeated.
    Again(Request<Upload>, Unanswered),
    Failed(Unanswered),
    /// The user did not send the rest of the body.
    UserLeft,
}

/// Sends a request on a connection of this line, the first time on one that is there already if
/// that is safe.
pub(crate) async fn attempt(
    plane: &Plane,
    instance: &Arc<Instance>,
    line: Line,
    request: Request<Upload>,
    is_first: bool,
) -> Tried {
    let is_empty = request.body().is_end_stream();
    let is_repeatable = is_empty && [Method::GET, Method::HEAD].contains(request.method());
    let limit = if is_repeatable { USABLE } else { FRESH };
    let pooled = if is_first { instance.pool(line).take(limit) } else { None };
    let mut lane = match pooled {
        Some(lane) => lane,
        None => match connect(plane, instance, line).await {
            Ok(lane) => lane,
            Err(why) => return Tried::Again(request, why),
        },
    };
    // Cloned only where it may be needed: a connection that was idle may end just now.
    let spare = (is_first && is_empty && lane.reused).then(|| {
        let mut spare = Request::new(Either::Right(Full::default()));
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
