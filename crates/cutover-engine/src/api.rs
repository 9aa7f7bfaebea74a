//! What clients ask of the engine, and what they get back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cutover_core::comparison::Comparison;
use cutover_core::dataplane::{Counters, InFlight};
use cutover_core::id::{FlagKey, InstanceId, ReleaseId, Subject, Version};
use cutover_core::observed::State;
use cutover_core::patterns::Pattern;
use cutover_core::plan::Plan;
use cutover_core::record::{Freeze, Keep, Outcome, Verdict, Why};
use cutover_core::release::ReleaseName;
use cutover_core::spec::Spec;
use cutover_core::table::Flags;
use cutover_core::units::{At, Count, Share, Span};
use cutover_judge::Look;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Changes whenever client and daemon would misunderstand each other.
pub const PROTOCOL: u32 = 2;

/// Release a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeployRequest {
    /// Of which app.
    pub subject: Subject,
    /// Which version.
    pub version: Version,
    /// The spec as read, overlays merged, command-line settings applied.
    pub spec: Spec,
    /// The folder that relative paths of the spec start from.
    pub base: PathBuf,
    /// Values of the variables named by `pass`.
    pub passed: BTreeMap<String, String>,
    /// What to do when another rollout holds the subject.
    pub conflict: Conflict,
    /// Turn back by itself unless a person confirms within this time that the release is good.
    #[serde(default)]
    pub confirm: Option<Span>,
    /// Why, in the words of whoever asks; at most 500 characters are kept.
    #[serde(default)]
    pub message: Option<String>,
}

/// What to do when another rollout holds the subject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Conflict {
    /// Refuse, naming the holder and its age.
    #[default]
    Refuse,
    /// Wait until it has ended.
    Wait,
    /// Take over: the last good release carries the traffic meanwhile.
    Supersede,
}

/// Go back to an earlier release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RollbackRequest {
    /// Of which app.
    pub subject: Subject,
    /// To the newest good release of this version; `None`: the last good one before the live one.
    pub to: Option<Version>,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// Change the share of users that a flag is on for, on the live release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RampRequest {
    /// Of which app.
    pub subject: Subject,
    /// Which flag.
    pub flag: FlagKey,
    /// The share that it ends with.
    pub to: Share,
    /// Shares on the way; none: those of the spec that lead there.
    #[serde(default)]
    pub steps: Vec<Share>,
    /// How long each share is held at least; none: as the spec says.
    #[serde(default)]
    pub bake: Option<Span>,
    /// Does a verdict have to pass at each share?
    #[serde(default)]
    pub judge: bool,
    /// Why, in the words of whoever asks; at most 500 characters are kept.
    #[serde(default)]
    pub message: Option<String>,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// The answer to a deploy or rollback.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Accepted {
    /// The very same release is live.
    NothingToDo {
        /// Which.
        live: ReleaseName,
    },
    /// A rollout began (or would begin, in a dry run); follow it by its events.
    Begun {
        /// Its number; 0 in a dry run.
        rollout: u64,
        /// Events from here on are its own: pass it as `after`.
        cursor: u64,
        /// The release it leads away from.
        from: Option<ReleaseName>,
        /// The release it leads to.
        to: ReleaseName,
        /// The plan.
        plan: Box<Plan>,
        /// The target size.
        n: Count,
        /// What the caller should know: a changed secret, settings that have no effect.
        warnings: Vec<String>,
    },
}

