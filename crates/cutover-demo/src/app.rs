//! What the program answers.

use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::args::Args;
use crate::page;
use crate::ticks::Ticks;

const X_VERSION: HeaderName = HeaderName::from_static("x-version");
const X_FLAG: HeaderName = HeaderName::from_static("x-flag");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

type Answer = Response<UnsyncBoxBody<Bytes, hyper::Error>>;

/// One running copy of the program.
pub(crate) struct App {
    args: Args,
    version: HeaderValue,
    instance: String,
    /// When it began to listen.
    since: Instant,
    orders: Option<File>,
    stopping: watch::Receiver<bool>,
}

impl App {
    pub(crate) fn new(
        args: Args,
        instance: String,
        stopping: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let orders = match &args.orders {
            Some(path) => Some(OpenOptions::new().append(true).create(true).open(path)?),
            None => None,
        };
        Ok(Self {
            version: HeaderValue::from_str(&args.version).map_err(io::Error::other)?,
            args,
            instance,
            since: Instant::now(),
            orders,
            stopping,
        })
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let flag = self.args.flag.as_deref().map(|key| is_on(request.headers(), key));
        let mut answer = match request.uri().path() {
            "/health" => self.health(),
            _ if flag == Some(true) && fastrand::f64() < self.args.flag_fail => {
                text(StatusCode::INTERNAL_SERVER_ERROR, "failing as told, with the flag on\n")
            }
            _ => self.page(request).await,
        };
        if let Some(on) = flag {
            let value = HeaderValue::from_static(if on { "on" } else { "off" });
            answer.headers_mut().insert(X_FLAG, value);
        }
        answer.headers_mut().insert(X_VERSION, self.version.clone());
        Ok(answer)
    }

    fn health(&self) -> Answer {
        let age = self.since.elapsed();
        if self.args.ready_after.is_some_and(|after| age < after) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "starting\n");
        }
        if self.args.health_fails_after.is_some_and(|after| age >= after) {
            return text(StatusCode::INTERNAL_SERVER_ERROR, "no longer healthy\n");
        }
        if let Some(url) = &self.args.health_redirect {
            let mut answer = text(StatusCode::FOUND, "elsewhere\n");
            if let Ok(url) = HeaderValue::from_str(url) {
                answer.headers_mut().insert(LOCATION, url);
            }
            return answer;
        }
        match self.args.health_status.map(StatusCode::from_u16) {
            Some(Ok(status)) => text(status, "as told\n"),
            _ => text(StatusCode::OK, "ok\n"),
        }
    }

    async fn page(&self, request: Request<Incoming>) -> Answer {
        if let Some(latency) = self.args.latency {
            sleep(latency).await;
        }
        if fastrand::f64() < self.args.fail {
            return text(StatusCode::INTERNAL_SERVER_ERROR, "failing as told\n");
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/") => self.front(request.headers()),
            (&Method::POST, "/orders") => self.order(request).await,
            (_, "/slow") => {
                let time = milliseconds(request.uri().query());
                sleep(time).await;
                text(StatusCode::OK, format!("slept {} ms\n", time.as_millis()))
            }
            (&Method::GET, "/events") => typed(
                "text/event-stream",
                Ticks::new(&self.args.version, self.stopping.clone())
                    .map_err(|never| match never {})
                    .boxed_unsync(),
            ),
            (_, "/echo") => typed("application/octet-stream", request.into_body().boxed_unsync()),
            _ => text(StatusCode::NOT_FOUND, "no such page\n"),
        }
    }

    fn front(&self, headers: &HeaderMap) -> Answer {
        let (version, pid) = (&self.args.version, std::process::id());
        if prefers_html(headers) {
            let page = page::html(version, &self.instance, pid);
            return typed("text/html; charset=utf-8", full(page));
        }
        let line = format!("cutover-demo {version} {pid} {}\n", self.instance);
        text(StatusCode::OK, line)
    }

    /// Takes an order: the whole body is read first, so that an order cut short is never written.
    async fn order(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let id = head.headers.get(X_REQUEST_ID).cloned();
        let Some((id, word)) = id.as_ref().and_then(|id| Some((id, one_word(id)?))) else {
            return text(StatusCode::BAD_REQUEST, "x-request-id must be one word\n");
        };
        if body.collect().await.is_err() {
            return text(StatusCode::BAD_REQUEST, "the order was cut short\n");
        }
        if let Some(mut orders) = self.orders.as_ref() {
            // One write with O_APPEND: lines of several instances never mix.
            let line = format!("{word} {}\n", self.args.version);
            if let Err(error) = orders.write_all(line.as_bytes()) {
                crate::complain(&format!("cannot write an order: {error}"));
                return text(StatusCode::INTERNAL_SERVER_ERROR, "order not written\n");
            }
        }
        let mut answer = text(StatusCode::CREATED, format!("{word}\n"));
        answer.headers_mut().insert(X_REQUEST_ID, id.clone());
        answer
    }
}

/// Is a feature flag on for this user? The proxy says so in the W3C baggage: `flag.KEY=on`.
fn is_on(headers: &HeaderMap, key: &str) -> bool {
    let values = headers.get_all(BAGGAGE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|member| {
        let member = member.split(';').next().unwrap_or(member).trim();
        let named = member.strip_prefix("flag.").and_then(|rest| rest.strip_prefix(key));
        named == Some("=on")
    })
}

fn one_word(id: &HeaderValue) -> Option<&str> {
    id.to_str().ok().filter(|id| !id.is_empty() && !id.contains([' ', '\t']))
}

/// Browsers name text/html first; curl and probes send `*/*`.
fn prefers_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| {
        let at = |kind| accept.find(kind).unwrap_or(usize::MAX);
        at("text/html") < at("text/plain")
    })
}

fn milliseconds(query: Option<&str>) -> Duration {
    let asked = query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .find_map(|pair| pair.strip_prefix("ms=")?.parse().ok());
    Duration::from_millis(asked.unwrap_or(2000))
}

fn text(status: StatusCode, line: impl Into<Bytes>) -> Answer {
    let mut answer = typed("text/plain; charset=utf-8", full(line));
    *answer.status_mut() = status;
    answer
}

fn typed(kind: &'static str, body: UnsyncBoxBody<Bytes, hyper::Error>) -> Answer {
    let mut answer = Response::new(body);
    let kind = HeaderValue::from_static(kind);
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

fn full(bytes: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, hyper::Error> {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}
