//! Feature flag: the new release everywhere with the flag off, then the flag for a growing share.
//!
//! `rolling with flag 0 % → flag w %, verdict → … → flag 100 %, settle`

use super::course::{judge, settle};
use super::{Course, rolling};
use crate::plan::{Gate, Route, Size, Stage};
use crate::spec::{FeatureFlag, Rolling, Spec};
use crate::units::{Count, Share};

pub(super) fn course(flag: &FeatureFlag, rolling: &Rolling, spec: &Spec, n: Count) -> Course {
    let mut off = rolling::course(rolling, spec, n);
    for stage in &mut off.stages {
        stage.flag = Some(Share::ZERO);
    }
    let ramp = |share: Share, gates: Vec<Gate>| Stage {
        flag: Some(share),
        ..Stage::new(Size::Zero, Size::All, Route::Even, gates)
    };
    let mut stages: Vec<Stage> = flag
        .steps
        .iter()
        .filter(|share| **share < Share::FULL)
        .map(|share| ramp(*share, vec![Gate::Ready, judge(flag.bake)]))
        .collect();
    stages.push(ramp(Share::FULL, settle(spec)));
    let budget = off.budget;
    let course = off.then(Course::new(stages, budget));
    Course { flag: flag.flag.clone(), ..course }
}

#[cfg(test)]
mod tests {
    use crate::patterns::Pattern;
    use crate::patterns::testing::printed;

    #[test]
    fn plan() {
        let settings = "patterns: { rolling: { batch: 2 }, feature-flag: { flag: new-checkout } }";
        insta::assert_snapshot!(printed(Pattern::FeatureFlag, settings));
    }
}
