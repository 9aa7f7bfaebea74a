//! The seven patterns: each a pure function from settings to stages.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of the seven ways to go from one release to the next.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// Stop the old, start the new.
    BigBang,
    /// Batch by batch.
    #[default]
    Rolling,
    /// Two full sets and one switch.
    BlueGreen,
    /// A growing share of traffic.
    Canary,
    /// Copies of requests, answers thrown away.
    Shadow,
    /// Two versions for two groups of users.
    AbTesting,
    /// The new code everywhere, switched on for a growing share of users.
    FeatureFlag,
}

impl Pattern {
    /// All of them, in the order of the guide.
    pub const ALL: [Pattern; 7] = [
        Pattern::BigBang,
        Pattern::Rolling,
        Pattern::BlueGreen,
        Pattern::Canary,
        Pattern::Shadow,
        Pattern::AbTesting,
        Pattern::FeatureFlag,
    ];

    /// Its name in specs and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Pattern::BigBang => "big-bang",
            Pattern::Rolling => "rolling",
            Pattern::BlueGreen => "blue-green",
            Pattern::Canary => "canary",
            Pattern::Shadow => "shadow",
            Pattern::AbTesting => "ab-testing",
            Pattern::FeatureFlag => "feature-flag",
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no pattern {0:?}")]
pub struct UnknownPattern(pub String);

impl FromStr for Pattern {
    type Err = UnknownPattern;
    fn from_str(text: &str) -> Result<Pattern, UnknownPattern> {
        let known = Pattern::ALL
            .into_iter()
            .find(|pattern| pattern.as_str() == text);
        known.ok_or_else(|| UnknownPattern(text.chars().take(80).collect()))
    }
}
