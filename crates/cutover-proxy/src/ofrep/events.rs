//! Changes as server-sent events (WHATWG HTML §9.2; OFREP `event-streams.yaml`, ADR-0008): clients
//! are told that something changed, and ask again.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Either, StreamBody};
use hyper::body::Frame;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep};

use super::answer::{Answer, EVENTS, empty};
use super::environment::Serving;
use super::tokens::Tokens;

/// The most clients that wait for changes of one environment.
const MOST_LISTENERS: u32 = 20_000;
/// A sign of life comes as often, so that nothing on the way takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(25);
/// Clients that see nothing for as long may go away until they are looked at again, in seconds.
const INACTIVITY: u32 = 120;

/// The member of a bulk answer that says where changes are told. A path and no address, so that it
/// is right behind other proxies.
pub(super) fn announcement(tokens: &Tokens) -> String {
    let key = tokens.listen_key.as_ref().map(|key| format!("?key={key}")).unwrap_or_default();
    format!(
        "\"eventStreams\":[{{\"type\":\"sse\",\"endpoint\":{{\"requestUri\":\"{EVENTS}{key}\"}},\
         \"inactivityDelaySec\":{INACTIVITY}}}]"
    )
}

/// Does a request show the key that a bulk answer gave? Event sources of browsers send no headers.
pub(super) fn may_listen(serving: &Serving, head: &Parts) -> bool {
    let served = serving.served();
    let mut given = head.uri.query().unwrap_or_default().split('&');
    match &served.tokens.listen_key {
        None => true,
        Some(key) => given.any(|pair| pair.strip_prefix("key=") == Some(key)),
    }
}

/// A place among those who wait.
struct Seat(Arc<Serving>);

impl Seat {
    fn take(serving: &Arc<Serving>) -> Option<Seat> {
        let taken = |listeners: &AtomicU32| {
            listeners.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < MOST_LISTENERS).then_some(count + 1)
            })
        };
        taken(&serving.listeners).ok().map(|_| Seat(Arc::clone(serving)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells changes from now on. One who does not show that it has the newest version is told at once:
/// there may have been a change after it asked and before it listened.
pub(super) fn listen(serving: &Arc<Serving>, head: &Parts) -> Answer {
    let Some(seat) = Seat::take(serving) else {
        let mut answer = empty(StatusCode::SERVICE_UNAVAILABLE);
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        return answer;
    };
    let mut changes = serving.changes.subscribe();
    let newest = changes.borrow_and_update().clone();
    let last = head.headers.get("last-event-id").map(HeaderValue::as_bytes);
    let first = match newest {
        // Something has to be sent for the client to see that it is connected.
        Some(newest) if last == Some(newest.version.as_bytes()) => {
            Some(Bytes::from_static(b": connected\n\n"))
        }
        newest => newest.map(|newest| newest.event),
    };
    let begun = Listening { _seat: seat, changes, first, alive: Box::pin(sleep(KEEP_ALIVE)) };
    let frames = stream::unfold(begun, |mut listening| async move {
        let bytes = listening.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(bytes)), listening))
    });
    let mut answer = Response::new(Either::Right(StreamBody::new(frames).boxed_unsync()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // nginx would collect them.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    answer
}

struct Listening {
    _seat: Seat,
    changes: watch::Receiver<Option<Told>>,
    first: Option<Bytes>,
    /// Thousands of these are woken at once, so the clock is set again and not made anew.
    alive: Pin<Box<Sleep>>,
}

impl Listening {
    /// What is sent next; of several changes in between only the newest is told. `None` when nothing
    /// is served any more.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let bytes = tokio::select! {
            biased;
            changed = self.changes.changed() => {
                changed.ok()?;
                self.changes.borrow_and_update().as_ref()?.event.clone()
            }
            () = self.alive.as_mut() => Bytes::from_static(b": here\n\n"),
        };
        self.alive.as_mut().reset(Instant::now() + KEEP_ALIVE);
        Some(bytes)
    }
}

/// A version, and the event that tells it: made once for all who listen.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    version: Arc<str>,
    event: Bytes,
}

impl Told {
    pub(super) fn of(version: &str) -> Told {
        let event = format!(
            "event: message\nid: {version}\n\
             data: {{\"type\":\"refetchEvaluation\",\"etag\":\"{version}\"}}\n\n"
        );
        Told { version: version.into(), event: event.into() }
    }
}
