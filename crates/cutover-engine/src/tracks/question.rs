//! What is asked of an experiment.

use std::collections::BTreeMap;
use std::time::Duration;

use cutover_core::units::{At, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is asked of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// The flag's key.
    pub flag: String,
    /// The name of the outcome that variants are compared by.
    #[serde(default)]
    pub outcome: Option<String>,
    /// An attribute of exposures: its values are looked at apart, too.
    #[serde(default)]
    pub by: Option<String>,
    /// An attribute of exposures with what the user did before the experiment, for amounts.
    #[serde(default)]
    pub before: Option<String>,
    /// Amounts of a user count for so long after the first exposure.
    pub within: Span,
    /// Shares or weights that users were to be dealt by; else those of the definitions at the time.
    #[serde(default)]
    pub shares: Option<BTreeMap<String, f64>>,
    /// The variant that others are compared with; else the flag's default variant.
    #[serde(default)]
    pub control: Option<String>,
    /// Users first exposed before this do not count.
    #[serde(default)]
    pub since: Option<At>,
    /// The probability with which, at all looks together, a difference is told that is none.
    pub alpha: f64,
}

impl Question {
    /// Everything that is known of a flag.
    #[must_use]
    pub fn of(flag: &str) -> Question {
        Question {
            flag: flag.to_owned(),
            outcome: None,
            by: None,
            before: None,
            within: Span(Duration::from_secs(7 * 24 * 60 * 60)),
            shares: None,
            control: None,
            since: None,
            alpha: 0.05,
        }
    }
}
