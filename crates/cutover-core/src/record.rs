//! Records: what the journal holds of one app, in the order it happened.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Base;
use crate::id::FlagKey;
use crate::plan::Plan;
use crate::units::{At, Count};

/// Enough evidence for, against, not enough, or none to be had; never a bool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Good enough to go on.
    Pass,
    /// Bad: turn back.
    Fail,
    /// Not enough evidence yet.
    Inconclusive,
    /// Could not look.
    Error,
}

/// Why a rollout turned back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A person asked.
    Aborted,
    /// Candidate instances exited too often.
    CrashLoop,
    /// A candidate instance was not ready in time, or stayed unready.
    NotReady,
    /// The stage was not reached in time.
    Deadline,
    /// The verdict was fail.
    Verdict,
    /// A hook failed, or it is unknown whether it did.
    Hook,
    /// Nobody answered in time.
    HeldTooLong,
    /// Nobody confirmed in time.
    Unconfirmed,
}

/// The side of an experiment that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The old release.
    A,
    /// The new one.
    B,
}

/// Rollouts are refused for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Freeze {
    /// Why.
    pub reason: String,
    /// Who wanted it.
    pub by: String,
    /// Since when.
    pub since: At,
    /// Until when; `None`: until a person ends it.
    #[serde(default)]
    pub until: Option<At>,
}

impl Freeze {
    /// Does it hold at this time?
    #[must_use]
    pub fn holds(&self, now: At) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// How a rollout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The plan's last stage was passed.
    Succeeded,
    /// Everything is as before.
    RolledBack(Why),
    /// The old release is back, but not all of its instances are ready.
    RolledBackDegraded(Why),
    /// Turning back itself did not end in time: a person must look. Convergence goes on.
    Stuck(Why),
}

/// One entry of an app's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// An engine started; hooks begun by earlier ones are lost.
    EngineStarted {
        /// Its number.
        epoch: u32,
    },
    /// A rollout began; one that was live is superseded, and rest stays what it was.
    Begun(Box<Plan>),
    /// The stage's sizes and route are there.
    Reached {
        /// Which stage.
        stage: usize,
    },
    /// All gates are open; the next stage is entered.
    Passed {
        /// Which stage.
        stage: usize,
    },
    /// The verdict changed.
    Judged {
        /// Which stage.
        stage: usize,
        /// To what.
        verdict: Verdict,
    },
    /// A person said go.
    Approved {
        /// Which stage.
        stage: usize,
    },
    /// A person ended an experiment.
    Concluded {
        /// Which stage.
        stage: usize,
        /// Which side is kept.
        keep: Keep,
    },
    /// A person confirmed that the new release is good.
    Confirmed,
    /// A hook is about to run.
    HookStarted {
        /// Which stage.
        stage: usize,
        /// Which hook of the stage.
        hook: u32,
    },
    /// A hook ended.
    HookEnded {
        /// Which stage.
        stage: usize,
        /// Which hook of the stage.
        hook: u32,
        /// With success?
        ok: bool,
    },
    /// A person asked to wait before the next stage.
    Paused,
    /// A person asked to go on.
    Resumed,
    /// A person asked to turn back. `force` also gives up the last server of a dead stable.
    AbortRequested {
        /// Even if nobody serves then.
        force: bool,
    },
    /// The target size changed.
    Scaled {
        /// The new n.
        n: Count,
        /// By the spec of the live release, not by a person?
        #[serde(default)]
        by_spec: bool,
    },
    /// No verdict in time: a person is asked.
    Holding {
        /// Which stage.
        stage: usize,
    },
    /// The rollout turned back.
    TurnedBack(Why),
    /// The rollout ended.
    Finished(Outcome),
    /// The app is taken down: no release is live.
    Down,
    /// New releases are refused from now on; ways back are not.
    Frozen(Freeze),
    /// ... no longer.
    Unfrozen,
    /// A flag is off for everybody from now on, in whatever rollout.
    FlagKilled {
        /// Which.
        flag: FlagKey,
    },
    /// ... no longer.
    FlagRestored {
        /// Which.
        flag: FlagKey,
    },
    /// What earlier records came to that were pruned; always the first one.
    Base(Box<Base>),
}
