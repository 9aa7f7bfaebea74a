//! Plans: the ordered stages of one rollout, fixed and printable before anything happens.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{FlagKey, ReleaseId};
use crate::patterns::Pattern;
pub use crate::route::{Aside, MatchRule, Route, Sticky};
use crate::spec::{Against, Guard};
use crate::table::{Flags, Raised};
use crate::units::{At, Count, Share};

/// How many instances a stage wants, always as a function of the target n, so that scaling in the
/// middle of a rollout never rewrites a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    /// None.
    Zero,
    /// n.
    All,
    /// ceil(n · a / b), at most n.
    Part(u32, u32),
    /// This many, whatever n is.
    Exactly(Count),
    /// n less the candidate's size; has a meaning for the stable side only.
    Rest,
}

impl Size {
    /// The number of instances for target `n`, with `other` on the other side.
    #[must_use]
    pub fn of(self, n: Count, other: Count) -> Count {
        match self {
            Size::Zero => 0,
            Size::All => n,
            Size::Part(_, 0) => n,
            Size::Part(a, b) => {
                let exact = (u64::from(n) * u64::from(a)).div_ceil(u64::from(b));
                u32::try_from(exact).unwrap_or(u32::MAX).min(n)
            }
            Size::Exactly(k) => k,
            Size::Rest => n.saturating_sub(other),
        }
    }
}

/// The sizes of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sizes {
    /// Of the release that was live when the rollout began.
    pub stable: Size,
    /// Of the release being rolled out.
    pub candidate: Size,
}

impl Sizes {
    /// (stable, candidate) for target `n`.
    #[must_use]
    pub fn of(self, n: Count) -> (Count, Count) {
        let candidate = self.candidate.of(n, 0);
        (self.stable.of(n, candidate), candidate)
    }
}

/// May there be moments in which nobody serves?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Downtime {
    /// Never.
    Never,
    /// Yes: requests are held or answered by the notice page.
    Allowed,
}

/// How far the number of instances may leave n, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Budget {
    /// Instances above n.
    pub surge: Size,
    /// Instances below n.
    pub unavailable: Size,
    /// Whether nobody may serve for a while.
    pub downtime: Downtime,
}

/// A budget in numbers for one n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Never more instances than this, stopping ones included.
    pub ceiling: Count,
    /// The capacity that is kept in service: n less the unavailable ones.
    pub floor: Count,
}

impl Budget {
    /// The bounds for target `n`; always leaves one move possible.
    ///
    /// With no downtime allowed one instance is always kept, however `n` was scaled: a batch of at
    /// least n would otherwise silently allow full downtime.
    #[must_use]
    pub fn bounds(self, n: Count) -> Bounds {
        let mut surge = self.surge.of(n, 0);
        let mut away = self.unavailable.of(n, 0).min(n);
        if self.downtime == Downtime::Never {
            away = away.min(n.saturating_sub(1));
        }
        if surge + away == 0 {
            surge = 1;
        }
        Bounds { ceiling: n.saturating_add(surge), floor: n - away }
    }
}

/// What must hold before leaving a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// The stage is (still) reached.
    Ready,
    /// This long since the stage was reached.
    Hold(
        #[schemars(with = "u64")]
        #[serde(with = "millis")]
        Duration,
    ),
    /// The verdict is pass, `bake` after the stage was reached at the earliest. Without one by
    /// `limit`, the rollout holds and asks a person.
    Judge {
        /// Shortest time of collecting evidence.
        #[schemars(with = "u64")]
        #[serde(with = "millis")]
        bake: Duration,
        /// Longest time without a verdict before a person is asked.
        #[schemars(with = "u64")]
        #[serde(with = "millis")]
        limit: Duration,
    },
    /// A person says go (`cutover promote`).
    Approval,
    /// An experiment: a person concludes it (`cutover experiment conclude`), or this long.
    Conclude(
        #[schemars(with = "u64")]
        #[serde(with = "millis")]
        Duration,
    ),
    /// A person confirms (`cutover confirm`) within this time; else the rollout turns back.
    Confirm(
        #[schemars(with = "u64")]
        #[serde(with = "millis")]
        Duration,
    ),
    /// The hooks `after-ready` have all succeeded.
    Hooks,
}

