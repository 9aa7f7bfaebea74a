//! Canary: a growing share of live traffic, judged at each step, with the old release at full size
//! until the end.
//!
//! `old n, new ⌈wn⌉, w % to new, verdict → … → all to new → old 0, settle`

use super::Course;
use super::course::{after_hooks, judge, serving, settle};
use crate::plan::{Gate, Route, Size, Stage};
use crate::spec::{Canary, Spec};
use crate::units::Share;

pub(super) fn course(canary: &Canary, spec: &Spec) -> Course {
    let sticky = canary.identity();
    let step = |share: &Share| {
        let route = Route::Split { candidate: *share, sticky: sticky.clone() };
        let size = Size::Part(share.permille(), Share::FULL.permille());
        Stage::new(Size::All, size, route, vec![Gate::Ready, judge(canary.bake)])
    };
    let mut stages: Vec<Stage> =
        canary.steps.iter().filter(|share| **share < Share::FULL).map(step).collect();
    // Users keep their side until the last one has moved.
    let all = Route::Split { candidate: Share::FULL, sticky };
    stages.push(Stage::new(Size::All, Size::All, all.clone(), vec![Gate::Ready]));
    stages.push(Stage::new(Size::Zero, Size::All, all, settle(spec)));
    Course::new(after_hooks(spec, stages), serving(Size::All, Size::Zero))
}

#[cfg(test)]
mod tests {
    use crate::patterns::Pattern;
    use crate::patterns::testing::printed;

    #[test]
    fn plan() {
        insta::assert_snapshot!(printed(Pattern::Canary, ""));
    }

    #[test]
    fn with_hooks() {
        let settings = "patterns: { canary: { steps: [10%], bake: 30s, sticky: cookie } }\n\
                        hooks: { after-ready: [{ run: [./smoke.sh] }] }";
        insta::assert_snapshot!(printed(Pattern::Canary, settings));
    }
}
