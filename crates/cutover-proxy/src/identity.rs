//! Who a user is to a sticky split, and on which side of it that puts them.

use http::HeaderMap;
use http::header::COOKIE;

/// The cookie by which the proxy knows a user again.
pub(crate) const COOKIE_NAME: &str = "cutover_id";

/// The identity in the proxy's cookie, if it is one that the proxy could have assigned.
pub(crate) fn from_cookie(headers: &HeaderMap) -> Option<String> {
    cookies(headers)
        .find(|(name, value)| *name == COOKIE_NAME && is_identity(value))
        .map(|(_, value)| value.to_owned())
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

/// A new identity: 128 random bits as text; `None` where the system has none to give.
pub(crate) fn assign() -> Option<String> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).ok()?;
    Some(format!("{:032x}", u128::from_be_bytes(bits)))
}

/// The header that gives a user this identity for a year.
pub(crate) fn set_cookie(identity: &str) -> String {
    format!("{COOKIE_NAME}={identity}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax")
}

/// The bucket, 0 to 999, of an identity: MurmurHash3 x86-32 (seed 0) of its deterministic CBOR
/// encoding (RFC 8949 §4.2.1, major type 3), scaled. Flags use the same hash, so that a user is on
/// the same side of a split and of a flag of equal share.
pub(crate) fn bucket(identity: &str) -> u32 {
    let mut key = cbor_text_head(identity.len());
    key.extend_from_slice(identity.as_bytes());
    // Reading from memory does not fail.
    let hash = murmur3::murmur3_32(&mut key.as_slice(), 0).unwrap_or(0);
    u32::try_from((u64::from(hash) * 1000) >> 32).unwrap_or(0)
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
            let identity = assign().unwrap();
            assert!(is_identity(&identity), "{identity}");
            low += u32::from(bucket(&identity) < 100);
        }
        assert!((850..1150).contains(&low), "{low} of 10000 are in the first tenth");
        let mut headers = HeaderMap::new();
        let good = "0123456789abcdef0123456789abcdef";
        let value = format!("a=b; cutover_id=x; {COOKIE_NAME}={good}");
        headers.insert(COOKIE, value.parse().unwrap());
        assert_eq!(from_cookie(&headers).as_deref(), Some(good));
        headers.insert(COOKIE, "cutover_id=../../etc".parse().unwrap());
        assert_eq!(from_cookie(&headers), None);
    }
}
