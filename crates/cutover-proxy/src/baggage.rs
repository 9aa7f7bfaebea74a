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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cutover_core::id::ReleaseId;
    use cutover_core::table::{Flags, Raised};
    use cutover_core::units::Share;
    use proptest::prelude::*;

    use super::*;
    use crate::app::App;
    use crate::flags::Flagging;

    fn decided() -> Decided {
        let raised = |share| Raised { share: Share::from_permille(share), by: ReleaseId(1) };
        let flags: Flags = [("all", 1000), ("some", 1)]
            .into_iter()
            .map(|(key, share)| (key.parse().unwrap(), raised(share)))
            .collect();
        let app = App::new("shop".parse().unwrap(), 0);
        let flagging = Arc::new(Flagging::new(&flags, &app, None));
        flagging.decide(Some("somebody"), &mut Default::default())
    }
    const OWN: &str = "flag.all=on,flag.some=off";

    fn headers(values: &[Vec<u8>]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(BAGGAGE, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn after(headers: &HeaderMap) -> String {
        assert!(headers.get_all(BAGGAGE).iter().count() <= 1);
        let value = headers.get(BAGGAGE).map(|value| value.as_bytes()).unwrap_or_default();
        String::from_utf8_lossy(value).into_owned()
    }

    /// The keys that the most lenient reader finds.
    fn keys(baggage: &str) -> Vec<String> {
        let key = |member: &str| {
            let mut key = member.split(['=', ';']).next().unwrap().to_owned();
            for _ in 0..3 {
                key = String::from_utf8_lossy(&decoded(key.as_bytes())).into_owned();
            }
            let ignored = |c: char| c.is_whitespace() || c.is_control() || "\"\\'()".contains(c);
            key.to_lowercase().replace(ignored, "")
        };
        baggage.split(',').map(key).collect()
    }

    /// One that a user may well send.
    fn member() -> impl Strategy<Value = String> {
        "[ \t]{0,2}[a-zA-Z0-9_.*^|~-]{1,12}[ \t]?=[ \t]?[!#-+.-:<-\\[\\]-~]{0,12}(;p=[0-9]{1,3})?"
            .prop_filter("a flag", |text| !text.to_lowercase().trim_start().starts_with("flag."))
    }

    /// One that a lenient reader takes for a flag.
    fn spoof() -> impl Strategy<Value = String> {
        let letter = |plain: char| {
            let code = plain as u32;
            prop_oneof![
                6 => Just(plain.to_string()),
                2 => Just(plain.to_ascii_uppercase().to_string()),
                1 => Just(format!("%{code:02x}")),
                1 => Just(format!("%{code:02X}")),
                1 => Just(format!("%25{code:02x}")),
            ]
        };
        let name = "flag.".chars().map(letter).collect::<Vec<_>>();
        (r#"[ \t+"]{0,3}"#, name, "[a-z]{0,5}[ \t]{0,2}(=(on|off))?(;p=1)?")
            .prop_map(|(before, name, after)| before + &name.concat() + &after)
    }

    proptest! {
        #[test]
        fn other_members_survive_byte_for_byte_and_no_flag_of_a_user_does(
            values in prop::collection::vec(
                prop::collection::vec(
                    prop_oneof![member().prop_map(|it| (it, true)), spoof().prop_map(|it| (it, false))],
                    1..6,
                ),
                0..4,
            ),
        ) {
            let join = |members: &Vec<(String, bool)>| {
                let texts: Vec<&str> = members.iter().map(|(text, _)| text.as_str()).collect();
                texts.join(",").into_bytes()
            };
            let values_sent: Vec<Vec<u8>> = values.iter().map(join).collect();
            let kept: Vec<&str> = values
                .iter()
                .flatten()
                .filter(|(_, is_kept)| *is_kept)
                .map(|(text, _)| text.as_str())
                .collect();
            // A header value has no white space at its ends.
            let plain = |text: &str| text.replace([' ', '\t'], "");
            let mut headers = headers(&values_sent);
            rewrite(&mut headers, None);
            prop_assert_eq!(plain(&after(&headers)), plain(&kept.join(",")));
            let decided = decided();
            rewrite(&mut headers, Some(&decided));
            let with: Vec<&str> = kept.iter().copied().chain([OWN]).collect();
            prop_assert_eq!(after(&headers), with.join(","));
            // Doing it again changes nothing.
            rewrite(&mut headers, Some(&decided));
            prop_assert_eq!(after(&headers), with.join(","));
        }

        #[test]
        fn whatever_a_user_sends_no_flag_of_theirs_is_left(
            values in prop::collection::vec(
                prop::collection::vec(prop_oneof![
                    4 => prop::sample::select(b"flag.FLAG%2526e=;,+ \t\"x".to_vec()),
                    1 => 0x20..=0x7e_u8,
                    1 => 0x80..=0xff_u8,
                ], 0..120),
                0..8,
            ),
        ) {
            let mut headers = headers(&values);
            rewrite(&mut headers, None);
            let left = after(&headers);
            for key in keys(&left) {
                prop_assert!(!key.starts_with("flag."), "{} in {}", key, left);
            }
            rewrite(&mut headers, Some(&decided()));
            prop_assert!(after(&headers).ends_with(OWN));
        }
    }

    #[test]
    fn too_much_is_cut_at_a_member() {
        let long: Vec<u8> =
            (0..5000).flat_map(|number| format!("k{number}=v,").into_bytes()).collect();
        let mut headers = headers(&[long.clone(), long]);
        rewrite(&mut headers, Some(&decided()));
        let left = after(&headers);
        let users = left.strip_suffix(&format!(",{OWN}")).unwrap();
        assert!(users.len() <= MOST && users.len() > MOST - 10, "{}", users.len());
        assert!(users.split(',').enumerate().all(|(place, it)| it == format!("k{place}=v")));
    }

    #[test]
    fn a_key_that_is_encoded_over_and_over_is_left_out() {
        let key = (0..9).fold("%66lag.new".to_owned(), |key, _| key.replace('%', "%25"));
        let mut headers = headers(&[format!("a=1,{key}=on,b%41=%41").into_bytes()]);
        rewrite(&mut headers, None);
        assert_eq!(after(&headers), "a=1,b%41=%41");
    }
}
