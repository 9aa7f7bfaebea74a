//! The routing table: what the data plane does with each request, as one value.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{FlagKey, InstanceId, ReleaseId};
use crate::plan::{MatchRule, Sticky};
use crate::units::Share;

/// Which table is newer: first the engine's start that sent it, then its number there.
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
pub struct Generation {
    /// Number of the engine start that made it; older starts are refused.
    pub epoch: u32,
    /// Number within that start.
    pub seq: u32,
}

/// How requests are dealt among the serving instances.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Deal {
    /// To nobody: held, or the notice page.
    #[default]
    Held,
    /// Evenly over all serving instances.
    Even,
    /// Each release its share; the shares sum to full. Evenly within a release.
    Split {
        /// Share per release; every release named has a serving instance.
        shares: BTreeMap<ReleaseId, Share>,
        /// How users keep their side.
        sticky: Sticky,
        /// The release that users move *to* as its share grows (identities with a low hash).
        favoured: ReleaseId,
    },
}

/// Requests with any of these marks go to a release, while it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Marked {
    /// Where marked requests go.
    pub to: ReleaseId,
    /// The marks.
    pub rules: Vec<MatchRule>,
}

/// How far a feature flag is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Raised {
    /// The share of users that it is on for; never zero.
    pub share: Share,
    /// The release that brought it; earlier ones do not know it.
    pub by: ReleaseId,
}

/// The flags that are on for anybody, by key.
pub type Flags = BTreeMap<FlagKey, Raised>;

/// What the data plane does with each request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Table {
    /// How requests are dealt.
    pub deal: Deal,
    /// The instances that may get requests, and where they listen.
    pub serving: BTreeMap<InstanceId, SocketAddr>,
    /// Requests that are sent by their marks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marked: Option<Marked>,
    /// The instances behind the preview listener.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub preview: BTreeMap<InstanceId, SocketAddr>,
    /// The instances that get copies.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mirrored: BTreeMap<InstanceId, SocketAddr>,
    /// The share of requests that is copied.
    #[serde(skip_serializing_if = "is_zero")]
    pub mirror: Share,
    /// The flags; every serving instance knows them all.
    #[serde(skip_serializing_if = "Flags::is_empty")]
    pub flags: Flags,
}

fn is_zero(share: &Share) -> bool {
    *share == Share::ZERO
}

impl Table {
    /// Could a request reach this instance by this table?
    #[must_use]
    pub fn names(&self, id: InstanceId) -> bool {
        self.serving.contains_key(&id)
            || self.preview.contains_key(&id)
            || self.mirrored.contains_key(&id)
    }
    /// Does nobody serve?
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.serving.is_empty()
    }
    /// The share of live, unmarked requests that a release gets, rounded down where instances
    /// decide.
    #[must_use]
    pub fn share(&self, release: ReleaseId) -> Share {
        match &self.deal {
            Deal::Held => Share::ZERO,
            Deal::Even => Share::of(
                count(self.serving.keys().filter(|id| id.release == release)),
                count(self.serving.keys()),
            ),
            Deal::Split { shares, .. } => shares.get(&release).copied().unwrap_or_default(),
        }
    }
    /// Does any user's request reach this release?
    #[must_use]
    pub fn serves(&self, release: ReleaseId) -> bool {
        !self.is_held()
            && (self.share(release) > Share::ZERO
                || self.marked.as_ref().is_some_and(|marked| marked.to == release))
    }
}

fn count(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
