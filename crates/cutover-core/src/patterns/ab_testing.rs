//! A/B testing: two versions for two groups of users, for the length of an experiment.
//!
//! `old n, new part, rules and sticky split → new 0`; who wins is a person's decision.

use super::Course;
use super::course::{after_hooks, serving, settle};
use crate::plan::{Gate, Route, Size, Stage, Sticky};
use crate::spec::{AbTesting, Spec};
use crate::units::Share;

pub(super) fn course(ab: &AbTesting, spec: &Spec) -> Course {
    let sticky = Sticky::Cookie;
    let route = match &ab.rule {
        None => Route::Split { candidate: ab.split, sticky },
        Some(rule) => Route::Match { rules: vec![rule.clone()], share: ab.split, sticky },
    };
    // With rules alone the share is unknown: one instance at least.
    let part = if ab.split == Share::ZERO {
        Size::Exactly(1)
    } else {
        Size::Part(ab.split.permille(), Share::FULL.permille())
    };
    let gates = vec![Gate::Ready, Gate::Hold(ab.length.0)];
    let experiment = Stage::new(Size::All, part, route, gates);
    let end = Stage::new(Size::All, Size::Zero, Route::split(Share::ZERO), settle(spec));
    Course::new(after_hooks(spec, vec![experiment, end]), serving(part, Size::Zero))
}

#[cfg(test)]
mod tests {
    use crate::patterns::Pattern;
    use crate::patterns::testing::printed;

    #[test]
    fn plan() {
        let settings = "patterns: { ab-testing: { match: { header: { x-beta: '1' } } } }";
        insta::assert_snapshot!(printed(Pattern::AbTesting, settings));
    }
}
