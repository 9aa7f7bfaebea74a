//! What is wrong with a spec, and what was probably meant.

use std::fmt;

use serde::Serialize;

/// More problems than this are counted, not told.
pub const MOST: usize = 50;

/// One thing that is wrong with a spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file it is in.
    pub file: String,
    /// (line, column), from 1, where known.
    pub place: Option<(u64, u64)>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl Problem {
    pub(super) fn whole(file: &str, message: impl Into<String>) -> Problem {
        Problem { file: file.to_owned(), place: None, message: message.into(), help: None }
    }
}

/// Is a name so much like another one that it was probably meant?
pub(super) fn is_like(given: &str, choice: &str) -> bool {
    begins(given, choice) || strsim::damerau_levenshtein(given, choice) <= 1 + choice.len() / 3
}

/// Does one of them begin with the other?
fn begins(given: &str, choice: &str) -> bool {
    let (short, long) = if given.len() < choice.len() { (given, choice) } else { (choice, given) };
    short.len() >= 3 && long.starts_with(short)
}

/// What a mistyped name stands for, or the names that are known.
pub(super) fn meant(given: &str, choices: &[&str]) -> Option<String> {
    let distance = |choice: &&&str| match begins(given, choice) {
        true => 0,
        false => strsim::damerau_levenshtein(given, choice),
    };
    let near = choices.iter().filter(|choice| is_like(given, choice)).min_by_key(distance);
    match near {
        Some(choice) => Some(format!("did you mean `{choice}`?")),
        None if choices.is_empty() => None,
        None => Some(format!("known here: {}", choices.join(", "))),
    }
}

/// A name from a file, short enough for a message.
pub(super) fn short(name: &str) -> String {
    const LONGEST: usize = 80;
    let mut text: String = name.chars().take(LONGEST).collect();
    if text.len() < name.len() {
        text.push('…');
    }
    text
}

/// In the order of `files` and of the places in them; of many only the first ones, and how many
/// more there are.
pub(super) fn in_order(mut problems: Vec<Problem>, files: &[&str]) -> Vec<Problem> {
    let file = |problem: &Problem| files.iter().position(|file| *file == problem.file);
    problems.sort_by_key(|problem| (file(problem), problem.place.unwrap_or((u64::MAX, 0))));
    problems.dedup();
    if problems.len() > MOST {
        let more = problems.len() - MOST;
        problems.truncate(MOST);
        let last = problems.last().map_or("", |problem| &problem.file).to_owned();
        problems.push(Problem::whole(&last, format!("and {more} more problems")));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_problems_are_told_in_order_and_cut() {
        let at = |file: &str, line| Problem { place: Some((line, 1)), ..Problem::whole(file, "x") };
        let problems = in_order(vec![at("b", 1), at("a", 7), at("a", 2), at("a", 7)], &["a", "b"]);
        assert_eq!(problems, [at("a", 2), at("a", 7), at("b", 1)]);
        let many = in_order((1..=60).rev().map(|line| at("a", line)).collect(), &["a"]);
        assert_eq!((many.len(), &many[0]), (51, &at("a", 1)));
        assert_eq!(many[50].to_string(), "a: and 10 more problems");
    }

    #[test]
    fn a_suggestion_is_near_or_a_list() {
        assert_eq!(meant("enviroment", &["env", "pass"]).as_deref(), Some("did you mean `env`?"));
        assert_eq!(
            meant("bearer", &["header", "bearer-file"]).unwrap(),
            "did you mean `bearer-file`?"
        );
        assert_eq!(meant("instancs", &["instances"]).as_deref(), Some("did you mean `instances`?"));
        assert_eq!(meant("zzz", &["app", "env"]).as_deref(), Some("known here: app, env"));
        assert_eq!(short(&"x".repeat(90)).chars().count(), 81);
    }
}
