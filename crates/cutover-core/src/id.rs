//! Names and numbers that identify things: apps, versions, releases, instances.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A name that does not follow its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} is not valid: {rule}")]
pub struct InvalidName {
    what: &'static str,
    given: String,
    rule: &'static str,
}

fn is_label(text: &str, longest: usize) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=longest).contains(&text.len())
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Declares a string newtype that is checked wherever it enters, serde included.
macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    let given = text.chars().take(80).collect();
                    Err(InvalidName { what: $what, given, rule: $rule })
                }
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_name!(
    /// What users reach under one name: a DNS label of at most 40 characters.
    AppName,
    "app name",
    "use 1 to 40 of a-z, 0-9 and '-', not at either end",
    |text| is_label(text, 40)
);
checked_name!(
    /// Where an app runs (`production`, `staging`): a DNS label of at most 40 characters.
    Environment,
    "environment",
    "use 1 to 40 of a-z, 0-9 and '-', not at either end",
    |text| is_label(text, 40)
);
checked_name!(
    /// A version as its makers call it: `[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?`.
    Version,
    "version",
    "use 1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-', with a letter or digit at both ends",
    |text| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        text.len() <= 63
            && text.chars().all(inner)
            && ends(text.chars().next())
            && ends(text.chars().last())
    }
);

checked_name!(
    /// The key of a feature flag: a token that is safe in a header, of at most 64 characters.
    FlagKey,
    "flag key",
    "use 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'",
    |text| {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        (1..=64).contains(&text.len()) && text.chars().all(inner)
    }
);

checked_name!(
    /// The name of a metric that the judge looks at: a DNS label of at most 40 characters.
    MetricName,
    "metric name",
    "use 1 to 40 of a-z, 0-9 and '-', not at either end",
    |text| is_label(text, 40)
);

impl Default for Environment {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

/// What a rollout locks and every piece of state is keyed by: one app in one environment.
///
/// As text `app` in the default environment, else `app.environment`; both parts are DNS labels, so
/// the text is safe as a file name and parses back.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Subject {
    /// The app.
    pub app: AppName,
    /// The environment it runs in.
    pub env: Environment,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.env == Environment::default() {
            write!(f, "{}", self.app)
        } else {
            write!(f, "{}.{}", self.app, self.env)
        }
    }
}
impl FromStr for Subject {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.split_once('.') {
            Some((app, env)) => Ok(Self { app: app.parse()?, env: env.parse()? }),
            None => Ok(Self { app: text.parse()?, env: Environment::default() }),
        }
    }
}
impl TryFrom<String> for Subject {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}
impl From<Subject> for String {
    fn from(subject: Subject) -> String {
        subject.to_string()
    }
}

/// A release's number, unique within one subject and never reused; as text `r3`.
///
/// Text also in JSON: maps are keyed by it, and serde cannot read number keys inside tagged enums.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ReleaseId(pub u32);

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}
impl FromStr for ReleaseId {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        text.strip_prefix('r').and_then(|digits| digits.parse().ok()).map(ReleaseId).ok_or_else(
            || InvalidName {
                what: "release id",
                given: text.chars().take(80).collect(),
                rule: "use r and a number",
            },
        )
    }
}

impl TryFrom<String> for ReleaseId {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}
impl From<ReleaseId> for String {
    fn from(id: ReleaseId) -> String {
        id.to_string()
    }
}

/// One running copy of a release; as text `r3.0`, which also names its folder.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct InstanceId {
    /// The release it runs.
    pub release: ReleaseId,
    /// Which copy, from 0.
    pub slot: u32,
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.release, self.slot)
    }
}
impl FromStr for InstanceId {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = || InvalidName {
            what: "instance id",
            given: text.chars().take(80).collect(),
            rule: "use a release id, '.' and a slot number, like r3.0",
        };
        let (release, slot) = text.split_once('.').ok_or_else(invalid)?;
        Ok(Self { release: release.parse()?, slot: slot.parse().map_err(|_| invalid())? })
    }
}
impl TryFrom<String> for InstanceId {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}
impl From<InstanceId> for String {
    fn from(id: InstanceId) -> String {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_could_be_paths_or_flags_are_refused() {
        for bad in ["", "../x", "--flag", "-v1", "v1/", "v 1", "v1.", ".v1", "a\nb", "ü"] {
            assert!(bad.parse::<Version>().is_err(), "{bad:?} must be refused");
        }
        assert!("a".repeat(64).parse::<Version>().is_err());
        for good in ["1", "v2", "1.2.3-rc.1", "2026_11_23", "a9f3c2e"] {
            assert!(good.parse::<Version>().is_ok(), "{good:?} must be accepted");
        }
    }

    #[test]
    fn ids_survive_their_text() {
        let id = InstanceId { release: ReleaseId(12), slot: 3 };
        assert_eq!(id.to_string().parse(), Ok(id));
        let subject: Subject = "shop.production".parse().unwrap();
        assert_eq!(subject.to_string().parse(), Ok(subject));
        assert_eq!("shop".parse::<Subject>().unwrap().env, Environment::default());
        assert!("shop.a.b".parse::<Subject>().is_err());
        assert!("r1.x".parse::<InstanceId>().is_err());
    }
}
