//! What engine and data plane say to each other about feature flags that clients evaluate over HTTP.
//!
//! The data plane serves these beside the calls of [`crate::dataplane`]:
//!
//! | call | body → answer |
//! |---|---|
//! | `PUT /v1/flags/{environment}` | [`FlagPublication`] → [`FlagsState`], once served and stored |
//! | `DELETE /v1/flags/{environment}` | → 204, once the listener is given back |
//! | `GET /v1/flags` | → [`FlagsState`] by environment |
//! | `GET /v1/flags/{environment}/sources` | → a list of [`FlagSource`], as served |
//! | `GET /v1/flags/{environment}/tracks?after=CURSOR&epoch=EPOCH` | → [`Tracks`]; without an epoch the cursor is taken as it is |
//!
//! A publication with a document that cannot be used is refused (422), and what was served before is
//! served on.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::table::Generation;
use crate::units::At;

/// Where clients of an environment find their flags, unless something else is said.
pub const FLAGS_PORT: u16 = 8016;

/// Definitions to serve for one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlagPublication {
    /// Newer than the one in force, or equal with the same content (a repeat).
    pub generation: Generation,
    /// Where clients connect. An address that others reach needs `tokens`.
    pub listen: SocketAddr,
    /// The documents; where two of one set define a flag, the later one counts.
    pub sources: Vec<FlagSource>,
    /// SHA-256 of every token that clients may show, in 64 hexadecimal digits; empty: none is asked.
    #[serde(default)]
    pub tokens: Vec<String>,
    /// Web pages that may ask from a browser, such as `https://shop.example`, or `*`.
    #[serde(default)]
    pub origins: Vec<String>,
    /// What some clients need that the protocol does not ask for.
    #[serde(default)]
    pub compat: FlagCompat,
}

/// A document in flagd's format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlagSource {
    /// What messages and the selector `source=…` call it; `.yaml` and `.yml` mean YAML.
    pub name: String,
    /// The document.
    pub text: String,
    /// What people changed of its flags, laid over them by key: a JSON merge patch (RFC 7396).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<String>,
}

/// What some clients need that the protocol does not ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FlagCompat {
    /// Send `"variant":""` where there is no value.
    pub empty_variant: bool,
}

impl Default for FlagCompat {
    fn default() -> FlagCompat {
        FlagCompat { empty_variant: true }
    }
}

/// What is served for one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlagsState {
    /// Generation of the definitions that are served.
    pub generation: Generation,
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Does it accept there? It may not for a while after a start, if the address is taken.
    pub listening: bool,
    /// Must clients show a token?
    pub guarded: bool,
    /// Tells the documents from others.
    pub version: String,
    /// How many flags there are.
    pub flags: u32,
    /// Since when these definitions are served.
    pub since: At,
    /// When they were last published, or said to be still the newest.
    pub confirmed: At,
    /// What is wrong, or looks wrong, with them; at most 100.
    pub problems: Vec<FlagProblem>,
    /// Newer definitions that were refused, so that these are served on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedFlags>,
    /// Clients that wait for changes.
    pub listeners: u32,
}

/// Something wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlagProblem {
    /// Does it keep a flag or a document from being used?
    pub error: bool,
    /// One line: where, which flag, what, and the name of the rule.
    pub text: String,
}

/// Definitions that were refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedFlags {
    /// When.
    pub at: At,
    /// Why.
    pub reason: String,
}

/// Who saw what, and what came of it, after a cursor; reading forgets nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tracks {
    /// Changes whenever the proxy process starts again; tracks before are gone then.
    pub epoch: u64,
    /// Pass this as `after` next time.
    pub cursor: u64,
    /// How many tracks between the cursor asked for and the first one here were forgotten. A cursor
    /// of another process is taken as that of the very beginning.
    pub forgotten: u64,
    /// The tracks, oldest first; at most 10,000 in one answer.
    pub tracks: Vec<Tracked>,
    /// How many exposures there were since the process started, by flag and variant.
    pub exposures: BTreeMap<String, BTreeMap<String, u64>>,
    /// Tells the documents that are served now from others.
    pub version: String,
}

/// A track, and when it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tracked {
    /// When.
    pub at: At,
    /// What a client told.
    pub track: Track,
}

/// What a client tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Track {
    /// Somebody saw a variant of a flag.
    Exposure {
        /// Who.
        targeting_key: String,
        /// The flag's key.
        flag: String,
        /// The variant's name.
        variant: String,
        /// What is known of them beforehand; reports can split by it.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        attributes: BTreeMap<String, Attribute>,
    },
    /// Something happened that is worth counting.
    Outcome {
        /// To whom.
        targeting_key: String,
        /// What.
        name: String,
        /// How much, where that means something.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<f64>,
        /// The flag that it is told of, if it is told of one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flag: Option<String>,
        /// The variant, likewise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        variant: Option<String>,
    },
}

/// What is known of somebody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Attribute {
    /// Yes or no.
    Truth(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl Attribute {
    /// The number, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Attribute::Number(number) => Some(*number),
            Attribute::Truth(_) | Attribute::Text(_) => None,
        }
    }
}

impl std::fmt::Display for Attribute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Attribute::Truth(truth) => truth.fmt(f),
            Attribute::Number(number) => number.fmt(f),
            Attribute::Text(text) => text.fmt(f),
        }
    }
}