/// A point to reach and hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// How many instances of each side.
    pub sizes: Sizes,
    /// How live requests are shared.
    pub route: Route,
    /// What goes to the candidate beside.
    #[serde(default)]
    pub aside: Aside,
    /// The share of the plan's flag; `None` leaves the flag as rest has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<Share>,
    /// What must hold before the next stage, in this order.
    pub gates: Vec<Gate>,
    /// A budget other than the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

impl Stage {
    /// A stage with nothing beside and the plan's own flag and budget.
    #[must_use]
    pub fn new(stable: Size, candidate: Size, route: Route, gates: Vec<Gate>) -> Stage {
        let sizes = Sizes { stable, candidate };
        Stage { sizes, route, aside: Aside::Nothing, flag: None, gates, budget: None }
    }
    /// Does a verdict have to pass before it is left?
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.gates.iter().any(|gate| matches!(gate, Gate::Judge { .. }))
    }
    /// The time within which a person has to confirm, once the stage is reached.
    #[must_use]
    pub fn confirm_limit(&self) -> Option<Duration> {
        self.gates.iter().find_map(|gate| match gate {
            Gate::Confirm(limit) => Some(*limit),
            Gate::Ready
            | Gate::Hold(_)
            | Gate::Judge { .. }
            | Gate::Approval
            | Gate::Conclude(_)
            | Gate::Hooks => None,
        })
    }
}

/// What the app is when nothing is going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rest {
    /// The release that serves.
    pub live: ReleaseId,
    /// A release kept warm until a time, for an instant way back.
    pub standby: Option<Standby>,
    /// The flags that are on.
    #[serde(default, skip_serializing_if = "Flags::is_empty")]
    pub flags: Flags,
}

impl Rest {
    /// A live release, and nothing else.
    #[must_use]
    pub fn of(live: ReleaseId) -> Rest {
        Rest { live, standby: None, flags: Flags::new() }
    }
}

/// A release kept warm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Standby {
    /// Which.
    pub release: ReleaseId,
    /// Until when.
    pub until: At,
}

/// How long and how often things may go wrong before the rollout turns back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Patience {
    /// From an instance's start to its being ready.
    #[schemars(with = "u64")]
    #[serde(with = "millis")]
    pub ready: Duration,
    /// For an instance that was ready and is no longer.
    #[schemars(with = "u64")]
    #[serde(with = "millis")]
    pub lost: Duration,
    /// From entering a stage to reaching it.
    #[schemars(with = "u64")]
    #[serde(with = "millis")]
    pub stage: Duration,
    /// For holds and approvals that wait for a person.
    #[schemars(with = "u64")]
    #[serde(with = "millis")]
    pub held: Duration,
    /// Exits of candidate instances since the rollout began.
    pub exits: u32,
    /// For requests in flight, once an instance is off the route.
    #[schemars(with = "u64")]
    #[serde(with = "millis")]
    pub drain: Duration,
    /// For upgraded connections (WebSockets), likewise.
    #[schemars(with = "u64")]
    #[serde(with = "millis")]
    pub upgraded: Duration,
}

/// What to do when the candidate is found bad.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Bring the old release back.
    #[default]
    Rollback,
    /// Keep everything as it is and ask a person.
    Hold,
}