/// What a person asks of a running app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Give the approval, or end a hold for want of a verdict.
    Promote,
    /// Do not enter the next stage.
    Pause,
    /// Enter it again when its gates are open.
    Resume,
    /// Turn back.
    Abort {
        /// Even if nobody serves then.
        force: bool,
    },
    /// Another number of instances.
    Scale {
        /// How many.
        n: Count,
    },
    /// Say that the new release, which everybody gets now, is good.
    Confirm,
    /// End an experiment.
    Conclude {
        /// Which side is kept.
        keep: Keep,
    },
    /// Refuse new releases; what runs goes on, and ways back stay open.
    Freeze {
        /// Why.
        reason: String,
        /// For how long; `None`: until a person ends it.
        lasts: Option<Span>,
    },
    /// Allow new releases again.
    Unfreeze,
    /// Switch a flag off for everybody, and turn a rollout back that raises it.
    KillFlag {
        /// Which.
        flag: FlagKey,
        /// Why.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Undo that: the flag is what rest says.
    RestoreFlag {
        /// Which.
        flag: FlagKey,
        /// Why.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Begin the last rollout anew.
    Retry,
    /// Stop the app's instances and free its port.
    Down,
}

/// What an action did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Acted {
    /// The rollout it concerned, if one is live.
    pub rollout: Option<u64>,
    /// Events from here on tell what follows.
    pub cursor: u64,
    /// Could it be recorded? If not it was done all the same (an abort), and is recorded when the
    /// journal can be written again.
    pub recorded: bool,
}

/// One app as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AppStatus {
    /// Which app.
    pub subject: Subject,
    /// The target size.
    pub n: Count,
    /// Is the target another than the spec's, by `scale`?
    pub scaled: bool,
    /// Where users reach it.
    pub listen: Option<String>,
    /// Where the preview is reached.
    pub preview: Option<String>,
    /// The live release.
    pub live: Option<ReleaseName>,
    /// The release kept warm, and until when.
    pub standby: Option<(ReleaseName, At)>,
    /// The instances.
    pub instances: Vec<InstanceStatus>,
    /// Share per release in force, by release id.
    pub shares: BTreeMap<ReleaseId, Share>,
    /// Do requests wait, or see the notice page?
    pub held: bool,
    /// The feature flags that are on, in force.
    pub flags: Flags,
    /// Did the proxy say what is in force? Before it did, no flag seems to be on.
    #[serde(default)]
    pub routed: bool,
    /// The flags that were killed.
    #[serde(default)]
    pub killed: BTreeSet<FlagKey>,
    /// Are new releases refused?
    pub frozen: Option<Freeze>,
    /// The rollout that is live.
    pub rollout: Option<RolloutStatus>,
    /// What is wrong right now: the journal cannot be written, the proxy does not answer.
    pub troubles: Vec<String>,
}

/// One instance as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceStatus {
    /// Which.
    pub id: InstanceId,
    /// Of which release.
    pub release: ReleaseName,
    /// Where it is in its life.
    pub state: State,
    /// Since when.
    pub since: At,
    /// Where it listens.
    pub address: Option<String>,
    /// What is inside it.
    pub in_flight: InFlight,
    /// Does it get users' requests?
    pub serving: bool,
    /// How often it exited by itself, of late.
    pub exits: usize,
    /// Why it is not ready.
    pub detail: Option<String>,
}

/// A live rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RolloutStatus {
    /// Its number.
    pub number: u64,
    /// The candidate.
    pub to: ReleaseName,
    /// The plan.
    pub plan: Box<Plan>,
    /// When it began.
    pub begun: At,
    /// Who began it.
    pub actor: String,
    /// The stage it is in, from 0; `None` while it turns back.
    pub stage: Option<usize>,
    /// Whether that stage is reached.
    pub reached: bool,
    /// Since when that stage is aimed at.
    #[serde(default)]
    pub entered_at: Option<At>,
    /// Since when it is reached.
    #[serde(default)]
    pub reached_at: Option<At>,
    /// Whether a person said go in that stage.
    #[serde(default)]
    pub approved: bool,
    /// Why it turns back and what was seen, while it does.
    #[serde(default)]
    pub turned_back: Option<(Why, String)>,
    /// Whether it waits for a person.
    pub waiting: bool,
    /// Whether a person asked to wait.
    pub paused: bool,
    /// The last verdict and its reason.
    pub verdict: Option<(Verdict, String)>,
    /// Until when a person has to confirm that the release is good.
    pub confirm_until: Option<At>,
    /// What both sides of the stage are like so far.
    pub comparison: Option<Comparison>,
}

