//! How requests are shared: routes, their marks, and what goes to the candidate beside.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Share;

/// How the data plane keeps a user on one side of a split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sticky {
    /// Every request is dealt anew.
    #[default]
    No,
    /// The proxy assigns the identity in the cookie `cutover_id`.
    Cookie,
    /// The identity is this request header; requests without it are dealt anew.
    Header(String),
}

/// How live requests are shared; always a whole value, never a delta.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// Evenly over all instances of both sides.
    Even,
    /// This share to the candidate.
    Split {
        /// The candidate's share.
        candidate: Share,
        /// How users keep their side.
        sticky: Sticky,
    },
    /// Requests with any of these marks to the candidate, `share` of the others too.
    Match {
        /// The marks.
        rules: Vec<MatchRule>,
        /// The candidate's share of requests without a mark.
        share: Share,
        /// How users keep their side.
        sticky: Sticky,
    },
    /// To nobody: requests wait or see the notice page.
    Held,
}

impl Route {
    /// A plain split.
    #[must_use]
    pub fn split(candidate: Share) -> Route {
        Route::Split { candidate, sticky: Sticky::No }
    }
    /// The candidate's wanted share of unmarked traffic; `None` where instances decide (even).
    #[must_use]
    pub fn share(&self) -> Option<Share> {
        match self {
            Route::Even => None,
            Route::Split { candidate, .. } => Some(*candidate),
            Route::Match { share, .. } => Some(*share),
            Route::Held => Some(Share::ZERO),
        }
    }
}

/// One mark of a request; all given parts must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct MatchRule {
    /// Header names and their exact values.
    pub header: BTreeMap<String, String>,
    /// Cookie names and their exact values.
    pub cookie: BTreeMap<String, String>,
    /// Query parameters and their exact values.
    pub query: BTreeMap<String, String>,
    /// Path prefix.
    pub path: Option<String>,
    /// Exact host.
    pub host: Option<String>,
}

/// What goes to the candidate beside live traffic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Aside {
    /// Nothing.
    #[default]
    Nothing,
    /// A listener of its own, for people and smoke tests.
    Preview,
    /// Copies of this share of the requests; answers are compared and thrown away.
    Mirror(Share),
}
