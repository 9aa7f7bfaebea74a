//! Why a flag has the value it has.

use std::cell::RefCell;
use std::fmt;

use crate::context::Context;
use crate::flag::{Flag, State};
use crate::problem::shortened;
use crate::rule::{Run, Step, Trace, compile};

/// How an evaluation came to its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The flag's key.
    pub key: String,
    /// What the client gets, in words: variant, value and reason, or the error.
    pub outcome: String,
    /// What decided, in words.
    pub because: String,
    /// The calls of the rule that were evaluated, in the order they began. Branches that were not
    /// taken have none; at most 1000 are kept.
    pub steps: Vec<Step>,
}

impl Flag {
    pub(crate) fn explain(&self, context: &Context, now: i64) -> Explanation {
        let outcome = self.evaluate(context, now).outcome;
        let trace = RefCell::new(Trace::default());
        let because = match (&self.state, &self.targeting) {
            (State::Disabled, _) => "the flag is disabled".to_owned(),
            (State::Killed(_), _) => {
                "the flag is killed: it is off whatever its rule says".to_owned()
            }
            (State::Static(_), _) => "the flag has no rule".to_owned(),
            (State::Broken(why), _) => format!("the definition is broken: {why}"),
            (State::Targeted { .. }, None) => String::new(),
            (State::Targeted { .. }, Some(tree)) => {
                match compile(tree, &self.key, self.bucketing, true) {
                    Ok((rule, _)) => {
                        let run = Run::traced(&self.key, context, now, &trace);
                        let result = shortened(&rule.decide(&run).to_string());
                        match result.as_str() {
                            "null" => "the rule says nothing".to_owned(),
                            result => format!("the rule gives {result}"),
                        }
                    }
                    Err(invalid) => format!("the definition is broken: {}", invalid.message),
                }
            }
        };
        Explanation {
            key: self.key.to_string(),
            outcome: outcome.to_string(),
            because,
            steps: trace.into_inner().steps,
        }
    }
}

/// The outcome, then one line for each call, indented by depth.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}, because {}", self.key, self.outcome, self.because)?;
        for step in &self.steps {
            let indent = "  ".repeat(step.depth + 1);
            write!(f, "{indent}{} → {}", step.call, step.result)?;
            match &step.note {
                Some(note) => writeln!(f, " ({note})")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}