/// One rollout of the past or present.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryEntry {
    /// Its number.
    pub number: u64,
    /// Of which app.
    pub subject: Subject,
    /// Which pattern.
    pub pattern: Pattern,
    /// From which release.
    pub from: Option<ReleaseName>,
    /// To which.
    pub to: ReleaseName,
    /// The flag that it changed on the live release, and to what share, if it did nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<(FlagKey, Share)>,
    /// Who began it.
    pub actor: String,
    /// When it began.
    pub begun: At,
    /// When it ended.
    pub ended: Option<At>,
    /// How it ended; `None` while it is live or when it was superseded.
    pub outcome: Option<Outcome>,
    /// Did another rollout take over?
    pub superseded: bool,
    /// Was it begun by `cutover rollback`?
    #[serde(default)]
    pub rollback: bool,
    /// Is `to` live by it? An experiment that ended as planned leaves the old release live.
    #[serde(default)]
    pub went_live: bool,
    /// When it turned back, if it did.
    #[serde(default)]
    pub turned_back_at: Option<At>,
    /// Who asked to turn back, if a person did.
    #[serde(default)]
    pub aborted_by: Option<String>,
    /// The exit code of a command that waited for it; `None` while it goes on, and where that is
    /// lost.
    #[serde(default)]
    pub exit_code: Option<u8>,
    /// What the data plane counted meanwhile; `None` while it goes on, and where that is lost.
    pub counts: Option<Counters>,
    /// Do the counts miss a part of the rollout, because the daemon started anew meanwhile?
    #[serde(default)]
    pub counts_partial: bool,
    /// Why it was turned back.
    pub reason: Option<String>,
    /// Why it was begun, in the words of whoever did.
    #[serde(default)]
    pub message: Option<String>,
    /// What the judge saw at each of its stages; only where that is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judged: Vec<JudgedStage>,
}

/// What the judge saw at one stage of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JudgedStage {
    /// Which stage, from 0.
    pub stage: usize,
    /// The last verdict.
    pub verdict: Verdict,
    /// Why, in one line.
    pub reason: String,
    /// The last look at the comparison with the old release; `None` where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Look>,
    /// How the evidence grew, oldest first; thinned out.
    #[serde(default)]
    pub grown: Vec<Grown>,
}

/// Evidence at a time, as natural logarithms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Grown {
    /// When.
    pub at: At,
    /// That the candidate is not worse.
    pub log_not_worse: f64,
    /// That it is worse beyond the tolerance.
    pub log_beyond: f64,
}

/// What one stage of a rollout compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageComparison {
    /// The rollout's number.
    pub rollout: u64,
    /// Which stage, from 0.
    pub stage: usize,
    /// Is it still going on?
    pub live: bool,
    /// What it showed.
    pub comparison: Comparison,
}

/// The answer to a plan request; nothing is changed by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanAnswer {
    /// The live release.
    pub from: Option<ReleaseName>,
    /// The release it would lead to.
    pub to: ReleaseName,
    /// The target size.
    pub n: Count,
    /// Is the target another than the spec's, by `scale`?
    pub scaled: bool,
    /// The plan.
    pub plan: Box<Plan>,
}

/// The engine will not, or cannot; nothing was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// What kind: it decides the exit code.
    pub kind: RefusedKind,
    /// What failed and why.
    pub message: String,
    /// What is unchanged and what to do next.
    pub help: Option<String>,
}

impl Refused {
    /// The platform or the data plane cannot do it.
    #[must_use]
    pub fn preflight(error: &crate::ports::PlatformError) -> Refused {
        let unchanged = || Some("nothing was changed".to_owned());
        Refused {
            kind: RefusedKind::Preflight,
            message: crate::context::chain(error),
            help: error.help.clone().or_else(unchanged),
        }
    }
}

/// What kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RefusedKind {
    /// A bug or a failure inside: exit code 1.
    Internal,
    /// Wrong usage, an unknown version or app, or not in this build: exit code 2.
    Usage,
    /// The spec is invalid: exit code 3.
    Spec,
    /// A preflight check failed: exit code 4.
    Preflight,
    /// Another rollout holds the subject: exit code 8. Waiting for its end may help.
    Held,
    /// A freeze holds the subject: exit code 8.
    Frozen,
}