/// The ordered stages of one rollout and everything that was decided before it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The pattern it was made by.
    pub pattern: Pattern,
    /// Where turning back leads; `None` for a first release.
    pub before: Option<Rest>,
    /// Does it lead back to an earlier release (`cutover rollback`)?
    #[serde(default)]
    pub back: bool,
    /// The release being rolled out.
    pub candidate: ReleaseId,
    /// The target size from its begin on.
    pub n: Count,
    /// The size that the candidate's spec asks for; another one is by `scale`.
    pub spec_n: Count,
    /// How far instance counts may leave n.
    pub budget: Budget,
    /// The stages, at least one.
    pub stages: Vec<Stage>,
    /// How long the old release stays warm afterwards.
    #[schemars(with = "u64")]
    #[serde(with = "millis")]
    pub keep: Duration,
    /// When to give up.
    pub patience: Patience,
    /// Absolute bounds that turn the rollout back whenever they are broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    /// How much worse than stable the candidate may be, where both are seen side by side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
    /// What a bad candidate leads to.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// How many `after-ready` hooks there are.
    #[serde(default)]
    pub hooks: u32,
    /// The flag that its stages raise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<FlagKey>,
    /// The stages that follow an experiment whose candidate is kept, instead of those that follow
    /// otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub winner: Vec<Stage>,
    /// Why it was begun, in the words of whoever did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Plan {
    /// The release that is live when turning back is done.
    #[must_use]
    pub fn stable(&self) -> Option<ReleaseId> {
        self.before.as_ref().map(|rest| rest.live)
    }
    /// The flags while `stage` is aimed at: those of rest that the candidate knows, and its own.
    #[must_use]
    pub fn flags_at(&self, stage: &Stage) -> Flags {
        let before = self.before.iter().flat_map(|rest| &rest.flags);
        let known = before.filter(|(_, raised)| raised.by <= self.candidate);
        let mut flags: Flags = known.map(|(key, raised)| (key.clone(), *raised)).collect();
        if let (Some(key), Some(share)) = (&self.flag, stage.flag) {
            let by = flags.remove(key).map_or(self.candidate, |raised| raised.by);
            if share > Share::ZERO {
                flags.insert(key.clone(), Raised { share, by });
            }
        }
        flags
    }
    /// Does it only change a flag? The release that it leads to is the live one then, and no
    /// instance is touched.
    #[must_use]
    pub fn is_ramp(&self) -> bool {
        self.flag.is_some() && self.stable() == Some(self.candidate)
    }
    /// The flag that a ramp changes, and the share that it ends with.
    #[must_use]
    pub fn ramped(&self) -> Option<(FlagKey, Share)> {
        let key = self.flag.clone().filter(|_| self.is_ramp())?;
        Some((key, self.stages.last()?.flag?))
    }
    /// Is this stage an experiment, which a person may conclude?
    #[must_use]
    pub fn is_experiment(&self, stage: usize) -> bool {
        let gates = self.stages.get(stage).map(|stage| stage.gates.as_slice());
        gates.is_some_and(|gates| gates.iter().any(|gate| matches!(gate, Gate::Conclude(_))))
    }
    /// Which stage the first of [`Plan::winner`] would be; `None` without an experiment that is
    /// still open.
    #[must_use]
    pub fn first_of_winner(&self) -> Option<usize> {
        let place = (0..self.stages.len()).find(|stage| self.is_experiment(*stage))?;
        (!self.winner.is_empty()).then_some(place + 1)
    }
    /// Asks for a confirmation within this time once the candidate has all traffic: without one
    /// the rollout turns back by itself.
    pub fn confirm_within(&mut self, limit: Duration) {
        if let Some(last) = self.stages.last_mut() {
            last.gates.push(Gate::Confirm(limit));
        }
    }
    /// The time within which a person has to confirm.
    #[must_use]
    pub fn confirms_within(&self) -> Option<Duration> {
        self.stages.last()?.confirm_limit()
    }
    /// Is the candidate live when the plan ends well? (An experiment or a shadow alone ends with
    /// the old one.)
    #[must_use]
    pub fn promotes(&self) -> bool {
        self.stages.last().is_some_and(|stage| stage.sizes.candidate != Size::Zero)
    }
}

/// Durations as whole milliseconds.
pub(crate) mod millis {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(crate) fn serialize<S: Serializer>(span: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        Ok(Duration::from_millis(u64::deserialize(d)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_larger_than_n_still_keeps_one_server() {
        let budget =
            Budget { surge: Size::Zero, unavailable: Size::Exactly(5), downtime: Downtime::Never };
        assert_eq!(budget.bounds(3), Bounds { ceiling: 3, floor: 1 });
        assert_eq!(budget.bounds(1), Bounds { ceiling: 2, floor: 1 });
    }

    #[test]
    fn sizes_are_functions_of_n() {
        let sizes = Sizes { stable: Size::Rest, candidate: Size::Part(1, 4) };
        assert_eq!(sizes.of(4), (3, 1));
        assert_eq!(sizes.of(5), (3, 2));
        assert_eq!(sizes.of(0), (0, 0));
    }
}
