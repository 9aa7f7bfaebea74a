//! Events: what clients are told, in order. Text exists only in renderers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use cutover_judge::Look;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::comparison::Comparison;
use crate::dataplane::Counters;
use crate::id::{FlagKey, InstanceId, ReleaseId, Subject};
use crate::observed::State;
use crate::patterns::Pattern;
use crate::plan::Plan;
use crate::record::{Freeze, Keep, Outcome, Verdict, Why};
use crate::release::ReleaseName;
use crate::units::{At, Count, Share};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Grows by at least one from event to event, over all subjects and daemon starts; a client
    /// that reconnects passes the last one it saw.
    pub index: u64,
    /// When.
    pub at: At,
    /// Of which app.
    pub subject: Subject,
    /// Number of the rollout it belongs to; `None` outside of rollouts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<u64>,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum EventKind {
    /// A rollout began.
    RolloutBegun {
        /// The live release, if there is one.
        from: Option<ReleaseName>,
        /// The candidate.
        to: ReleaseName,
        /// By which pattern.
        pattern: Pattern,
        /// The target size.
        n: Count,
        /// The whole plan.
        plan: Box<Plan>,
        /// Who asked.
        actor: String,
        /// Is it a rollback?
        rollback: bool,
    },
    /// A stage was entered.
    StageEntered {
        /// Which, from 0.
        stage: usize,
    },
    /// A stage's sizes and route are there.
    StageReached {
        /// Which, from 0.
        stage: usize,
    },
    /// An instance changed its state.
    Instance {
        /// Which.
        instance: InstanceId,
        /// Of which release.
        release: ReleaseName,
        /// To what; `None` when it is gone.
        state: Option<State>,
        /// Where it listens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<SocketAddr>,
        /// Why, in one line: last probe, exit code, last log line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// A new table is in force.
    Routed {
        /// Share per release.
        shares: BTreeMap<ReleaseId, Share>,
        /// Requests wait, or see the notice page.
        held: bool,
        /// Where the preview is reached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        preview: Option<SocketAddr>,
        /// Flags whose share changed, and to what.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        flags: BTreeMap<FlagKey, Share>,
    },
    /// The judge looked and came to another verdict, or it is a while since it said so.
    Judged {
        /// At which stage.
        stage: usize,
        /// The verdict.
        verdict: Verdict,
        /// Why, in one line.
        reason: String,
        /// What the comparison with stable shows, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Look>>,
    },
    /// A hook began.
    HookStarted {
        /// What runs.
        what: String,
    },
    /// A hook ended.
    HookEnded {
        /// What ran.
        what: String,
        /// With success?
        ok: bool,
        /// Status and last lines of output.
        detail: String,
    },
    /// The rollout waits for a person.
    Waiting {
        /// At which stage.
        stage: usize,
        /// For an approval that the plan asks for (true), or for want of a verdict (false).
        approval: bool,
    },
    /// Everybody gets the new release, and a person has to confirm that it is good.
    Unconfirmed {
        /// At which stage.
        stage: usize,
        /// Until when; then the rollout turns back.
        until: At,
    },
    /// A person confirmed.
    Confirmed {
        /// Who.
        actor: String,
    },
    /// A person ended an experiment.
    Concluded {
        /// Which side is kept.
        keep: Keep,
        /// Who.
        actor: String,
        /// The plan from here on.
        plan: Box<Plan>,
    },
    /// What a shadow, an experiment or a flag ramp showed in a stage that is over.
    Compared {
        /// Which stage.
        stage: usize,
        /// What it showed.
        comparison: Box<Comparison>,
    },
    /// New releases are refused from now on.
    Frozen(Freeze),
    /// ... no longer.
    Unfrozen {
        /// Who ended it.
        actor: String,
    },
    /// A flag is off for everybody from now on, whatever rollouts say.
    FlagKilled {
        /// Which.
        flag: FlagKey,
        /// Who.
        actor: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// ... no longer.
    FlagRestored {
        /// Which.
        flag: FlagKey,
        /// Who.
        actor: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A person said go.
    Approved {
        /// Who.
        actor: String,
    },
    /// A person asked to wait.
    Paused {
        /// Who.
        actor: String,
    },
    /// A person asked to go on.
    Resumed {
        /// Who.
        actor: String,
    },
    /// A person asked to turn back.
    AbortRequested {
        /// Who.
        actor: String,
    },
    /// The target size changed.
    Scaled {
        /// The new n.
        n: Count,
        /// Who.
        actor: String,
    },
    /// The rollout turns back.
    TurnedBack {
        /// Why.
        why: Why,
        /// What was seen, over several lines: last probe, exit code, last log lines.
        detail: String,
    },
    /// Another rollout took over.
    Superseded {
        /// By which.
        by: u64,
    },
    /// The rollout ended.
    RolloutFinished {
        /// How.
        outcome: Outcome,
        /// The release that is live now.
        live: Option<ReleaseName>,
        /// Is it the candidate's? An experiment or a shadow alone may end well with the old one.
        #[serde(default)]
        promoted: bool,
        /// Did the candidate get a user's request?
        exposed: bool,
        /// From begin to end.
        milliseconds: u64,
        /// What the data plane counted meanwhile.
        counts: Counters,
        /// Do the counts miss a part, because proxy or daemon were away for too long?
        #[serde(default)]
        partial: bool,
        /// The same, the candidate's part.
        candidate: Counters,
        /// Time in which nobody served.
        down_milliseconds: u64,
        /// The exit code of a command that waited for it.
        exit_code: u8,
        /// Why, where it was turned back: one or more lines.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The app was taken down.
    Down {
        /// Who.
        actor: String,
    },
    /// Something is wrong and Cutover goes on.
    Warning {
        /// What.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_by_release_and_instance_survive_the_wire() {
        let shares = BTreeMap::from([(ReleaseId(2), Share::from_permille(250))]);
        let flags = BTreeMap::from([("new".parse().unwrap(), Share::FULL)]);
        let kind = EventKind::Routed { shares, held: false, preview: None, flags };
        let subject = "shop".parse().unwrap();
        let event = Event { index: 1, at: At(2), subject, rollout: Some(3), kind };
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
    }
}
