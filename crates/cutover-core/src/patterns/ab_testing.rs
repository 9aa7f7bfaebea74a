//! A/B testing: two versions for two groups of users, for the length of an experiment.
//!
//! `old n, new part, rules and sticky split → new 0`, or `→ all to new` if a person keeps the new.

use super::Course;
use super::course::{after_hooks, serving, settle};
use crate::plan::{Gate, Route, Size, Stage};
use crate::spec::{AbTesting, Spec};
use crate::units::Share;

pub(super) fn course(ab: &AbTesting, spec: &Spec) -> Course {
    let sticky = ab.identity();
    let route = match ab.rules.as_slice() {
        [] => Route::Split { candidate: ab.split, sticky: sticky.clone() },
        rules => Route::Match { rules: rules.to_vec(), share: ab.split, sticky: sticky.clone() },
    };
    // With rules alone the share is unknown: one instance at least.
    let part = if ab.split == Share::ZERO {
        Size::Exactly(1)
    } else {
        Size::Part(ab.split.permille(), Share::FULL.permille())
    };
    let gates = vec![Gate::Ready, Gate::Conclude(ab.length.0)];
    let experiment = Stage::new(Size::All, part, route.clone(), gates);
    let end = Stage::new(Size::All, Size::Zero, Route::split(Share::ZERO), settle(spec));
    // Users keep their side until the last one has moved.
    let all = Route::Split { candidate: Share::FULL, sticky };
    let mut winner = vec![
        Stage::new(Size::All, Size::All, route, vec![Gate::Ready]),
        Stage::new(Size::All, Size::All, all.clone(), vec![Gate::Ready]),
        Stage::new(Size::Zero, Size::All, all, settle(spec)),
    ];
    for stage in &mut winner {
        stage.budget = Some(serving(Size::All, Size::Zero));
    }
    let stages = after_hooks(spec, vec![experiment, end]);
    Course { winner, ..Course::new(stages, serving(part, Size::Zero)) }
}

#[cfg(test)]
mod tests {
    use crate::patterns::Pattern;
    use crate::patterns::testing::{planned, printed};

    #[test]
    fn plan() {
        let settings = "patterns: { ab-testing: { match: { header: { x-beta: '1' } } } }";
        insta::assert_snapshot!(printed(Pattern::AbTesting, settings));
    }

    #[test]
    fn several_rules_by_header() {
        let settings = "patterns: { ab-testing: { split: 0%, sticky: header, header: x-user, \
                        match: [{ path: /beta }, { cookie: { team: red }, query: { b: '1' } }] } }";
        let plan = planned(Pattern::AbTesting, settings);
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<crate::plan::Plan>(&text).unwrap(), plan);
        insta::assert_snapshot!(printed(Pattern::AbTesting, settings));
    }
}
