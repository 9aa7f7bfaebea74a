//! Who may ask: tokens, of which only digests are known.

use std::collections::HashSet;

use cutover_core::id::Environment;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

/// The tokens of an environment.
#[derive(Debug)]
pub(super) struct Tokens {
    digests: HashSet<[u8; 32]>,
    /// What clients show to hear of changes, where their libraries can send no header. It opens
    /// nothing else.
    pub(super) listen_key: Option<String>,
}

impl Tokens {
    /// Reads digests in hexadecimal.
    ///
    /// # Errors
    /// Where one is none: in words.
    pub(super) fn read(environment: &Environment, digests: &[String]) -> Result<Tokens, String> {
        let mut key = Sha256::new();
        key.update("cutover: listens for changes of flags\0");
        key.update(environment.to_string());
        let mut known = HashSet::new();
        for text in digests {
            let digest = read(text).ok_or("a token's digest is not 64 hexadecimal digits")?;
            key.update(digest);
            known.insert(digest);
        }
        let listen_key = (!known.is_empty())
            .then(|| key.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect());
        Ok(Tokens { digests: known, listen_key })
    }

    /// Is nobody asked for one?
    pub(super) fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// Does a request show one, as `Authorization: Bearer` or `X-API-Key`? Digests are compared, so
    /// the time that takes tells nothing about a token.
    pub(super) fn admit(&self, headers: &HeaderMap) -> bool {
        if self.digests.is_empty() {
            return true;
        }
        let bearer = headers.get(AUTHORIZATION).map(|value| value.as_bytes()).and_then(bearer);
        let key = headers.get("x-api-key").map(|value| value.as_bytes());
        [bearer, key].into_iter().flatten().any(|token| {
            let digest: [u8; 32] = Sha256::digest(token).into();
            self.digests.contains(&digest)
        })
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

fn read(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        let digit = |at: u8| char::from(at).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let [high, low] = *pair;
        *byte = digit(high)? * 16 + digit(low)?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_of_known_digests_are_admitted() {
        let digest: String =
            Sha256::digest("secret").iter().map(|byte| format!("{byte:02x}")).collect();
        let tokens = Tokens::read(&Environment::default(), &[digest]).unwrap();
        for (name, value, admitted) in [
            ("authorization", "Bearer secret", true),
            ("authorization", "bearer secret", true),
            ("x-api-key", "secret", true),
            ("authorization", "secret", false),
            ("authorization", "Bearer Secret", false),
            ("x-api-key", "", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(tokens.admit(&headers), admitted, "{name}: {value}");
        }
        assert!(!tokens.admit(&HeaderMap::new()));
        for bad in ["", "00", &"g".repeat(64), &"0".repeat(65)] {
            assert!(Tokens::read(&Environment::default(), &[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
