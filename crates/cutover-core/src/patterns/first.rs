//! A first release has no old side: start all, become ready, take the traffic, settle. Weights,
//! verdicts and approvals of the pattern have nothing to be compared with and are skipped.

use super::Course;
use super::course::settle;
use crate::plan::{Budget, Downtime, Route, Size, Stage};
use crate::spec::Spec;
use crate::units::Share;

pub(super) fn course(spec: &Spec) -> Course {
    let route = Route::split(Share::FULL);
    let stages = vec![Stage::new(Size::Zero, Size::All, route, settle(spec))];
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
