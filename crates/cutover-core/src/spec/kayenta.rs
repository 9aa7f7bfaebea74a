//! Settings of Kayenta's judge, as written under `judge.kayenta`.

use std::collections::BTreeMap;

use cutover_judge::kayenta::{Metric, Percent, Settings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Span;

/// The judge of Kayenta in place of our own, for teams that come from Spinnaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Kayenta {
    /// Requests of so long are one value of each metric. Fewer than five values are no data.
    pub bucket: Span,
    /// The least score that passes.
    pub pass: Percent,
    /// A score below this turns the rollout back at once.
    pub marginal: Percent,
    /// What is compared: `errors` (the share of bad answers), `p50` and `p99` (in milliseconds).
    pub metrics: BTreeMap<String, Metric>,
    /// What groups weigh, adding up to 100; those not named share what is left equally.
    pub group_weights: BTreeMap<String, Percent>,
}

/// The metrics there are.
pub const SERIES: [&str; 3] = ["errors", "p50", "p99"];

impl Default for Kayenta {
    fn default() -> Kayenta {
        let Settings { pass, marginal, group_weights, .. } = Settings::default();
        let metrics = SERIES.map(|name| (name.to_owned(), Metric::harm_is_more()));
        Kayenta {
            bucket: Span::secs(60),
            pass,
            marginal,
            metrics: metrics.into_iter().collect(),
            group_weights,
        }
    }
}

impl Kayenta {
    /// As the judge takes them.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            metrics: self.metrics.clone(),
            group_weights: self.group_weights.clone(),
            pass: self.pass,
            marginal: self.marginal,
        }
    }
}
