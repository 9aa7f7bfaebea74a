//! Shadow: copies of requests to the new release, answers compared and thrown away.
//!
//! `old n, new part, all to old, mirror → new 0`, or another pattern instead of the end.

use std::time::Duration;

use super::course::{after_hooks, serving, settle};
use super::{Course, course_of};
use crate::plan::{Aside, Gate, Route, Size, Stage};
use crate::spec::{Shadow, Spec};
use crate::units::{Count, Share};

pub(super) fn course(shadow: &Shadow, spec: &Spec, n: Count, raised: bool) -> Course {
    let part = Size::Part(shadow.mirror.permille(), Share::FULL.permille());
    let length = shadow.length.0;
    let watch = match shadow.then {
        // What follows gives users the new release: its answers to copies have to be good.
        Some(_) => {
            let limit = length + length.max(Duration::from_secs(60));
            Gate::Judge { bake: length, limit }
        }
        None => Gate::Hold(length),
    };
    let gates = vec![Gate::Ready, watch];
    let mirror = Stage {
        aside: Aside::Mirror(shadow.mirror),
        ..Stage::new(Size::All, part, Route::split(Share::ZERO), gates)
    };
    let alone = Course::new(after_hooks(spec, vec![mirror]), serving(part, Size::Zero));
    match shadow.then {
        Some(next) => alone.then(course_of(next, spec, n, raised)),
        None => {
            let end = Stage::new(Size::All, Size::Zero, Route::split(Share::ZERO), settle(spec));
            let budget = alone.budget;
            alone.then(Course::new(vec![end], budget))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::patterns::Pattern;
    use crate::patterns::testing::{planned, printed};

    #[test]
    fn plan() {
        insta::assert_snapshot!(printed(Pattern::Shadow, ""));
        assert!(!planned(Pattern::Shadow, "").promotes(), "the old release stays live");
    }

    #[test]
    fn then_canary() {
        let settings = "patterns: { shadow: { mirror: 25%, then: canary } }";
        insta::assert_snapshot!(printed(Pattern::Shadow, settings));
        assert!(planned(Pattern::Shadow, settings).promotes());
    }
}
