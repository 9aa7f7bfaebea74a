//! Big bang: stop the old release, start the new one.
//!
//! `hold users → old 0 → new n, held until ready → all to new → settle`

use super::Course;
use super::course::settle;
use crate::plan::{Budget, Downtime, Gate, Route, Size, Stage};
use crate::spec::Spec;
use crate::units::Share;

pub(super) fn course(spec: &Spec) -> Course {
    use Size::{All, Zero};
    let mut ready = vec![Gate::Ready];
    if !spec.hooks.after_ready.is_empty() {
        ready.push(Gate::Hooks);
    }
    let stages = vec![
        Stage::new(All, Zero, Route::Held, vec![]),
        Stage::new(Zero, Zero, Route::Held, vec![]),
        Stage::new(Zero, All, Route::Held, ready),
        Stage::new(Zero, All, Route::split(Share::FULL), settle(spec)),
    ];
    let budget = Budget { surge: Zero, unavailable: All, downtime: Downtime::Allowed };
    Course::new(stages, budget)
}

#[cfg(test)]
mod tests {
    use crate::patterns::Pattern;
    use crate::patterns::testing::printed;

    #[test]
    fn plan() {
        insta::assert_snapshot!(printed(Pattern::BigBang, ""));
    }
}
