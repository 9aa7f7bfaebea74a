//! Does a request carry a mark, and is it for this host and path?

use cutover_core::plan::MatchRule;
use http::header::HOST;
use http::request::Parts;

use crate::identity::cookies;

/// Do all parts of the rule hold? A rule without parts marks nothing.
pub(crate) fn holds(rule: &MatchRule, request: &Parts) -> bool {
    if *rule == MatchRule::default() {
        return false;
    }
    let query = request.uri.query().unwrap_or_default();
    rule.header.iter().all(|(name, wanted)| {
        let values = request.headers.get_all(name.as_str());
        values.iter().any(|value| value.as_bytes() == wanted.as_bytes())
    }) && rule.cookie.iter().all(|(name, wanted)| {
        cookies(&request.headers).any(|(given, value)| given == name && value == wanted)
    }) && rule.query.iter().all(|(name, wanted)| {
        query.split('&').any(|pair| {
            let (given, value) = pair.split_once('=').unwrap_or((pair, ""));
            decoded(given.as_bytes()) == name.as_bytes()
                && decoded(value.as_bytes()) == wanted.as_bytes()
        })
    }) && rule.path.as_deref().is_none_or(|prefix| is_below(request.uri.path(), prefix))
        && rule.host.as_deref().is_none_or(|wanted| {
            host(request).is_some_and(|given| given.eq_ignore_ascii_case(wanted))
        })
}

/// The host a request is for, without its port.
pub(crate) fn host(request: &Parts) -> Option<&str> {
    // The target of a request in absolute form counts for more than its Host (RFC 9112 §3.2.2).
    match request.uri.host() {
        Some(host) => Some(host),
        None => request.headers.get(HOST).and_then(|host| host.to_str().ok()).map(without_port),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The colons of an IPv6 address are inside brackets.
        Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => host,
    }
}

/// Is the path the prefix itself, or below it? `/shop` holds for `/shop/cart`, not for `/shopping`.
pub(crate) fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A part of a query as it was meant: `+` is a space, `%41` an `A`.
pub(crate) fn decoded(text: &[u8]) -> Vec<u8> {
    let mut rest = text;
    let mut decoded = Vec::with_capacity(rest.len());
    while let [first, after @ ..] = rest {
        rest = after;
        decoded.push(match (first, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match hex(*high, *low) {
                Some(byte) => {
                    rest = after;
                    byte
                }
                None => b'%',
            },
            (byte, _) => *byte,
        });
    }
    decoded
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn prefixes_end_at_segments() {
        assert!(is_below("/shop", "/shop/") && is_below("/shop/a", "/shop"));
        assert!(!is_below("/shopping", "/shop"));
        assert!(is_below("/anything", "/") && is_below("/", "/"));
    }

    #[test]
    fn every_part_of_a_rule_must_hold() {
        let rule: MatchRule = serde_json::from_str(
            r#"{"header":{"x-beta":"1"},"cookie":{"team":"red"},"query":{"a b":"c&d"}}"#,
        )
        .unwrap();
        let headers = [("x-beta", "1"), ("cookie", "x=y; team=red"), ("host", "SHOP.example:80")];
        assert!(holds(&rule, &request("/?z&a+b=c%26d", &headers)));
        assert!(!holds(&rule, &request("/?a+b=c", &headers)));
        assert!(!holds(&rule, &request("/?a+b=c%26d", &headers[..1])));
        assert!(!holds(&MatchRule::default(), &request("/", &headers)));
        assert_eq!(host(&request("/", &headers)), Some("SHOP.example"));
        assert_eq!(host(&request("/", &[("host", "[::1]:80")])), Some("[::1]"));
        assert_eq!(host(&request("/", &[("host", "[::1]")])), Some("[::1]"));
    }
}
