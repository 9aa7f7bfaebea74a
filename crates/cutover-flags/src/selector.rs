//! Which flags a client means: flagd's `Flagd-Selector` header.

use std::str::FromStr;

/// A choice of flags.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Selector {
    /// All flags of all sources; where a key appears twice, the last source's one.
    #[default]
    All,
    /// `flagSetId=x`: the flags of one set.
    Set(String),
    /// `flagSetId=`: the flags that belong to no set.
    NoSet,
    /// `source=y`, or a name alone: the flags of one source.
    Source(String),
}

/// A selector that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the selector {0:?} is none of flagSetId=x, flagSetId= and source=y; only one is allowed")]
pub struct InvalidSelector(String);

impl FromStr for Selector {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Selector, InvalidSelector> {
        let text = text.trim();
        if text.contains(',') {
            return Err(InvalidSelector(text.chars().take(80).collect()));
        }
        match text.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            None if text.is_empty() => Ok(Selector::All),
            None => Ok(Selector::Source(text.to_owned())),
            Some(("flagSetId", "")) => Ok(Selector::NoSet),
            Some(("flagSetId", set)) => Ok(Selector::Set(set.to_owned())),
            Some(("source", source)) => Ok(Selector::Source(source.to_owned())),
            Some(_) => Err(InvalidSelector(text.chars().take(80).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pair_is_a_selector() {
        for (text, selector) in [
            ("", Selector::All),
            ("flagSetId=a/b", Selector::Set("a/b".into())),
            ("flagSetId=", Selector::NoSet),
            ("source=x.json", Selector::Source("x.json".into())),
            ("flags/x.json", Selector::Source("flags/x.json".into())),
        ] {
            assert_eq!(text.parse(), Ok(selector), "{text}");
        }
        for text in ["flagSetId=a,source=b", "set=x"] {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
    }
}
