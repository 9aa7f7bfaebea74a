//! Blue-green: two full sets, one switch, the old set kept warm for an instant way back.
//!
//! `old n, new n, preview (hooks, approval) → all to new, soak → settle; old stays warm`

use super::Course;
use super::course::{judge, serving, settle};
use crate::plan::{Aside, Gate, Route, Size, Stage};
use crate::spec::{BlueGreen, Spec};
use crate::units::Share;

pub(super) fn course(settings: &BlueGreen, spec: &Spec) -> Course {
    let mut gates = vec![Gate::Ready];
    if !spec.hooks.after_ready.is_empty() {
        gates.push(Gate::Hooks);
    }
    if settings.approve {
        gates.push(Gate::Approval);
    }
    let preview = Stage {
        aside: Aside::Preview,
        ..Stage::new(Size::All, Size::All, Route::split(Share::ZERO), gates)
    };
    let watch =
        if spec.judge.is_some() { judge(settings.soak) } else { Gate::Hold(settings.soak.0) };
    let to_new = |gates| Stage::new(Size::All, Size::All, Route::split(Share::FULL), gates);
    let stages = vec![preview, to_new(vec![Gate::Ready, watch]), to_new(settle(spec))];
    Course { keep: settings.keep.0, ..Course::new(stages, serving(Size::All, Size::Zero)) }
}

#[cfg(test)]
mod tests {
    use crate::patterns::Pattern;
    use crate::patterns::testing::printed;

    #[test]
    fn plan() {
        insta::assert_snapshot!(printed(Pattern::BlueGreen, ""));
    }

    #[test]
    fn with_hooks_approval_and_judge() {
        let settings = "patterns: { blue-green: { approve: true, soak: 1m, keep: 0s } }\n\
                        judge: {}\nhooks: { after-ready: [{ run: [./smoke.sh] }] }";
        insta::assert_snapshot!(printed(Pattern::BlueGreen, settings));
    }
}
