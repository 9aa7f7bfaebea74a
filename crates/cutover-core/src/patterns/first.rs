//! A first release has no old side: start all, become ready, take the traffic, settle. Weights,
//! verdicts and approvals of the pattern have nothing to be compared with and are skipped.

use super::Course;
use super::course::{after_hooks, settle};
use crate::plan::{Budget, Downtime, Gate, Route, Size, Stage};
use crate::spec::Spec;
use crate::units::Share;

pub(super) fn course(spec: &Spec) -> Course {
    let all = Stage::new(Size::Zero, Size::All, Route::split(Share::FULL), settle(spec));
    let mut stages = after_hooks(spec, vec![all]);
    if let Some(hooks) = stages.first_mut().filter(|stage| stage.gates.contains(&Gate::Hooks)) {
        // There is no old side.
        hooks.sizes.stable = Size::Zero;
        hooks.budget = None;
    }
    let budget = Budget { surge: Size::Zero, unavailable: Size::All, downtime: Downtime::Allowed };
    Course::new(stages, budget)
}

#[cfg(test)]
mod tests {
    use crate::id::ReleaseId;
    use crate::patterns::testing::{name, spec};
    use crate::patterns::{Making, Pattern, plan};

    #[test]
    fn printed() {
        let spec = spec("");
        let making = Making { spec: &spec, n: 4, before: None, candidate: ReleaseId(2) };
        let plan = plan(Pattern::Canary, making);
        insta::assert_snapshot!(crate::print::plan(&plan, 4, None, &name(2)));
    }
}
