//! What clients ask of pruning, and what they get back.

use cutover_core::id::{InstanceId, Subject};
use cutover_core::release::ReleaseName;
use cutover_core::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Remove what old releases of an app left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PruneRequest {
    /// How many good releases are kept, those that were live last.
    pub keep: u32,
    /// Rollouts and events older than this go.
    pub history: Span,
    /// What old instances of kept releases left goes when it is older than this.
    pub logs: Span,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What went, or would go, and what is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PruneAnswer {
    /// Of which app.
    pub subject: Subject,
    /// Was nothing removed, because only that was asked?
    pub dry_run: bool,
    /// Releases that went; their names stay known.
    pub releases: Vec<GoneRelease>,
    /// Records of the journal that went.
    pub records: Stored,
    /// Rollouts that history shows no more.
    pub rollouts: u64,
    /// Events that went.
    pub events: Stored,
    /// Folders of instances that do not exist any more.
    pub folders: Vec<GoneFolder>,
    /// Releases that are kept, and why.
    pub kept: Vec<KeptRelease>,
    /// Was the journal left whole, because a rollout is live?
    pub rollout_is_live: bool,
    /// What could not be removed, and why; asking again tries again.
    pub troubles: Vec<String>,
}

/// A release that went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GoneRelease {
    /// Which.
    pub release: ReleaseName,
    /// How large it was.
    pub bytes: u64,
}

/// What an old instance had left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GoneFolder {
    /// Which instance.
    pub instance: InstanceId,
    /// How large it was.
    pub bytes: u64,
}

/// A number of stored things and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stored {
    /// How many.
    pub count: u64,
    /// How large they are together.
    pub bytes: u64,
}

/// A release that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeptRelease {
    /// Which.
    pub release: ReleaseName,
    /// For which reasons.
    pub why: Vec<KeptWhy>,
}

/// Why a release is kept.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum KeptWhy {
    /// It is live.
    Live,
    /// It is kept warm.
    Standby,
    /// A live rollout leads to it or away from it.
    Rollout,
    /// `cutover retry` would lead to it.
    Retry,
    /// `cutover rollback` would lead to it.
    Rollback,
    /// It is among the good releases that were live last.
    Good,
    /// An instance of it exists.
    Instance,
}
