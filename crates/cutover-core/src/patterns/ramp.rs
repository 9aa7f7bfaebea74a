//! A ramp: a flag for a growing share of users on the live release, which stays as it is.
//!
//! `flag w %, verdict → … → flag to %, verdict or settle`

use super::course::{judge, settle};
use super::{Course, Making, Pattern, fill};
use crate::app::REST_BUDGET;
use crate::id::FlagKey;
use crate::plan::{Gate, Plan, Route, Size, Stage};
use crate::units::{Share, Span};

/// What a ramp is made of, beside the live release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ramp {
    /// The flag.
    pub flag: FlagKey,
    /// The share that it ends with.
    pub to: Share,
    /// Shares on the way.
    pub steps: Vec<Share>,
    /// How long each share is held at least.
    pub bake: Span,
    /// Does a verdict have to pass at each share? Otherwise they are only held.
    pub judge: bool,
}

/// The plan of a ramp: the candidate of `making` is the live release.
#[must_use]
pub fn ramp(making: Making<'_>, ramp: &Ramp) -> Plan {
    let n = making.n;
    let spec_n = making.spec.instances;
    let judged = ramp.judge && making.spec.listen.is_some();
    let bake = |share: Share| match judged && share > Share::ZERO && share < Share::FULL {
        true => vec![Gate::Ready, judge(ramp.bake)],
        false => vec![Gate::Ready, Gate::Hold(ramp.bake.0)],
    };
    let stage = |share: Share, gates: Vec<Gate>| Stage {
        flag: Some(share),
        ..Stage::new(Size::Zero, Size::All, Route::Even, gates)
    };
    let on_the_way = ramp.steps.iter().filter(|share| **share != ramp.to);
    let mut stages: Vec<Stage> = on_the_way.map(|share| stage(*share, bake(*share))).collect();
    let last = match judged && ramp.to > Share::ZERO && ramp.to < Share::FULL {
        true => bake(ramp.to),
        false => settle(making.spec),
    };
    stages.push(stage(ramp.to, last));
    let course = Course { flag: Some(ramp.flag.clone()), ..Course::new(stages, REST_BUDGET) };
    Plan { hooks: 0, n, spec_n, ..fill(Pattern::FeatureFlag, making, course) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ReleaseId;
    use crate::patterns::testing::{name, spec};
    use crate::plan::Rest;

    fn planned(to: &str, steps: &[&str], judge: bool) -> String {
        let spec = spec("hooks: { after-ready: [{ run: [a] }] }");
        let making = Making {
            spec: &spec,
            n: 4,
            before: Some(Rest::of(ReleaseId(2))),
            candidate: ReleaseId(2),
        };
        let asked = Ramp {
            flag: "new-checkout".parse().unwrap(),
            to: to.parse().unwrap(),
            steps: steps.iter().map(|share| share.parse().unwrap()).collect(),
            bake: Span::secs(120),
            judge,
        };
        let plan = ramp(making, &asked);
        assert!(plan.is_ramp() && plan.promotes());
        crate::print::plan(&plan, 4, Some(&name(2)), &name(2))
    }

    #[test]
    fn judged() {
        insta::assert_snapshot!(planned("100%", &["1%", "10%", "50%"], true));
    }

    #[test]
    fn held_and_not_to_the_end() {
        insta::assert_snapshot!(planned("20%", &["5%"], false));
    }
}
