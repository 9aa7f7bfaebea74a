//! Flag keys in paths.

use std::borrow::Cow;

/// The part of a path behind a prefix, with `%XX` read; bytes that are no UTF-8 match no key.
pub(super) fn key_after<'a>(path: &'a str, prefix: &str) -> Option<Cow<'a, str>> {
    let rest = path.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
    if !rest.contains('%') {
        return Some(Cow::Borrowed(rest));
    }
    let mut bytes = Vec::with_capacity(rest.len());
    let mut left = rest.as_bytes();
    while let Some((&first, after)) = left.split_first() {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        left = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                after.get(2..).unwrap_or_default()
            }
            _ => {
                bytes.push(first);
                after
            }
        };
    }
    Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_paths() {
        for (path, key) in [
            ("/f/a", Some("a")),
            ("/f/a/b", Some("a/b")),
            ("/f/a%2Fb%20c", Some("a/b c")),
            ("/f/%C3%BC", Some("ü")),
            ("/f/100%", Some("100%")),
            ("/f/%zz%4", Some("%zz%4")),
            ("/f/", None),
            ("/g/a", None),
        ] {
            assert_eq!(key_after(path, "/f/").as_deref(), key, "{path}");
        }
    }
}
