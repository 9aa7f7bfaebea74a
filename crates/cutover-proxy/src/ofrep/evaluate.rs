//! Evaluations of one flag and of all.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use cutover_flags::ofrep::{body_etag, error};
use cutover_flags::{Context, ErrorCode, FlagSet, LARGEST_CONTEXT, Selector};
use futures_util::FutureExt;
use http::header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Incoming};

use super::answer::{Answer, empty, json};
use super::environment::{Serving, unix_seconds};
use super::served::Served;

/// How long a client may take to send a body.
const BODY_LIMIT: Duration = Duration::from_secs(10);
/// Which flags a client means, as flagd has it.
const SELECTOR: &str = "flagd-selector";
/// What most answers for one flag need.
const USUAL: usize = 256;

/// Why a request cannot be answered.
struct Refusal(ErrorCode, String);

/// Answers for one flag.
pub(super) async fn one(serving: &Serving, key: &str, head: &Parts, body: Incoming) -> Answer {
    let bytes = read(body, LARGEST_CONTEXT).await;
    let served = serving.served();
    let mut out = Vec::with_capacity(USUAL);
    let asked = bytes
        .map_err(|why| Refusal(ErrorCode::InvalidContext, why))
        .and_then(|bytes| Ok((flags(&served, &head.headers)?, context(&bytes)?)));
    let (status, said) = match asked {
        Ok((flags, context)) => {
            flags.answer(key, &context, unix_seconds(), served.compat, &mut out)
        }
        Err(Refusal(code, why)) => {
            error(Some(key), code, &why, &mut out);
            (400, Err(code))
        }
    };
    let counts = match (served.counts.get(key), said) {
        (Some(own), _) => own,
        (None, Err(ErrorCode::FlagNotFound | ErrorCode::InvalidContext)) => &serving.counts.unknown,
        (None, _) => &serving.counts.others,
    };
    counts.add(said);
    json(status, out)
}

/// Answers for all flags, or says that they are as the client has them.
pub(super) async fn bulk(serving: &Serving, head: &Parts, body: Incoming) -> Answer {
    let bytes = read(body, LARGEST_CONTEXT).await;
    let served = serving.served();
    let asked = bytes
        .map_err(|why| Refusal(ErrorCode::InvalidContext, why))
        .and_then(|bytes| Ok((flags(&served, &head.headers)?, context(&bytes)?)));
    let (flags, context) = match asked {
        Ok(asked) => asked,
        Err(Refusal(code, why)) => {
            serving.counts.bulk_refused.add(1);
            let mut out = vec![];
            error(None, code, &why, &mut out);
            return json(400, out);
        }
    };
    let known = head.headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut etag = flags.etag(&context, served.compat, &served.event_streams);
    let is_known = |etag: &cutover_flags::ofrep::ETag| known.is_some_and(|known| etag.is_in(known));
    let mut out = vec![];
    if !etag.as_ref().is_some_and(is_known) {
        out.reserve(USUAL * (flags.keys().len() + 1));
        flags.bulk(&context, unix_seconds(), served.compat, &served.event_streams, &mut out);
        etag = etag.or_else(|| Some(body_etag(&out)));
    }
    let mut answer = match etag.as_ref().is_some_and(is_known) {
        true => {
            serving.counts.bulk_unchanged.add(1);
            empty(StatusCode::NOT_MODIFIED)
        }
        false => {
            serving.counts.bulk.add(1);
            json(200, out)
        }
    };
    let etag = etag.and_then(|etag| HeaderValue::from_str(etag.as_str()).ok());
    answer.headers_mut().extend(etag.map(|etag| (ETAG, etag)));
    // Answers are for one context, which no cache on the way looks at.
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    answer
}

fn flags<'a>(served: &'a Served, headers: &HeaderMap) -> Result<&'a FlagSet, Refusal> {
    let Some(selector) = headers.get(SELECTOR) else {
        return Ok(served.definitions.get(&Selector::All));
    };
    let text = String::from_utf8_lossy(selector.as_bytes());
    let selector: Selector = text.parse().map_err(|error: cutover_flags::InvalidSelector| {
        Refusal(ErrorCode::General, error.to_string())
    })?;
    Ok(served.definitions.get(&selector))
}

fn context(bytes: &[u8]) -> Result<Context, Refusal> {
    Context::from_request(bytes)
        .map_err(|error| Refusal(ErrorCode::InvalidContext, error.to_string()))
}

/// A body of at most so many bytes, or why there is none.
pub(super) async fn read(body: Incoming, most: usize) -> Result<Bytes, String> {
    let mut body = pin!(Limited::new(body, most));
    // Nearly always it is there already, whole: then nothing is put together and no clock set.
    let first = match body.frame().now_or_never() {
        Some(None) => return Ok(Bytes::new()),
        Some(Some(frame)) => frame.map_err(|error| unread(&*error, most))?.into_data().ok(),
        None => None,
    };
    if body.is_end_stream() {
        return Ok(first.unwrap_or_default());
    }
    let rest = tokio::time::timeout(BODY_LIMIT, body.collect())
        .await
        .map_err(|_| format!("the body was not sent within {} s", BODY_LIMIT.as_secs()))?;
    let rest = rest.map_err(|error| unread(&*error, most))?.to_bytes();
    Ok(match first {
        Some(first) => [first, rest].concat().into(),
        None => rest,
    })
}

fn unread(error: &(dyn std::error::Error + Send + Sync + 'static), most: usize) -> String {
    match error.is::<http_body_util::LengthLimitError>() {
        true => format!("the body has more than {most} bytes"),
        false => format!("the body cannot be read: {error}"),
    }
}
