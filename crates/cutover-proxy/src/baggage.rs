//! The header by which an app learns which flags are on (W3C Baggage, §3.3).
//!
//! The proxy alone says `flag.KEY=on` or `flag.KEY=off`: what a user says by that name is removed,
//! also where a lenient reader only would take it for that.

use http::{HeaderMap, HeaderValue};

use crate::flags::Decided;
use crate::headers::BAGGAGE;
use crate::marks::decoded;

/// What all keys of the proxy's own begin with.
const PREFIX: &[u8] = b"flag.";
/// Bytes of a user's members that are looked at; those beyond are dropped. A platform has to
/// propagate no more (W3C Baggage §3.3.2).
const MOST: usize = 8192;
/// A key can be encoded in itself; nobody decodes it oftener than this.
const LAYERS: usize = 4;

/// Removes a user's flags from the header and adds what was decided. Doing it again replaces what
/// was decided before.
pub(crate) fn rewrite(headers: &mut HeaderMap, decided: Option<&Decided>) {
    if decided.is_none() && !headers.contains_key(BAGGAGE) {
        return;
    }
    let mut members = Vec::new();
    let mut looked_at = 0;
    for member in headers.get_all(BAGGAGE).iter().flat_map(|value| value.as_bytes().split(is_comma))
    {
        looked_at += member.len() + 1;
        if looked_at > MOST {
            break;
        }
        if !is_flag(member) {
            push(&mut members, member);
        }
    }
    for (key, is_on) in decided.iter().flat_map(|decided| decided.all()) {
        let side = if is_on { "on" } else { "off" };
        push(&mut members, format!("flag.{key}={side}").as_bytes());
    }
    headers.remove(BAGGAGE);
    if !members.is_empty()
        && let Ok(value) = HeaderValue::from_bytes(&members)
    {
        headers.insert(BAGGAGE, value);
    }
}

fn push(members: &mut Vec<u8>, member: &[u8]) {
    if !members.is_empty() {
        members.push(b',');
    }
    members.extend_from_slice(member);
}

fn is_comma(byte: &u8) -> bool {
    *byte == b','
}

/// Could anybody read this member as a flag? Members of the proxy's own are plain, so they are.
fn is_flag(member: &[u8]) -> bool {
    let key = member.split(|byte| matches!(byte, b'=' | b';')).next().unwrap_or_default();
    let mut key = plain(key);
    for _ in 0..LAYERS {
        if key.starts_with(PREFIX) {
            return true;
        }
        let decoded = plain(&decoded(&key));
        if decoded == key {
            return false;
        }
        key = decoded;
    }
    // Nobody means well who encodes a key that often.
    true
}

/// A key in lower case, without what a reader may trim or ignore.
fn plain(key: &[u8]) -> Vec<u8> {
    key.iter().filter(|byte| is_token(**byte)).map(u8::to_ascii_lowercase).collect()
}

/// What may be in a key (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
