//! Which request gets which answer.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{Either, Full};
use hyper::body::Incoming;

use super::environment::Serving;
use super::origins::{Admitted, allow, allow_beforehand};
use super::path::key_after;
use super::{evaluate, events, track};

/// A whole answer, or changes as they come.
pub(super) type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, Infallible>>;
pub(super) type Answer = Response<Body>;

const BULK: &str = "/ofrep/v1/evaluate/flags";
const ONE: &str = "/ofrep/v1/evaluate/flags/";
pub(super) const EVENTS: &str = "/ofrep/v1/sse";
const TRACK: &str = "/v1/track";

/// What a path is for.
enum Call<'a> {
    One(std::borrow::Cow<'a, str>),
    Bulk,
    Events,
    Track,
    Healthy,
    Ready,
}

impl Call<'_> {
    fn of(path: &str) -> Option<Call<'_>> {
        match path {
            BULK | ONE => Some(Call::Bulk),
            EVENTS => Some(Call::Events),
            TRACK => Some(Call::Track),
            "/healthz" => Some(Call::Healthy),
            "/readyz" => Some(Call::Ready),
            path => key_after(path, ONE).map(Call::One),
        }
    }

    fn method(&self) -> Method {
        match self {
            Call::One(_) | Call::Bulk | Call::Track => Method::POST,
            Call::Events | Call::Healthy | Call::Ready => Method::GET,
        }
    }
}

/// Answers a request.
pub(super) async fn answer(serving: &Arc<Serving>, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let admitted = serving.served().origins.admit(&head.headers);
    let mut answer = match admitted {
        Admitted::No => return empty(StatusCode::FORBIDDEN),
        Admitted::Quietly | Admitted::Page(_) => dispatch(serving, &head, body).await,
    };
    if let Admitted::Page(origin) = admitted {
        allow(origin, answer.headers_mut());
    }
    answer
}

async fn dispatch(serving: &Arc<Serving>, head: &Parts, body: Incoming) -> Answer {
    let Some(call) = Call::of(head.uri.path()) else {
        return text(StatusCode::NOT_FOUND, "there is nothing here");
    };
    let method = call.method();
    if head.method == Method::OPTIONS {
        let mut answer = empty(StatusCode::NO_CONTENT);
        allow_beforehand(answer.headers_mut());
        return answer;
    }
    if head.method != method && !(head.method == Method::HEAD && method == Method::GET) {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "not with this method");
        let allowed = HeaderValue::from_str(method.as_str());
        answer.headers_mut().extend(allowed.ok().map(|allowed| (ALLOW, allowed)));
        return answer;
    }
    match call {
        // Served at all means that definitions are in force.
        Call::Healthy | Call::Ready => text(StatusCode::OK, "ok"),
        Call::Events if events::may_listen(serving, head) => events::listen(serving, head),
        Call::One(_) | Call::Bulk | Call::Track | Call::Events
            if !serving.served().tokens.admit(&head.headers) =>
        {
            serving.counts.unauthorized.add(1);
            unauthorized()
        }
        Call::One(key) => evaluate::one(serving, &key, head, body).await,
        Call::Bulk => evaluate::bulk(serving, head, body).await,
        Call::Track => track::take(serving, body).await,
        Call::Events => events::listen(serving, head),
    }
}

fn unauthorized() -> Answer {
    let mut answer = empty(StatusCode::UNAUTHORIZED);
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Either::Left(Full::default()));
    *answer.status_mut() = status;
    answer
}

pub(super) fn text(status: StatusCode, words: &'static str) -> Answer {
    content(status, "text/plain; charset=utf-8", Bytes::from_static(words.as_bytes()))
}

pub(super) fn json(status: u16, body: Vec<u8>) -> Answer {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    content(status, "application/json", body.into())
}

fn content(status: StatusCode, kind: &'static str, bytes: Bytes) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(bytes)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
