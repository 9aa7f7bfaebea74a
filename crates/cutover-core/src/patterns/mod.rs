//! The seven patterns: each file a pure function from settings to stages, and [`plan`], which makes
//! a plan of them.

mod ab_testing;
mod big_bang;
mod blue_green;
mod canary;
mod course;
mod feature_flag;
mod first;
mod ramp;
mod rolling;
mod shadow;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::ReleaseId;
use crate::plan::{Aside, Gate, Patience, Plan, Rest, Stage};
use crate::spec::{Against, Guard, Spec};
use crate::units::Count;

pub use course::Course;
pub use ramp::{Ramp, ramp};

/// One of the seven ways to go from one release to the next.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// Stop the old, start the new.
    BigBang,
    /// Batch by batch.
    #[default]
    Rolling,
    /// Two full sets and one switch.
    BlueGreen,
    /// A growing share of traffic.
    Canary,
    /// Copies of requests, answers thrown away.
    Shadow,
    /// Two versions for two groups of users.
    AbTesting,
    /// The new code everywhere, switched on for a growing share of users.
    FeatureFlag,
}

impl Pattern {
    /// All of them, in the order of the guide.
    pub const ALL: [Pattern; 7] = [
        Pattern::BigBang,
        Pattern::Rolling,
        Pattern::BlueGreen,
        Pattern::Canary,
        Pattern::Shadow,
        Pattern::AbTesting,
        Pattern::FeatureFlag,
    ];

    /// Its name in specs and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Pattern::BigBang => "big-bang",
            Pattern::Rolling => "rolling",
            Pattern::BlueGreen => "blue-green",
            Pattern::Canary => "canary",
            Pattern::Shadow => "shadow",
            Pattern::AbTesting => "ab-testing",
            Pattern::FeatureFlag => "feature-flag",
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no pattern {0:?}")]
pub struct UnknownPattern(pub String);

impl FromStr for Pattern {
    type Err = UnknownPattern;
    fn from_str(text: &str) -> Result<Pattern, UnknownPattern> {
        let known = Pattern::ALL.into_iter().find(|pattern| pattern.as_str() == text);
        known.ok_or_else(|| UnknownPattern(text.chars().take(80).collect()))
    }
}

/// What a plan is made of.
#[derive(Debug, Clone)]
pub struct Making<'a> {
    /// The candidate's spec.
    pub spec: &'a Spec,
    /// The target size when the plan is made; stages stay functions of n.
    pub n: Count,
    /// Where turning back leads.
    pub before: Option<Rest>,
    /// The release to roll out.
    pub candidate: ReleaseId,
}

/// The plan that leads to the candidate by a pattern.
#[must_use]
pub fn plan(pattern: Pattern, making: Making<'_>) -> Plan {
    let course = match &making.before {
        None => first::course(making.spec),
        Some(rest) => course_of(pattern, making.spec, making.n, is_raised(&making, rest)),
    };
    fill(pattern, making, course)
}

/// The plan that leads back to an earlier release at once: the pattern's steps are skipped, the
/// capacity gate is not.
#[must_use]
pub fn plan_back(making: Making<'_>) -> Plan {
    let (pattern, course) = (making.spec.pattern, course::straight_back(making.spec));
    Plan { back: true, hooks: 0, guard: None, against: None, ..fill(pattern, making, course) }
}

/// Is the flag that the spec names on already, and known to the candidate?
fn is_raised(making: &Making<'_>, rest: &Rest) -> bool {
    let key = making.spec.patterns.feature_flag.flag.as_ref();
    let raised = key.and_then(|key| rest.flags.get(key));
    raised.is_some_and(|raised| raised.by <= making.candidate)
}

/// `raised`: everybody has the flag already. Lowering it in order to raise it again would help
/// nobody, so that the release only rolls.
fn course_of(pattern: Pattern, spec: &Spec, n: Count, raised: bool) -> Course {
    let settings = &spec.patterns;
    match pattern {
        Pattern::BigBang => big_bang::course(spec),
        Pattern::Rolling => rolling::course(&settings.rolling, spec, n),
        Pattern::BlueGreen => blue_green::course(&settings.blue_green, spec),
        Pattern::Canary => canary::course(&settings.canary, spec),
        Pattern::Shadow => shadow::course(&settings.shadow, spec, n, raised),
        Pattern::AbTesting => ab_testing::course(&settings.ab_testing, spec),
        Pattern::FeatureFlag if raised => rolling::course(&settings.rolling, spec, n),
        Pattern::FeatureFlag => {
            feature_flag::course(&settings.feature_flag, &settings.rolling, spec, n)
        }
    }
}

