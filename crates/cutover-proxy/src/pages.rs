//! The answers of the proxy's own.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, SERVER};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full};

use crate::relay::Relay;

/// The body of an answer: passed on, or the proxy's own.
pub(crate) type Answer = Either<Relay, Full<Bytes>>;

/// A short text for a person who looks at it.
pub(crate) fn text(status: StatusCode, what: &str) -> Response<Answer> {
    page(status, "text/plain; charset=utf-8", format!("Cutover proxy: {what}\n"))
}

/// Too many wait, or for too long.
pub(crate) fn busy(what: &str) -> Response<Answer> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, what);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Nobody serves, and the app prefers to say so.
pub(crate) fn notice(request: &Parts) -> Response<Answer> {
    let accepts = |kind: &str| {
        let values = request.headers.get_all(ACCEPT);
        values.iter().any(|value| value.to_str().is_ok_and(|value| value.contains(kind)))
    };
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let mut response = if accepts("application/json") && !accepts("text/html") {
        let body = r#"{"error":"unavailable","retry_after":5}"#;
        page(status, "application/json", body.to_owned())
    } else {
        page(status, "text/html; charset=utf-8", NOTICE.to_owned())
    };
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

const NOTICE: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Back in a moment</title>
<meta http-equiv=\"refresh\" content=\"5\"></head>
<body><h1>Back in a moment</h1><p>A new version is being put in place.</p></body></html>
";

fn page(status: StatusCode, kind: &'static str, body: String) -> Response<Answer> {
    let mut response = Response::new(Either::Right(Full::new(Bytes::from(body))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(SERVER, HeaderValue::from_static("cutover"));
    response
}
