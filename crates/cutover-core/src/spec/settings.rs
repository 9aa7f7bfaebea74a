//! Settings of each pattern, as written under `patterns:`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dataplane::WhileDown;
use crate::patterns::Pattern;
use crate::plan::MatchRule;
use crate::units::{Count, Share, Span};

/// Settings of each pattern; all optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct PatternSettings {
    /// Everything at once.
    pub big_bang: BigBang,
    /// Batch by batch.
    pub rolling: Rolling,
    /// Two full sets.
    pub blue_green: BlueGreen,
    /// A growing share.
    pub canary: Canary,
    /// Copies of requests.
    pub shadow: Shadow,
    /// Two versions for two groups.
    pub ab_testing: AbTesting,
    /// A switch inside the app.
    pub feature_flag: FeatureFlag,
}

/// Settings of big bang.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct BigBang {
    /// What users see while nobody serves.
    pub while_down: WhileDown,
}

/// Settings of rolling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Rolling {
    /// Instances replaced at a time.
    pub batch: Count,
    /// Start the new ones first (true), or stop the old ones first (false).
    pub surge: bool,
    /// Wait between batches.
    pub pause: Span,
}

impl Default for Rolling {
    fn default() -> Rolling {
        Rolling { batch: 1, surge: true, pause: Span::secs(0) }
    }
}

/// Settings of blue-green.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct BlueGreen {
    /// Wait for `cutover promote` before the switch.
    pub approve: bool,
    /// Watch the new side this long after the switch, with the old one still running.
    pub soak: Span,
    /// Keep the old side warm this long after the end, for an instant way back.
    pub keep: Span,
}

impl Default for BlueGreen {
    fn default() -> BlueGreen {
        BlueGreen { approve: false, soak: Span::secs(30), keep: Span::secs(600) }
    }
}

/// Settings of canary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Canary {
    /// The candidate's shares, ascending; the full share follows by itself.
    pub steps: Vec<Share>,
    /// Collect evidence at each step at least this long.
    pub bake: Span,
    /// How users keep their side.
    pub sticky: StickyBy,
    /// The header that carries the identity, with `sticky: header`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
}

impl Default for Canary {
    fn default() -> Canary {
        Canary {
            steps: [50, 250, 500].map(Share::from_permille).to_vec(),
            bake: Span::secs(120),
            sticky: StickyBy::None,
            header: None,
        }
    }
}

/// How users keep their side of a split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StickyBy {
    /// Not at all: every request is dealt anew.
    #[default]
    None,
    /// By the cookie `cutover_id`, which the proxy assigns.
    Cookie,
    /// By a request header.
    Header,
}

/// Settings of shadow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Shadow {
    /// The share of requests that is copied.
    pub mirror: Share,
    /// How long.
    #[serde(rename = "for")]
    pub length: Span,
    /// The pattern that follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<Pattern>,
}

impl Default for Shadow {
    fn default() -> Shadow {
        Shadow { mirror: Share::from_permille(100), length: Span::secs(600), then: None }
    }
}

/// Settings of A/B testing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct AbTesting {
    /// The candidate's share of users.
    pub split: Share,
    /// How long the experiment lasts.
    #[serde(rename = "for")]
    pub length: Span,
    /// Requests with this mark go to the candidate whatever the split says.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub rule: Option<MatchRule>,
}

impl Default for AbTesting {
    fn default() -> AbTesting {
        AbTesting {
            split: Share::from_permille(500),
            length: Span::secs(14 * 24 * 3600),
            rule: None,
        }
    }
}

/// Settings of feature flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FeatureFlag {
    /// The flag's key.
    pub flag: String,
    /// The shares of users with the flag on, ascending.
    pub steps: Vec<Share>,
    /// Collect evidence at each step at least this long.
    pub bake: Span,
}

impl Default for FeatureFlag {
    fn default() -> FeatureFlag {
        FeatureFlag {
            flag: String::new(),
            steps: [10, 100, 500, 1000].map(Share::from_permille).to_vec(),
            bake: Span::secs(120),
        }
    }
}
