//! Who a user is to sticky splits and flags, and on which side of them that puts them.

use std::fmt::Write;

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

/// The bucket of a user in a split, 0 to 999: MurmurHash3 x86-32 (seed 0) of the identity in
/// deterministic CBOR (RFC 8949 §4.2.1, major type 3), scaled.
pub(crate) fn bucket(identity: &str) -> u32 {
    let mut key = Vec::with_capacity(identity.len() + 9);
    push_text(&mut key, identity);
    scaled(&key)
}

/// The bucket of a user for a flag, 0 to 999: the same hash of the array of the flag's key and the
/// identity, so that it is not the same users who get every new thing first.
pub(crate) fn flag_bucket(flag: &str, identity: &str) -> u32 {
    const ARRAY_OF_TWO: u8 = (4 << 5) | 2;
    let mut key = Vec::with_capacity(flag.len() + identity.len() + 19);
    key.push(ARRAY_OF_TWO);
    push_text(&mut key, flag);
    push_text(&mut key, identity);
    scaled(&key)
}

fn scaled(mut key: &[u8]) -> u32 {
    // Reading from memory does not fail.
    let hash = murmur3::murmur3_32(&mut key, 0).unwrap_or(0);
    u32::try_from((u64::from(hash) * 1000) >> 32).unwrap_or(0)
}

fn push_text(key: &mut Vec<u8>, text: &str) {
    key.extend(cbor_text_head(text.len()));
    key.extend_from_slice(text.as_bytes());
}

/// The shortest head of a text of this length.
fn cbor_text_head(length: usize) -> Vec<u8> {
    const TEXT: u8 = 3 << 5;
    match (u8::try_from(length), u16::try_from(length), u32::try_from(length)) {
        (Ok(length @ 0..=23), ..) => vec![TEXT | length],
        (Ok(length), ..) => vec![TEXT | 24, length],
        (_, Ok(length), _) => [&[TEXT | 25], &length.to_be_bytes()[..]].concat(),
        (_, _, Ok(length)) => [&[TEXT | 26], &length.to_be_bytes()[..]].concat(),
        _ => [&[TEXT | 27], &(length as u64).to_be_bytes()[..]].concat(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_heads_are_the_shortest_ones() {
        // The examples of RFC 8949, appendix A, and each border.
        assert_eq!(cbor_text_head(4), [0x64]);
        assert_eq!(cbor_text_head(23), [0x77]);
        assert_eq!(cbor_text_head(24), [0x78, 24]);
        assert_eq!(cbor_text_head(255), [0x78, 255]);
        assert_eq!(cbor_text_head(256), [0x79, 1, 0]);
        assert_eq!(cbor_text_head(65536), [0x7a, 0, 1, 0, 0]);
    }

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
