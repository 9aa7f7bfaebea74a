//! Web pages that may ask from a browser (Cross-Origin Resource Sharing, WHATWG Fetch §3.2).

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HOST, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue};

/// The origins that are let in, besides the server's own.
#[derive(Debug)]
pub(super) struct Origins {
    any: bool,
    listed: Vec<HeaderValue>,
}

/// What a request's origin comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Admitted {
    /// No page asks, or one of this server: nothing has to be said.
    Quietly,
    /// This page may read the answer.
    Page(HeaderValue),
    /// A page of somebody else.
    No,
}

impl Origins {
    /// Reads origins such as `https://shop.example`; `*` is all of them.
    ///
    /// # Errors
    /// Where one is none: in words.
    pub(super) fn read(texts: &[String]) -> Result<Origins, String> {
        let mut origins = Origins { any: false, listed: vec![] };
        for text in texts {
            match (text.as_str(), text.split_once("://")) {
                ("*", _) => origins.any = true,
                (_, Some((_, host))) if !host.is_empty() && !host.contains('/') => {
                    let value = HeaderValue::from_str(text);
                    origins.listed.push(value.map_err(|error| error.to_string())?);
                }
                _ => return Err(format!("{text:?} is no origin; write https://HOST, or *")),
            }
        }
        Ok(origins)
    }

    /// May this request come? One with an origin comes from a page, and a page of somebody else could
    /// otherwise reach a server on the loopback of whoever looks at it.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Admitted {
        let Some(origin) = headers.get(ORIGIN) else { return Admitted::Quietly };
        if self.any || self.listed.contains(origin) {
            return Admitted::Page(origin.clone());
        }
        let host = headers.get(HOST).map(HeaderValue::as_bytes);
        let own = origin.to_str().ok().and_then(|text| text.split_once("://"));
        match own.is_some_and(|(_, own)| host == Some(own.as_bytes())) {
            true => Admitted::Quietly,
            false => Admitted::No,
        }
    }
}

/// Tells the browser that the page may read the answer.
pub(super) fn allow(origin: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag, retry-after"));
    headers.insert(VARY, HeaderValue::from_static("origin"));
}

/// The answer to a browser that asks before it sends.
pub(super) fn allow_beforehand(headers: &mut HeaderMap) {
    const SENT: &str = "authorization, content-type, flagd-selector, if-none-match, last-event-id, \
                        x-api-key";
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(SENT));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_others_are_kept_out() {
        let origins = Origins::read(&["https://shop.example".into()]).unwrap();
        let admit = |origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "127.0.0.1:8016".parse().unwrap());
            headers.insert(ORIGIN, origin.parse().unwrap());
            origins.admit(&headers)
        };
        let shop = HeaderValue::from_static("https://shop.example");
        assert_eq!(admit("https://shop.example"), Admitted::Page(shop));
        assert_eq!(admit("http://127.0.0.1:8016"), Admitted::Quietly);
        assert_eq!(admit("https://shop.example.evil"), Admitted::No);
        assert_eq!(admit("null"), Admitted::No);
        assert_eq!(origins.admit(&HeaderMap::new()), Admitted::Quietly);
        for bad in ["shop.example", "https://a/b", ""] {
            assert!(Origins::read(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
