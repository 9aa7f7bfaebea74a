//! Which request is the k-th: dealt by the seed, the same every time.

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request};
use http_body_util::Full;

use crate::settings::{ID, Settings};

/// One request to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) k: u64,
    pub(crate) kind: Kind,
    /// Over a kept connection.
    pub(crate) kept: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Slow,
    Post,
}

impl Call {
    /// The k-th call. Each has its own draws, so that no choice depends on the parity of `k`, on
    /// the other choice, or on how the earlier calls went.
    pub(crate) fn deal(settings: &Settings, k: u64) -> Self {
        let mut state = scramble(settings.seed) ^ scramble(!k);
        let mut draw = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            // The 53 bits a double holds, as a number from 0 to below 1.
            (scramble(state) >> 11) as f64 / (1_u64 << 53) as f64
        };
        let kept = draw() < settings.keep_alive;
        let kind = match draw() {
            at if at < settings.posts => Kind::Post,
            at if at < settings.posts + settings.slow => Kind::Slow,
            _ => Kind::Plain,
        };
        Self { k, kind, kept }
    }

    pub(crate) fn request(self, settings: &Settings) -> Request<Full<Bytes>> {
        let plain = PathAndQuery::from_static("/");
        let path = match self.kind {
            Kind::Plain => settings.url.path_and_query().unwrap_or(&plain),
            Kind::Slow => &settings.slow_path,
            Kind::Post => &settings.orders_path,
        };
        let mut request = Request::new(Full::default());
        *request.uri_mut() = path.clone().into();
        *request.headers_mut() = settings.headers.clone();
        let headers = request.headers_mut();
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static("cutover-load"));
        let host = settings.url.authority().map_or("", |host| host.as_str());
        // What a URI and a number are made of is always good in a header.
        if let Ok(host) = HeaderValue::from_str(host) {
            headers.insert(HOST, host);
        }
        if !self.kept {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if self.kind == Kind::Post {
            let id = settings.id(self.k);
            if let Ok(id) = HeaderValue::from_str(&id) {
                headers.insert(ID, id);
            }
            *request.method_mut() = Method::POST;
            *request.body_mut() = Full::from(format!("order {id}\n"));
        }
        request
    }
}

/// The finaliser of splitmix64 (Vigna, <https://prng.di.unimi.it/splitmix64.c>).
fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let mut settings = Settings::new("http://127.0.0.1:1/shop".parse().unwrap());
        (settings.keep_alive, settings.posts, settings.slow) = (0.5, 0.3, 0.1);
        settings.seed = 42;
        settings
    }

    /// How many of 10,000 calls are so, among those of each parity.
    fn by_parity(so: impl Fn(Call) -> bool) -> [usize; 2] {
        let settings = settings();
        [0, 1].map(|parity| {
            let of_parity = (0..20_000).filter(|k| k % 2 == parity);
            of_parity.filter(|k| so(Call::deal(&settings, *k))).count()
        })
    }

    #[test]
    fn shares_are_kept_whatever_the_parity() {
        let near = |count: usize, expected: usize| count.abs_diff(expected) < 250;
        for count in by_parity(|call| call.kept) {
            assert!(near(count, 5000), "kept: {count}");
        }
        for count in by_parity(|call| call.kind == Kind::Post) {
            assert!(near(count, 3000), "posts: {count}");
        }
        for count in by_parity(|call| call.kind == Kind::Slow && call.kept) {
            assert!(near(count, 500), "slow and kept: {count}");
        }
    }

    #[test]
    fn the_seed_decides() {
        let (one, mut other) = (settings(), settings());
        other.seed = 43;
        let deal =
            |settings: &Settings| (0..100).map(|k| Call::deal(settings, k)).collect::<Vec<_>>();
        assert_eq!(deal(&one), deal(&one.clone()));
        assert_ne!(deal(&one), deal(&other));
    }

    #[test]
    fn a_post_has_an_id_of_its_own() {
        let settings = settings();
        let call = Call { k: 7, kind: Kind::Post, kept: false };
        let request = call.request(&settings);
        assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/orders"));
        assert_eq!(request.headers()["x-request-id"], "2a-7");
        assert_eq!(request.headers()["host"], "127.0.0.1:1");
        assert_eq!(request.headers()["connection"], "close");
        let plain = Call { kind: Kind::Plain, kept: true, ..call }.request(&settings);
        assert_eq!((plain.method(), plain.uri().path()), (&Method::GET, "/shop"));
        assert!(!plain.headers().contains_key("x-request-id"));
        assert!(!plain.headers().contains_key("connection"));
    }
}
