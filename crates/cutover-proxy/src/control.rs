//! The control socket: the calls of [`cutover_core::dataplane`] and [`cutover_core::served_flags`],
//! and `GET /metrics`.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use cutover_core::dataplane::{Hello, Publication, Refusal};
use cutover_core::id::{Environment, Subject};
use cutover_core::served_flags::FlagPublication;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinError;

use crate::ofrep::Catalog;
use crate::publish::{Denied, Publisher};
use crate::{metrics, ofrep};

/// A table of thousands of instances is far smaller.
const LARGEST: usize = 4 * 1024 * 1024;

/// Documents with flags: several of the largest that are read.
const LARGEST_FLAGS: usize = 64 * 1024 * 1024;

/// Whom calls are for.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) catalog: Arc<Catalog>,
}

/// Answers calls until the task is dropped.
pub(crate) async fn serve(desk: Arc<Desk>, socket: UnixListener) {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                let tasks = desk.publisher.plane.tasks.clone();
                tasks.spawn(converse(Arc::clone(&desk), stream));
            }
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
}

async fn converse(desk: Arc<Desk>, stream: UnixStream) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(answer(&desk, request).await) }
    });
    // A caller that leaves is no error.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

type Answer = Response<Full<Bytes>>;

/// An answer that is a refusal.
struct No(StatusCode, Refusal);

async fn answer(desk: &Desk, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    match dispatch(desk, &head, body).await {
        Ok(answer) => answer,
        Err(No(status, why)) => {
            let mut answer = json(&why);
            *answer.status_mut() = status;
            answer
        }
    }
}

async fn dispatch(desk: &Desk, head: &Parts, body: Incoming) -> Result<Answer, No> {
    let publisher = Arc::clone(&desk.publisher);
    let segments: Vec<&str> = head.uri.path().split('/').skip(1).collect();
    let subject = |text: &str| text.parse::<Subject>().map_err(|error| malformed(&error));
    let tasks = publisher.plane.tasks.clone();
    match (&head.method, segments.as_slice()) {
        (&Method::GET, ["v1", "state"]) => Ok(json(&publisher.state())),
        (&Method::GET, ["metrics"]) => {
            Ok(text(metrics::text(&publisher.plane) + &ofrep::text(&desk.catalog)))
        }
        (&Method::GET, ["v1", "apps", name, "seconds"]) => {
            let after = number(head, "after")?;
            publisher.seconds(&subject(name)?, after).map(|seconds| json(&seconds)).map_err(refused)
        }
        // Changes run in tasks of their own, to their end also when the caller leaves meanwhile:
        // half of one must not stand.
        (&Method::POST, ["v1", "hello"]) => {
            let Hello { epoch } = read(body).await?;
            let change = async move { publisher.hello(epoch).await };
            done(tasks.spawn(change).await).map(|state| json(&state))
        }
        (&Method::PUT, ["v1", "apps", name]) => {
            let subject = subject(name)?;
            let publication: Publication = read(body).await?;
            let change = async move { publisher.put(subject, publication).await };
            done(tasks.spawn(change).await).map(|state| json(&state))
        }
        (&Method::DELETE, ["v1", "apps", name]) => {
            let subject = subject(name)?;
            let epoch = u32::try_from(number(head, "epoch")?).unwrap_or(u32::MAX);
            let change = async move { publisher.delete(&subject, epoch).await };
            done(tasks.spawn(change).await).map(|()| nothing())
        }
        (_, ["v1", "flags", rest @ ..]) => flags(desk, head, body, rest).await,
        _ => Err(no_call(head)),
    }
}

/// The calls of [`cutover_core::served_flags`].
async fn flags(desk: &Desk, head: &Parts, body: Incoming, rest: &[&str]) -> Result<Answer, No> {
    let environment = |text: &str| text.parse::<Environment>().map_err(|error| malformed(&error));
    let (catalog, tasks) = (Arc::clone(&desk.catalog), desk.publisher.plane.tasks.clone());
    match (&head.method, rest) {
        (&Method::GET, []) => Ok(json(&catalog.state())),
        (&Method::GET, [name, "sources"]) => {
            let name = environment(name)?;
            let sources = catalog.sources(&name).await;
            sources.map(|sources| json(&sources)).map_err(refused)
        }
        (&Method::GET, [name, "tracks"]) => {
            let (after, epoch) = (number(head, "after")?, number(head, "epoch").ok());
            let tracks = catalog.tracks(&environment(name)?, after, epoch);
            tracks.map(|tracks| json(&tracks)).map_err(refused)
        }
        (&Method::PUT, [name]) => {
            let name = environment(name)?;
            let publication: FlagPublication = read_up_to(LARGEST_FLAGS, body).await?;
            let change = async move { catalog.put(name, publication).await };
            done(tasks.spawn(change).await).map(|state| json(&state))
        }
        (&Method::DELETE, [name]) => {
            let name = environment(name)?;
            let change = async move { catalog.delete(&name).await };
            done(tasks.spawn(change).await).map(|()| nothing())
        }
        _ => Err(no_call(head)),
    }
}

fn no_call(head: &Parts) -> No {
    let reason = format!("there is no call {} {}", head.method, head.uri.path());
    No(StatusCode::NOT_FOUND, Refusal { reason, taken: None })
}

fn nothing() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

fn done<T>(ended: Result<Result<T, Denied>, JoinError>) -> Result<T, No> {
    match ended {
        Ok(result) => result.map_err(refused),
        Err(error) => {
            let refused = Refusal { reason: error.to_string(), taken: None };
            Err(No(StatusCode::INTERNAL_SERVER_ERROR, refused))
        }
    }
}

async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, No> {
    read_up_to(LARGEST, body).await
}

async fn read_up_to<T: DeserializeOwned>(most: usize, body: Incoming) -> Result<T, No> {
    let body = Limited::new(body, most).collect().await;
    let bytes = body.map_err(|error| malformed(&error))?.to_bytes();
    serde_json::from_slice(&bytes).map_err(|error| malformed(&error))
}

/// A number in the query.
fn number(head: &Parts, name: &str) -> Result<u64, No> {
    let pairs = head.uri.query().unwrap_or_default().split('&');
    let value = pairs.filter_map(|pair| pair.split_once('=')).find(|(given, _)| *given == name);
    value
        .and_then(|(_, value)| value.parse().ok())
        .ok_or_else(|| malformed(&format!("the query needs {name}=NUMBER")))
}

fn malformed(error: &impl ToString) -> No {
    No(StatusCode::BAD_REQUEST, Refusal { reason: error.to_string(), taken: None })
}

fn refused(denied: Denied) -> No {
    match denied {
        Denied::Older(why) => No(StatusCode::CONFLICT, why),
        Denied::Cannot(why) => No(StatusCode::UNPROCESSABLE_ENTITY, why),
        Denied::Unknown(why) => No(StatusCode::NOT_FOUND, why),
    }
}

fn json(value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(bytes) => content("application/json", bytes.into()),
        Err(error) => {
            let mut answer = text(error.to_string());
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            answer
        }
    }
}

fn text(text: String) -> Answer {
    content("text/plain; version=0.0.4; charset=utf-8", text.into())
}

fn content(kind: &'static str, bytes: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(bytes));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
