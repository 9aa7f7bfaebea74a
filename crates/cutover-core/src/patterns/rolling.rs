//! Rolling: replace batch by batch, with room above n (surge) or below it (in place).
//!
//! `new b, old n−b → new 2b, old n−2b → … → new n → settle`

use super::Course;
use super::course::{after_hooks, hooks_at_first, judge, serving, settle};
use crate::plan::{Gate, Route, Size, Stage};
use crate::spec::{Rolling, Spec};
use crate::units::Count;

pub(super) fn course(rolling: &Rolling, spec: &Spec, n: Count) -> Course {
    let batch = rolling.batch.max(1);
    let n = n.max(1);
    let batches = n.div_ceil(batch);
    let mut gates = vec![Gate::Ready];
    if !rolling.pause.0.is_zero() {
        let judged = spec.judge.is_some() && spec.listen.is_some();
        gates.push(if judged { judge(rolling.pause) } else { Gate::Hold(rolling.pause.0) });
    }
    let stage = |k: Count| {
        let done = (k * batch).min(n);
        let gates = if done == n { settle(spec) } else { gates.clone() };
        let size = if done == n { Size::All } else { Size::Part(done, n) };
        Stage::new(Size::Rest, size, Route::Even, gates)
    };
    let stages: Vec<Stage> = (1..=batches).map(stage).collect();
    let some = Size::Exactly(batch.min(n));
    if rolling.surge {
        Course::new(after_hooks(spec, stages), serving(some, Size::Zero))
    } else {
        Course::new(hooks_at_first(spec, stages), serving(Size::Zero, some))
    }
}

#[cfg(test)]
mod tests {
    use crate::patterns::Pattern;
    use crate::patterns::testing::printed;

    #[test]
    fn plan() {
        let settings = "patterns: { rolling: { batch: 2, pause: 30s } }";
        insta::assert_snapshot!(printed(Pattern::Rolling, settings));
    }

    #[test]
    fn judged_between_batches() {
        let settings = "patterns: { rolling: { batch: 2, pause: 30s } }\njudge: {}";
        insta::assert_snapshot!(printed(Pattern::Rolling, settings));
    }

    #[test]
    fn in_place() {
        let settings = "patterns: { rolling: { batch: 3, surge: false } }";
        insta::assert_snapshot!(printed(Pattern::Rolling, settings));
    }
}
