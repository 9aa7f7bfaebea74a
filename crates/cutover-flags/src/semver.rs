//! Versions as `sem_ver` compares them: Semantic Versioning 2.0.0, with the leniency of flagd: a
//! `v` before it, and `1` or `1.2` for `1.0.0` or `1.2.0`. Build metadata does not count.

use std::cmp::Ordering;

use crate::value::Value;

/// A version; the pre-release part is still text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version<'a> {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    patch: u64,
    before: &'a str,
}

/// A version that stands in a document, taken apart once.
#[derive(Debug)]
pub(crate) struct Known {
    core: [u64; 3],
    before: Box<str>,
}

impl Known {
    pub(crate) fn parse(text: &str) -> Option<Known> {
        let Version { major, minor, patch, before } = Version::parse(text)?;
        Some(Known { core: [major, minor, patch], before: before.into() })
    }

    pub(crate) fn version(&self) -> Version<'_> {
        let [major, minor, patch] = self.core;
        Version { major, minor, patch, before: &self.before }
    }
}

/// How versions are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `^`: the same major version.
    SameMajor,
    /// `~`: the same major and minor version.
    SameMinor,
}

impl Comparison {
    pub(crate) fn of(operator: &str) -> Option<Comparison> {
        Some(match operator {
            "=" => Comparison::Equal,
            "!=" => Comparison::Unequal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            "^" => Comparison::SameMajor,
            "~" => Comparison::SameMinor,
            _ => return None,
        })
    }

    pub(crate) fn holds(self, one: Version<'_>, other: Version<'_>) -> bool {
        let order = one.order(other);
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::Unequal => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
            Comparison::SameMajor => one.major == other.major,
            Comparison::SameMinor => (one.major, one.minor) == (other.major, other.minor),
        }
    }
}

/// The text of a value that may be a version.
pub(crate) fn text_of(value: &Value) -> Option<std::borrow::Cow<'_, str>> {
    match value {
        Value::Text(text) => Some((&**text).into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Object(_) => None,
    }
}

impl<'a> Version<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Version<'a>> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let ([major, minor, patch], rest) = core(text)?;
        let version = |before| Version { major, minor, patch, before };
        if rest.is_empty() {
            return Some(version(""));
        }
        let (rest, build) = match rest.split_once('+') {
            Some((rest, build)) => (rest, Some(build)),
            None => (rest, None),
        };
        let before = match rest.strip_prefix('-') {
            Some(before) => Some(before),
            None if rest.is_empty() => None,
            None => return None,
        };
        let good = |part: Option<&str>, strict: bool| {
            part.is_none_or(|part| part.split('.').all(|word| is_identifier(word, strict)))
        };
        let sound = good(before, true) && good(build, false);
        sound.then(|| version(before.unwrap_or_default()))
    }

    fn order(self, other: Version<'_>) -> Ordering {
        let core = |version: Version<'_>| (version.major, version.minor, version.patch);
        core(self).cmp(&core(other)).then_with(|| match (self.before, other.before) {
            ("", "") => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (one, other) => order_of_identifiers(one, other),
        })
    }
}

/// The numbers at the start, of which the last two may be missing, and what stands behind them.
fn core(text: &str) -> Option<([u64; 3], &str)> {
    let mut numbers = [0; 3];
    let mut rest = text;
    for (at, number) in numbers.iter_mut().enumerate() {
        if at > 0 {
            match rest.strip_prefix('.') {
                Some(after) => rest = after,
                None => break,
            }
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit);
        let mut length = 0;
        for digit in digits {
            let units = u64::from(digit - b'0');
            *number = u64::checked_add(u64::checked_mul(*number, 10)?, units)?;
            length += 1;
        }
        if length == 0 || (length > 1 && rest.starts_with('0')) {
            return None;
        }
        rest = rest.get(length..)?;
    }
    Some((numbers, rest))
}

fn is_identifier(word: &str, strict: bool) -> bool {
    let numeric = word.bytes().all(|byte| byte.is_ascii_digit());
    !word.is_empty()
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !(strict && numeric && word.len() > 1 && word.starts_with('0'))
}

fn order_of_identifiers(one: &str, other: &str) -> Ordering {
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let order = match (ones.next(), others.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => order_of_words(one, other),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn order_of_words(one: &str, other: &str) -> Ordering {
    let numeric = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    match (numeric(one), numeric(other)) {
        // Without leading zeros the longer number is the larger one.
        (true, true) => one.len().cmp(&other.len()).then_with(|| one.cmp(other)),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => one.cmp(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_is_that_of_the_standard() {
        // The example of Semantic Versioning 2.0.0, item 11.
        let ordered = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.3",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.10",
            "v2",
        ];
        for (at, one) in ordered.iter().enumerate() {
            for (beside, other) in ordered.iter().enumerate() {
                let (one, other) = (Version::parse(one).unwrap(), Version::parse(other).unwrap());
                assert_eq!(one.order(other), at.cmp(&beside), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for bad in [
            "",
            "v",
            "a",
            "1.2.3.4",
            "01.2.3",
            "1..2",
            "1.2.3-",
            "1.2.3-01",
            "1.2.3+",
            "-1",
            "1.2.3-a..b",
            " 1.2.3",
            "1.2.3-ü",
            "99999999999999999999.0.0",
            "vv1",
        ] {
            assert_eq!(Version::parse(bad), None, "{bad:?}");
        }
        for good in ["1", "1.2", "V1.2.3", "1-alpha", "1.2.3-0a", "1.2.3+01.a", "0.0.0"] {
            assert!(Version::parse(good).is_some(), "{good:?}");
        }
    }
}
