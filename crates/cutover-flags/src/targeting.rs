//! A rule on its own, outside any flag: for trying out, and for comparing with other engines.

use crate::context::Context;
use crate::problem::{Problem, Severity};
use crate::rule::{Bucketing, Rule, Run, compile};
use crate::source::{self, Format, Source};
use crate::value::Value;

/// A compiled rule.
#[derive(Debug)]
pub struct Targeting {
    rule: Rule,
    flag_key: String,
}

/// An evaluation that was ended because it took more work than one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rule takes too much work for this context")]
pub struct TooMuchWork;

impl Targeting {
    /// Compiles a rule as it would stand in a flag of this key.
    ///
    /// # Errors
    /// Where it is no JSON, calls an operator that does not exist, or has a number that clients
    /// would see differently.
    pub fn compile(json: &str, flag_key: &str, bucketing: Bucketing) -> Result<Targeting, Problem> {
        Targeting::compile_as(json, flag_key, bucketing, false)
    }

    /// Compiles a rule and works nothing out in advance, as explanations do; it gives the same.
    ///
    /// # Errors
    /// As [`Targeting::compile`].
    pub fn compile_plainly(
        json: &str,
        flag_key: &str,
        bucketing: Bucketing,
    ) -> Result<Targeting, Problem> {
        Targeting::compile_as(json, flag_key, bucketing, true)
    }

    fn compile_as(
        json: &str,
        flag_key: &str,
        bucketing: Bucketing,
        plainly: bool,
    ) -> Result<Targeting, Problem> {
        let refused = |place, rule, message| Problem {
            source: "rule".to_owned(),
            place,
            flag: Some(flag_key.to_owned()),
            severity: Severity::Error,
            rule,
            message,
        };
        let source = Source {
            name: "rule".to_owned(),
            text: json.to_owned(),
            format: Format::Json,
            changes: None,
        };
        let tree = source::read(&source).map_err(|error| {
            refused(error.place, crate::problem::Rule::Unreadable, error.message)
        })?;
        let (rule, _) = compile(&tree, flag_key, bucketing, plainly)
            .map_err(|invalid| refused(invalid.place, invalid.rule, invalid.message))?;
        Ok(Targeting { rule, flag_key: flag_key.to_owned() })
    }

    /// What the rule gives; numbers that JSON does not have are null.
    ///
    /// # Errors
    /// Where it takes too much work.
    pub fn apply(&self, context: &Context, now: i64) -> Result<Value, TooMuchWork> {
        let run = Run::new(&self.flag_key, context, now);
        let value = self.rule.decide(&run).into_owned();
        match (run.is_exhausted(), value) {
            (true, _) => Err(TooMuchWork),
            (false, Value::Number(number)) if !number.is_finite() => Ok(Value::Null),
            (false, value) => Ok(value),
        }
    }
}
