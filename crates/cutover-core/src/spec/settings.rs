//! Settings of each pattern, as written under `patterns:`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dataplane::WhileDown;
use crate::id::FlagKey;
use crate::patterns::Pattern;
use crate::plan::{MatchRule, Sticky};
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

impl Canary {
    /// How users keep their side.
    #[must_use]
    pub fn identity(&self) -> Sticky {
        identity(self.sticky, self.header.as_deref())
    }
}

fn identity(by: StickyBy, header: Option<&str>) -> Sticky {
    match (by, header) {
        (StickyBy::Cookie, _) => Sticky::Cookie,
        (StickyBy::Header, Some(header)) => Sticky::Header(header.to_owned()),
        (StickyBy::None | StickyBy::Header, _) => Sticky::No,
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
    /// Requests with these methods are copied. One that writes would write twice.
    pub methods: Vec<String>,
    /// Compare the bodies of the answers, too, by their digest.
    pub compare_body: bool,
    /// Requests with a larger body are not copied, in bytes.
    pub most_body: u32,
}

impl Default for Shadow {
    fn default() -> Shadow {
        Shadow {
            mirror: Share::from_permille(100),
            length: Span::secs(600),
            then: None,
            methods: ["GET", "HEAD", "OPTIONS"].map(str::to_owned).to_vec(),
            compare_body: false,
            most_body: 65_536,
        }
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
    /// Requests with these marks go to the candidate whatever the split says: one rule, whose parts
    /// must all hold, or a list of rules, of which any may hold.
    #[serde(rename = "match", with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "OneOrMany")]
    pub rules: Vec<MatchRule>,
    /// How users keep their side.
    pub sticky: StickyBy,
    /// The header that carries the identity, with `sticky: header`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
}

impl AbTesting {
    /// How users keep their side.
    #[must_use]
    pub fn identity(&self) -> Sticky {
        identity(self.sticky, self.header.as_deref())
    }
}

impl Default for AbTesting {
    fn default() -> AbTesting {
        AbTesting {
            split: Share::from_permille(500),
            length: Span::secs(14 * 24 * 3600),
            rules: vec![],
            sticky: StickyBy::Cookie,
            header: None,
        }
    }
}

/// Settings of feature flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FeatureFlag {
    /// The flag's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<FlagKey>,
    /// The shares of users with the flag on, ascending.
    pub steps: Vec<Share>,
    /// Collect evidence at each step at least this long.
    pub bake: Span,
    /// How users keep their side of the flag.
    pub sticky: StickyBy,
    /// The header that carries the identity, with `sticky: header`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
}

impl FeatureFlag {
    /// Who a user is to the flag.
    #[must_use]
    pub fn identity(&self) -> Sticky {
        identity(self.sticky, self.header.as_deref())
    }
}

impl Default for FeatureFlag {
    fn default() -> FeatureFlag {
        FeatureFlag {
            flag: None,
            steps: [10, 100, 500, 1000].map(Share::from_permille).to_vec(),
            bake: Span::secs(120),
            sticky: StickyBy::Cookie,
            header: None,
        }
    }
}

/// One value or a list of them, as people write it.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum OneOrMany {
    One(MatchRule),
    Many(Vec<MatchRule>),
}

/// Reads one rule or a list; writes a list.
mod one_or_many {
    use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
    use serde::de::{MapAccess, SeqAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::plan::MatchRule;

    pub(super) fn serialize<S: Serializer>(rules: &[MatchRule], s: S) -> Result<S::Ok, S::Error> {
        rules.serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<MatchRule>, D::Error> {
        // Not an untagged enum, whose errors would name neither key nor value.
        struct Rules;
        impl<'de> Visitor<'de> for Rules {
            type Value = Vec<MatchRule>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a rule or a list of rules")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Ok(vec![MatchRule::deserialize(MapAccessDeserializer::new(map))?])
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list))
            }
        }
        d.deserialize_any(Rules)
    }
}
