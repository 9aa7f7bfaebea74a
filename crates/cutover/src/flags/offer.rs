//! What a person asks to be served, and what became of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use cutover_core::id::{AppName, Environment};
use cutover_core::served_flags::{FlagCompat, FlagsState};
use cutover_core::units::{Share, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::git::Tree;

/// Flags to serve for an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Offer {
    /// Where clients connect.
    pub(crate) listen: SocketAddr,
    /// Files and folders, absolute, and URLs; in a repository, paths in it. Where two documents of
    /// one set define a flag the later counts.
    pub(crate) paths: Vec<PathBuf>,
    /// The repository that the paths are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) git: Option<Tree>,
    /// How URLs are fetched.
    #[serde(default)]
    pub(crate) fetch: Fetch,
    /// SHA-256 of the tokens that clients may show, in hexadecimal; none: nobody is asked.
    #[serde(default)]
    pub(crate) tokens: Vec<String>,
    /// Web pages that may ask.
    #[serde(default)]
    pub(crate) origins: Vec<String>,
    /// What some clients need.
    #[serde(default)]
    pub(crate) compat: FlagCompat,
    /// Who may change flags, with the SHA-256 of their tokens; a second one has to approve. None:
    /// everybody may, alone.
    #[serde(default)]
    pub(crate) people: BTreeMap<String, String>,
    /// An app of the same environment: flags that it has are on for the same users here.
    #[serde(default)]
    pub(crate) app: Option<AppName>,
}

/// How URLs are fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Fetch {
    /// From one look to the next.
    pub(crate) every: Span,
    /// The longest one look may take.
    pub(crate) deadline: Span,
    /// A file with a bearer token, absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bearer_file: Option<PathBuf>,
    /// A file with the authorities that are trusted, absolute; else those of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
}

impl Default for Fetch {
    fn default() -> Fetch {
        Fetch { every: Span::secs(10), deadline: Span::secs(5), bearer_file: None, ca: None }
    }
}

/// Flags that are served, or should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Offered {
    /// Of which environment.
    pub(crate) environment: Environment,
    /// Where they come from.
    pub(crate) paths: Vec<PathBuf>,
    /// What keeps the newest definitions from being served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
    /// Flags that follow an app, with the share that they are on for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) follows: BTreeMap<String, Share>,
    /// Flags that people changed and no source defines any longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) adrift: Vec<String>,
    /// What is served, as the proxy said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) served: Option<FlagsState>,
}
