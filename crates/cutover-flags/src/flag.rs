//! A flag, ready to be evaluated, and what an evaluation gives.

use std::borrow::Cow;
use std::fmt;

use crate::context::Context;
use crate::problem::{Place, shortened};
use crate::rule::{Bucketing, Rule, Run};
use crate::source::Node as Tree;
use crate::value::Value;

/// Why a value is the one it is; the words of OpenFeature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The flag has no rule.
    Static,
    /// The rule named the variant.
    TargetingMatch,
    /// The rule said nothing, or there is no default variant.
    Default,
    /// The flag is disabled, or killed.
    Disabled,
}

impl Reason {
    /// As OFREP writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Static => "STATIC",
            Reason::TargetingMatch => "TARGETING_MATCH",
            Reason::Default => "DEFAULT",
            Reason::Disabled => "DISABLED",
        }
    }
}

/// Why an evaluation failed; the words of OFREP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// There is no such flag.
    FlagNotFound,
    /// The flag's definition is broken.
    ParseError,
    /// The context is no JSON object, or too large.
    InvalidContext,
    /// The rule named no variant, or took too much work.
    General,
}

impl ErrorCode {
    /// As OFREP writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::FlagNotFound => "FLAG_NOT_FOUND",
            ErrorCode::ParseError => "PARSE_ERROR",
            ErrorCode::InvalidContext => "INVALID_CONTEXT",
            ErrorCode::General => "GENERAL",
        }
    }
}

/// What kind of values a flag has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// `true` or `false`.
    Boolean,
    /// A text.
    String,
    /// A number.
    Number,
    /// An object or an array.
    Object,
}

/// A named value of a flag.
#[derive(Debug)]
pub struct Variant {
    pub(crate) name: Box<str>,
    pub(crate) json: Box<str>,
    pub(crate) value_type: ValueType,
    /// What stands behind the reason in an OFREP answer.
    pub(crate) tail: Box<[u8]>,
}

impl Variant {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value as JSON, with numbers as the author wrote them.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// What kind of value it is.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.value_type
    }
}

/// What an evaluation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation<'a> {
    /// The flag's key.
    pub key: &'a str,
    /// What the client gets.
    pub outcome: Outcome<'a>,
    /// Metadata of the set and, over it, of the flag, as a JSON object.
    pub metadata: &'a str,
}

/// What a client gets.
#[derive(Debug, Clone)]
pub enum Outcome<'a> {
    /// A value.
    Variant(Reason, &'a Variant),
    /// No value: the client takes the default in its own code.
    CodeDefault(Reason),
    /// An error, and what is wrong in words; the client takes its own default.
    Failed(ErrorCode, Cow<'a, str>),
}

impl PartialEq for Outcome<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Outcome::Variant(reason, variant), Outcome::Variant(other, beside)) => {
                reason == other && variant.name == beside.name && variant.json == beside.json
            }
            (Outcome::CodeDefault(reason), Outcome::CodeDefault(other)) => reason == other,
            (Outcome::Failed(code, words), Outcome::Failed(other, beside)) => {
                code == other && words == beside
            }
            (Outcome::Variant(..) | Outcome::CodeDefault(_) | Outcome::Failed(..), _) => false,
        }
    }
}
impl Eq for Outcome<'_> {}

/// For people: `on (TARGETING_MATCH)`.
impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Variant(reason, variant) => {
                write!(f, "{} = {} ({})", variant.name, variant.json, reason.as_str())
            }
            Outcome::CodeDefault(reason) => write!(f, "the code's default ({})", reason.as_str()),
            Outcome::Failed(code, words) => write!(f, "{}: {words}", code.as_str()),
        }
    }
}

/// A flag as it is kept.
#[derive(Debug)]
pub(crate) struct Flag {
    pub(crate) key: Box<str>,
    pub(crate) place: Option<Place>,
    pub(crate) variants: Vec<Variant>,
    pub(crate) state: State,
    pub(crate) bucketing: Bucketing,
    /// The rule as written, with references put in.
    pub(crate) targeting: Option<Tree>,
    pub(crate) metadata: Box<str>,
    /// `{"key":"…","reason":"`
    pub(crate) head: Box<[u8]>,
    /// `,"metadata":{…}}`
    pub(crate) foot: Box<[u8]>,
}

/// How a flag is decided; numbers are those of variants.
#[derive(Debug)]
pub(crate) enum State {
    Disabled,
    Killed(usize),
    Static(Option<usize>),
    Targeted { rule: Rule, default: Option<usize> },
    Broken(Box<str>),
}

impl Flag {
    #[inline]
    pub(crate) fn evaluate(&self, context: &Context, now: i64) -> Evaluation<'_> {
        let outcome = match &self.state {
            State::Targeted { rule, default } => {
                let run = Run::new(&self.key, context, now);
                self.decide(rule, *default, &run)
            }
            State::Static(default) => self.default(*default, Reason::Static),
            State::Disabled => Outcome::CodeDefault(Reason::Disabled),
            State::Killed(off) => self.default(Some(*off), Reason::Disabled),
            State::Broken(why) => Outcome::Failed(ErrorCode::ParseError, Cow::Borrowed(why)),
        };
        Evaluation { key: &self.key, outcome, metadata: &self.metadata }
    }

    #[inline]
    fn default(&self, variant: Option<usize>, reason: Reason) -> Outcome<'_> {
        match variant.and_then(|at| self.variants.get(at)) {
            Some(variant) => Outcome::Variant(reason, variant),
            None => Outcome::CodeDefault(Reason::Default),
        }
    }

    #[inline]
    pub(crate) fn decide<'v>(
        &self,
        rule: &'v Rule,
        default: Option<usize>,
        run: &'v Run<'v>,
    ) -> Outcome<'_> {
        let result = rule.decide(run);
        if run.is_exhausted() {
            let words = "the rule takes too much work for this context";
            return Outcome::Failed(ErrorCode::General, words.into());
        }
        match &*result {
            Value::Null => self.default(default, Reason::Default),
            Value::Text(name) => self.named(name),
            Value::Bool(true) => self.named("true"),
            Value::Bool(false) => self.named("false"),
            Value::Number(number) if !number.is_finite() => self.default(default, Reason::Default),
            Value::Number(number) => self.named(&number.to_string()),
            Value::List(_) | Value::Object(_) => {
                Outcome::Failed(ErrorCode::General, "the rule gives no name of a variant".into())
            }
        }
    }

    #[inline]
    fn named(&self, name: &str) -> Outcome<'_> {
        match self.variants.iter().find(|variant| *variant.name == *name) {
            Some(variant) => Outcome::Variant(Reason::TargetingMatch, variant),
            None => {
                let words = format!(
                    "the rule names the variant {:?}, which does not exist",
                    shortened(name)
                );
                Outcome::Failed(ErrorCode::General, words.into())
            }
        }
    }

    pub(crate) fn reads_clock(&self) -> bool {
        matches!(&self.state, State::Targeted { rule, .. } if rule.reads_clock)
    }
}
