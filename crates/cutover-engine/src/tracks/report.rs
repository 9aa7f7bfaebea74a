//! What an experiment came to so far.

use cutover_core::id::Environment;
use cutover_core::units::{At, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an experiment came to so far. It may be asked for as often as one likes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExperimentReport {
    /// Of which environment.
    pub environment: Environment,
    /// Of which flag.
    pub flag: String,
    /// By which outcome.
    pub outcome: Option<String>,
    /// The variant that others are compared with; none before anybody was exposed.
    pub control: Option<String>,
    /// The first exposure.
    pub first: Option<At>,
    /// The newest first exposure of a user.
    pub last: Option<At>,
    /// The variants, the control first.
    pub variants: Vec<VariantCount>,
    /// Users who saw another variant later; they count where they were first.
    pub contaminated: u64,
    /// Users who saw a variant that had no share when they came; they are not compared.
    pub strays: u64,
    /// Users who came while nobody was dealt out; they are not compared.
    pub undealt: u64,
    /// Does the rule name variants for some users beforehand, so that these are not dealt out?
    pub picks: bool,
    /// Are the variants' users as many as they were to be?
    pub sample_ratio: SampleRatioCheck,
    /// What is to be made of it.
    pub verdict: Verdict,
    /// How long amounts of a user count.
    pub within: Span,
    /// The probability with which a difference is told that is none.
    pub alpha: f64,
    /// The attribute that is split by.
    pub by: Option<String>,
    /// Its values, those with most users first; at most 20.
    pub segments: Vec<Segment>,
    /// Values beyond those.
    pub more_segments: usize,
    /// Names of outcomes that came in this environment; at most 100.
    pub outcomes: Vec<String>,
    /// What is missing.
    pub losses: Losses,
}

/// A variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VariantCount {
    /// Its name.
    pub variant: String,
    /// Users first exposed to it.
    pub users: u64,
    /// How many of all users that was to be, if that is known.
    pub expected: Option<f64>,
    /// Of its users, how many had the outcome afterwards.
    pub converted: u64,
    /// The difference to the control; none for the control itself, or if it is not known.
    pub lift: Option<Lift>,
    /// The difference of amounts per user; none without values, and before there are enough users.
    pub amount: Option<Difference>,
}

/// By how much more (or less) users convert than those of the control.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lift {
    /// As parts of the control's rate: 0.1 is a tenth more.
    #[serde(flatten)]
    pub interval: Interval,
    /// The p-value of no difference, valid at every look and corrected for the number of variants.
    pub p: f64,
}

/// A range that holds the true value at all looks together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The most likely value, if there is one yet.
    pub estimate: Option<f64>,
    /// At least this.
    pub low: f64,
    /// At most this, if there is a bound yet.
    pub high: Option<f64>,
}

/// By how much more each user did than those of the control.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// The difference per user.
    #[serde(flatten)]
    pub interval: Interval,
    /// What share of the variance was explained by what users did before (CUPED).
    pub explained: f64,
    /// How many users of both variants were exposed long enough ago.
    pub users: u64,
}

/// Are the variants' users as many as they were to be?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SampleRatioCheck {
    /// As far as one can tell.
    Fits {
        /// The p-value, valid at every look.
        p: f64,
    },
    /// No: the groups differ in more than the variant, and no comparison means anything.
    Mismatch {
        /// The p-value, valid at every look.
        p: f64,
    },
    /// It is not known how many were to be.
    Unknown,
}

/// What is to be made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing: the sample ratio is wrong.
    Invalid,
    /// Nothing was compared.
    Untested {
        /// Why not.
        why: String,
    },
    /// No difference is shown yet.
    Undecided,
    /// Some variants convert differently from the control.
    Different {
        /// Those that convert more.
        better: Vec<String>,
        /// Those that convert less.
        worse: Vec<String>,
    },
}

/// Users with the same value of an attribute. They are no verdict: look at enough of them and one
/// differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    /// The value; none for users without one.
    pub value: Option<String>,
    /// The variants, the control first; intervals are wider, for the number of segments.
    pub variants: Vec<VariantCount>,
}

/// What is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Losses {
    /// Tracks that the proxy forgot before they were read.
    pub forgotten: u64,
    /// How often the proxy started again, so that what came just before may be lost.
    pub restarts: u64,
    /// Users that were dropped since they are too old, or there were too many; in all environments.
    pub dropped_users: u64,
    /// ... and outcomes.
    pub dropped_outcomes: u64,
}

/// What there is of a variant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Users first exposed to it.
    pub users: u64,
    /// Of these, how many had the outcome afterwards.
    pub converted: u64,
    /// How much it was together.
    pub amount: f64,
}
