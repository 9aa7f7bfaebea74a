//! The way of one pattern: stages, budget, what is kept; and the pieces that patterns share.

use std::time::Duration;

use crate::id::FlagKey;
use crate::plan::{Aside, Budget, Downtime, Gate, Route, Size, Sizes, Stage};
use crate::spec::Spec;
use crate::units::{Share, Span};

/// The way of one pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// The stages.
    pub stages: Vec<Stage>,
    /// How far instance counts may leave n.
    pub budget: Budget,
    /// How long the old release stays warm afterwards.
    pub keep: Duration,
    /// The flag that the stages raise.
    pub flag: Option<FlagKey>,
    /// The stages that follow an experiment whose candidate is kept.
    pub winner: Vec<Stage>,
}

impl Course {
    /// A course that keeps nothing.
    pub(super) fn new(stages: Vec<Stage>, budget: Budget) -> Course {
        Course { stages, budget, keep: Duration::ZERO, flag: None, winner: vec![] }
    }
    /// This course, and another one after it.
    pub(super) fn then(mut self, next: Course) -> Course {
        for stage in &mut self.stages {
            stage.budget = stage.budget.or(Some(self.budget));
        }
        self.stages.extend(next.stages);
        Course { stages: self.stages, ..next }
    }
}

/// A budget that never lets everybody be away.
pub(super) fn serving(surge: Size, unavailable: Size) -> Budget {
    Budget { surge, unavailable, downtime: Downtime::Never }
}

/// The gates of the last stage of every plan: the release must stay healthy for a while.
pub(super) fn settle(spec: &Spec) -> Vec<Gate> {
    let settle = spec.health.clone().unwrap_or_default().settle.0;
    vec![Gate::Ready, Gate::Hold(settle)]
}

/// A verdict after `bake`. Where traffic is too thin for one, a person is asked after five times
/// that, a minute at least.
pub(super) fn judge(bake: Span) -> Gate {
    Gate::Judge { bake: bake.0, limit: (5 * bake.0).max(Duration::from_secs(60)) }
}

/// With hooks `after-ready`: a stage before `stages` in which the first candidates are up and get
/// no user's request.
pub(super) fn after_hooks(spec: &Spec, stages: Vec<Stage>) -> Vec<Stage> {
    let first = stages.first().map_or(Size::All, |stage| stage.sizes.candidate);
    if spec.hooks.after_ready.is_empty() {
        return stages;
    }
    if spec.listen.is_none() {
        return hooks_at_first(spec, stages);
    }
    let gates = vec![Gate::Ready, Gate::Hooks];
    let aside = Stage {
        aside: Aside::Preview,
        // Room for them whatever n becomes.
        budget: Some(serving(first, Size::Zero)),
        sizes: Sizes { stable: Size::All, candidate: first },
        ..Stage::new(Size::All, first, Route::split(Share::ZERO), gates)
    };
    std::iter::once(aside).chain(stages).collect()
}

/// With hooks `after-ready`, where there is no room for a stage of their own: at the first stage.
pub(super) fn hooks_at_first(spec: &Spec, mut stages: Vec<Stage>) -> Vec<Stage> {
    if let Some(first) = stages.first_mut().filter(|_| !spec.hooks.after_ready.is_empty()) {
        let place =
            first.gates.iter().position(|gate| *gate != Gate::Ready).unwrap_or(first.gates.len());
        first.gates.insert(place, Gate::Hooks);
    }
    stages
}

/// Back to an earlier release at once: start what is missing, switch, stop the other.
pub(super) fn straight_back(spec: &Spec) -> Course {
    let to_it = || Route::split(Share::FULL);
    let stages = vec![
        Stage::new(Size::All, Size::All, to_it(), vec![Gate::Ready]),
        Stage::new(Size::Zero, Size::All, to_it(), settle(spec)),
    ];
    Course::new(stages, serving(Size::All, Size::Zero))
}
