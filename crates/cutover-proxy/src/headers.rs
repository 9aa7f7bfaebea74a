//! What changes in the head of a message on its way through (RFC 9110 §7.6).

use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    TE, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use hyper::body::{Body, Incoming};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Marks copies, and nothing else.
const SHADOW: HeaderName = HeaderName::from_static("x-cutover-shadow");
/// Servers that pass headers on as variables (RFC 3875 §4.1.18) take these for the same.
const LIKE_SHADOW: [HeaderName; 3] = [
    HeaderName::from_static("x_cutover_shadow"),
    HeaderName::from_static("x-cutover_shadow"),
    HeaderName::from_static("x_cutover-shadow"),
];

/// Tells an app what its flags are, among other things.
pub(crate) const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// The protocol that a message wants to change to.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let protocol = headers.get(UPGRADE)?;
    // HTTP/2 on an instance's connection would carry requests that the proxy never sees.
    let is_http2 =
        protocol.to_str().is_ok_and(|protocol| protocol.to_ascii_lowercase().contains("h2c"));
    (listed(headers, &CONNECTION, "upgrade") && !is_http2).then(|| protocol.clone())
}

/// Is this word in the list that the header's values make?
fn listed(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| {
            token.split(';').next().is_some_and(|token| token.trim().eq_ignore_ascii_case(word))
        })
}

/// Removes what concerns one connection only.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // Without these the message would not mean what it did.
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        PROXY_CONNECTION,
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
        headers.remove(name);
    }
}

/// Makes a user's request one for an instance.
pub(crate) fn for_instance(request: &mut Parts, body: &Incoming, from: IpAddr, instance: &str) {
    let upgrade = upgrade(&request.headers);
    let trailers = listed(&request.headers, &TE, "trailers");
    let headers = &mut request.headers;
    remove_hop_by_hop(headers);
    // The proxy answers the expectation itself, when the instance's side wants the body.
    headers.remove(EXPECT);
    headers.remove(FORWARDED);
    remove_shadow(headers);
    set_length(headers, body);
    if let Some(authority) = request.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        headers.insert(HOST, host);
    }
    let host = headers.get(HOST).cloned();
    if let Ok(from) = HeaderValue::from_str(&from.to_string()) {
        headers.insert(FORWARDED_FOR, from);
    }
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    match host {
        Some(host) => {
            headers.insert(FORWARDED_HOST, host);
        }
        None => {
            // An HTTP/1.0 user may say none; HTTP/1.1 must.
            headers.remove(FORWARDED_HOST);
            if let Ok(host) = HeaderValue::from_str(instance) {
                headers.insert(HOST, host);
            }
        }
    }
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    } else if trailers {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if let Some(target) = request.uri.path_and_query()
        && request.uri.authority().is_some()
    {
        request.uri = Uri::from(target.clone());
    }
    request.version = Version::HTTP_11;
}

/// Makes the trailers of a user's request those for an instance.
pub(crate) fn trailers_for_instance(trailers: &mut HeaderMap) {
    remove_shadow(trailers);
    trailers.remove(BAGGAGE);
}

/// Users' requests are never copies.
fn remove_shadow(headers: &mut HeaderMap) {
    headers.remove(SHADOW);
    for name in LIKE_SHADOW {
        headers.remove(name);
    }
}

/// Makes a request for an instance a copy of it.
pub(crate) fn for_copy(request: &mut Parts) {
    // The body of a copy is here whole, and so has a length and no trailers.
    remove_hop_by_hop(&mut request.headers);
    request.headers.insert(SHADOW, HeaderValue::from_static("1"));
}

/// Makes an instance's answer one for the user.
pub(crate) fn for_user(answer: &mut http::response::Parts, body: &Incoming, method: &Method) {
    let upgrade = (answer.status == StatusCode::SWITCHING_PROTOCOLS)
        .then(|| answer.headers.get(UPGRADE).cloned())
        .flatten();
    remove_hop_by_hop(&mut answer.headers);
    let is_bodiless = *method == Method::HEAD
        || answer.status == StatusCode::NOT_MODIFIED
        || answer.status == StatusCode::NO_CONTENT;
    if !is_bodiless {
        set_length(&mut answer.headers, body);
    }
    if answer.status == StatusCode::SWITCHING_PROTOCOLS {
        answer.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(protocol) = upgrade {
            answer.headers.insert(UPGRADE, protocol);
        }
    }
    answer.version = Version::HTTP_11;
}

/// The length that the message says must be the one that its body has, whatever was said before.
fn set_length(headers: &mut HeaderMap, body: &Incoming) {
    let was_said = headers.remove(CONTENT_LENGTH).is_some();
    if let Some(length) = body.size_hint().exact()
        && (was_said || length > 0)
    {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}