fn fill(pattern: Pattern, making: Making<'_>, course: Course) -> Plan {
    let Making { spec, before, candidate, .. } = making;
    // Without a verdict in the plan, an app's normal error rate must not turn it back: a bound has
    // to be asked for then. Copies and experiments are there to be measured.
    let has_verdict = |stage: &Stage| {
        let measured = |gate: &Gate| matches!(gate, Gate::Judge { .. } | Gate::Conclude(_));
        matches!(stage.aside, Aside::Mirror(_)) || stage.gates.iter().any(measured)
    };
    let judged = spec.judge.is_some() || course.stages.iter().any(has_verdict);
    let judge = spec.judge.clone().unwrap_or_default();
    let guard = Guard {
        errors: judge.guard.errors,
        p99: judge.guard.p99,
        min_requests: judge.min_requests,
    };
    let judged = judged && spec.listen.is_some();
    let against = Against {
        tolerance: judge.tolerance,
        not_worse_by: judge.not_worse_by,
        warm_up: judge.warm_up,
        min_requests: judge.min_requests,
        by_kayenta: judge.kayenta.is_some(),
    };
    Plan {
        pattern,
        against: (judged && judge.compare && before.is_some()).then_some(against),
        before,
        back: false,
        candidate,
        n: making.n,
        spec_n: spec.instances,
        budget: course.budget,
        stages: course.stages,
        keep: course.keep,
        patience: patience(spec),
        guard: judged.then_some(guard),
        on_failure: spec.on_failure,
        hooks: Count::try_from(spec.hooks.after_ready.len()).unwrap_or(Count::MAX),
        flag: course.flag,
        winner: course.winner,
        message: None,
    }
}

fn patience(spec: &Spec) -> Patience {
    use std::time::Duration;
    let health = spec.health.clone().unwrap_or_default();
    let drain = spec.drain;
    let ready = health.deadline.0;
    Patience {
        ready,
        // An instance that was ready has shown that it can be; a short loss is a flap.
        lost: health.settle.0.max(Duration::from_secs(2)),
        // One start, one drain and one stop, with as much again for a slow machine.
        stage: 2 * (ready + drain.requests.0.max(drain.upgraded.0) + drain.stop.0),
        held: spec.judge.clone().unwrap_or_default().hold_limit.0,
        exits: 3,
        drain: drain.requests.0,
        upgraded: drain.upgraded.0,
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! A plan of a spec given as YAML lines, printed.

    use super::{Making, Pattern, plan};
    use crate::id::ReleaseId;
    use crate::plan::{Plan, Rest};
    use crate::release::ReleaseName;
    use crate::spec::{Source, Spec, parse};

    pub(crate) fn spec(more: &str) -> Spec {
        let text = format!(
            "app: shop\ninstances: 4\nlisten: 127.0.0.1:8080\n\
             release: {{ command: [serve, '{{port}}'] }}\n{more}"
        );
        parse(&Source { name: "cutover.yaml".into(), text }, &[]).unwrap()
    }
    pub(crate) fn name(id: u32) -> ReleaseName {
        let version = format!("v{id}").parse().unwrap();
        ReleaseName { id: ReleaseId(id), version, ordinal: 1 }
    }
    pub(crate) fn planned(pattern: Pattern, more: &str) -> Plan {
        let spec = spec(more);
        let before = Some(Rest::of(ReleaseId(1)));
        plan(pattern, Making { spec: &spec, n: spec.instances, before, candidate: ReleaseId(2) })
    }
    pub(crate) fn printed(pattern: Pattern, more: &str) -> String {
        let plan = planned(pattern, more);
        crate::print::plan(&plan, 4, Some(&name(1)), &name(2))
    }
}
