//! Which pattern fits: a handful of questions, and a table that turns the answers into one of the
//! seven.
//!
//! The table is the only place that decides. The command that asks, the page with the guide and the
//! drawing of the decision tree are made from it.

mod answers;
mod question;
mod settings;
mod table;
#[cfg(test)]
mod tests;
mod traits;
mod tree;

use serde::Serialize;

pub use answers::{Answers, Given};
pub use question::{Answer, Question, UnknownAnswer};
pub use settings::settings;
pub use table::{ROWS, Row};
pub use traits::{costs, in_short, needs};
pub use tree::tree;

use crate::patterns::Pattern;

/// What fits the answers, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recommendation {
    /// The pattern to take.
    pub pattern: Pattern,
    /// Why this one.
    pub why: &'static str,
    /// What it costs.
    pub costs: &'static [&'static str],
    /// What it needs in order to work.
    pub needs: &'static [&'static str],
    /// What to take instead, and when.
    pub runner_up: RunnerUp,
    /// The lines for `cutover.yaml`.
    pub yaml: String,
}

/// The second choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RunnerUp {
    /// The pattern.
    pub pattern: Pattern,
    /// When it is the better one; goes on after "take it".
    pub when: &'static str,
}

/// What the table says to these answers.
#[must_use]
pub fn recommend(answers: &Answers) -> Recommendation {
    let row = Row::deciding(answers);
    Recommendation {
        pattern: row.pattern,
        why: row.why,
        costs: costs(row.pattern),
        needs: needs(row.pattern),
        runner_up: row.instead,
        yaml: settings(row.pattern, answers),
    }
}
