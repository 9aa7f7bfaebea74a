//! Who a user is to sticky splits and flags, and on which side of them that puts them.

use std::fmt::Write;

use cutover_flags::sticky;
use http::HeaderMap;
use http::header::COOKIE;

/// The cookie by which the proxy knows a user again.
pub(crate) const COOKIE_NAME: &str = "cutover_id";

/// How many identities are drawn for a new user whose side is settled. A side that fewer than one
/// in a thousand have is still found 98 times in 100.
const DRAWS: usize = 4096;
/// How many of them come from the system at a time.
const AT_A_TIME: usize = 32;

/// The identity in the proxy's cookie, if it is one that the proxy could have assigned.
pub(crate) fn from_cookie(headers: &HeaderMap) -> Option<&str> {
    cookies(headers)
        .find(|(name, value)| *name == COOKIE_NAME && is_identity(value))
        .map(|(_, value)| value)
}

/// The identity in a header of the app's own; an empty one, or one that is no text, is none.
pub(crate) fn from_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?.as_bytes();
    std::str::from_utf8(value).ok().map(str::trim).filter(|identity| !identity.is_empty())
}

/// All cookies of a request.
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

fn is_identity(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A new identity that fits: 128 random bits as text. Draws until one fits, or for so long that
/// what comes then is taken; `None` where the system has no randomness to give.
pub(crate) fn assign(fits: impl Fn(&str) -> bool) -> Option<String> {
    let mut identity = String::new();
    for _ in 0..DRAWS / AT_A_TIME {
        let mut bits = [[0; 16]; AT_A_TIME];
        getrandom::fill(bits.as_flattened_mut()).ok()?;
        for bits in bits {
            identity.clear();
            // Writing to a string does not fail.
            let _ = write!(identity, "{:032x}", u128::from_be_bytes(bits));
            if fits(&identity) {
                return Some(identity);
            }
        }
    }
    Some(identity)
}

/// The header that gives a user this identity for a year.
pub(crate) fn set_cookie(identity: &str) -> String {
    format!("{COOKIE_NAME}={identity}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax")
}

/// Buckets are thousandths.
const BUCKETS: u32 = 1000;

/// The bucket of a user in a split, 0 to 999.
pub(crate) fn bucket(identity: &str) -> u32 {
    sticky::split_bucket(identity, BUCKETS)
}

/// The bucket of a user for a flag, 0 to 999; not the same users get every new thing first.
pub(crate) fn flag_bucket(flag: &str, identity: &str) -> u32 {
    sticky::flag_bucket(flag, identity, BUCKETS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_are_even_and_cookies_are_checked() {
        let mut low = 0;
        for _ in 0..10_000 {
            let identity = assign(|_| true).unwrap();
            assert!(is_identity(&identity), "{identity}");
            low += u32::from(bucket(&identity) < 100);
        }
        assert!((850..1150).contains(&low), "{low} of 10000 are in the first tenth");
        let mut headers = HeaderMap::new();
        let good = "0123456789abcdef0123456789abcdef";
        let value = format!("a=b; cutover_id=x; {COOKIE_NAME}={good}");
        headers.insert(COOKIE, value.parse().unwrap());
        assert_eq!(from_cookie(&headers), Some(good));
        headers.insert(COOKIE, "cutover_id=../../etc".parse().unwrap());
        assert_eq!(from_cookie(&headers), None);
    }

    #[test]
    fn buckets_are_those_of_the_published_hash() {
        // Made by another implementation of MurmurHash3, of the bytes 82 text(flag) text(identity),
        // and text(identity).
        let long = "y".repeat(300);
        for (flag, identity, of_flag, of_split) in [
            ("new-checkout", "alice", 153, 385),
            ("new-checkout", "bob", 613, 497),
            ("n", "0123456789abcdef0123456789abcdef", 190, 782),
            ("new-checkout", "J\u{fc}rgen", 445, 371),
            ("x", long.as_str(), 101, 507),
        ] {
            assert_eq!(flag_bucket(flag, identity), of_flag, "{flag} {identity}");
            assert_eq!(bucket(identity), of_split, "{identity}");
        }
    }

    #[test]
    fn an_identity_that_nothing_fits_is_still_one() {
        assert!(is_identity(&assign(|_| false).unwrap()));
        let rare = assign(|identity| bucket(identity) == 7).unwrap();
        assert!(is_identity(&rare));
    }

    proptest! {
        #[test]
        fn any_text_is_an_identity(flag in ".{0,80}", identity in ".{0,9000}") {
            prop_assert!(bucket(&identity) < 1000);
            prop_assert!(flag_bucket(&flag, &identity) < 1000);
        }
    }
}
