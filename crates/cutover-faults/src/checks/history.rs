//! Every rollout that began has an end, and the end fits what is live and what the command said.

use serde_json::Value;

use crate::journal::Entry;
use crate::world::Ran;

/// The times, in milliseconds since 1970 by the clock of this machine, that a run lay between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// How a release went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Course {
    /// The new version is live.
    Promoted,
    /// It ended well, and the old version stays: an experiment.
    Observed,
    TurnedBack,
    /// Nothing was begun.
    Refused,
}

/// Time that a clock may seem to be off because two processes read it.
const SLACK: u64 = 2000;

/// What is wrong with the history of one app; `live` is the version that is live. Gives how the last
/// rollout went, if anything of it is known.
pub(crate) fn wrong_history(
    history: &Value,
    entries: &[Entry],
    app: &str,
    live: &str,
    span: Span,
) -> (Option<Course>, Vec<String>) {
    let none = Vec::new();
    let rollouts = history["rollouts"].as_array().unwrap_or(&none);
    let mine: Vec<&Value> = rollouts.iter().filter(|one| one["subject"] == app).collect();
    let mut wrong = Vec::new();
    let begun = entries.iter().filter(|entry| entry.subject == app && entry.kind() == "begun");
    let mut begun: Vec<u64> = begun.map(|entry| entry.index).collect();
    begun.reverse();
    let listed: Vec<u64> = mine.iter().filter_map(|one| one["number"].as_u64()).collect();
    if begun != listed {
        wrong.push(format!("{app}: rollouts {begun:?} began, history lists {listed:?}"));
    }
    for one in &mine {
        wrong.extend(wrong_entry(one, span).into_iter().map(|what| format!("{app}: {what}")));
    }
    let course = mine.first().and_then(|last| course(last));
    let expected = mine.first().map(|last| match course {
        Some(Course::Promoted) => &last["to"]["version"],
        Some(Course::Observed | Course::TurnedBack | Course::Refused) | None => {
            &last["from"]["version"]
        }
    });
    match expected {
        Some(expected) if expected == live => {}
        Some(expected) => wrong.push(format!("{app}: {live} is live; by history it is {expected}")),
        None => wrong.push(format!("{app}: history is empty")),
    }
    (course, wrong)
}

fn wrong_entry(one: &Value, span: Span) -> Vec<String> {
    let number = &one["number"];
    let mut wrong = Vec::new();
    if course(one).is_none() {
        wrong.push(format!("rollout #{number} has the end {}", one["outcome"]));
    }
    let (begun, ended) = (one["begun"].as_u64(), one["ended"].as_u64());
    match (begun, ended) {
        (Some(begun), Some(ended)) => {
            let inside = |at: u64| at + SLACK >= span.from && at <= span.to + SLACK;
            if begun > ended || !inside(begun) || !inside(ended) {
                wrong.push(format!(
                    "rollout #{number} lasted from {begun} to {ended}, the run from {} to {}",
                    span.from, span.to
                ));
            }
        }
        _ => wrong.push(format!("rollout #{number} lasted from {begun:?} to {ended:?}")),
    }
    wrong
}

/// How a rollout of the history went; `None` if that is no end that may be.
fn course(one: &Value) -> Option<Course> {
    let outcome = &one["outcome"];
    let turned = outcome.get("rolled-back").or_else(|| outcome.get("rolled-back-degraded"));
    match (outcome.as_str(), one["went_live"].as_bool(), turned) {
        (Some("succeeded"), Some(true), _) => Some(Course::Promoted),
        (Some("succeeded"), _, _) => Some(Course::Observed),
        (_, _, Some(_)) => Some(Course::TurnedBack),
        _ => None,
    }
}

/// Does what the waiting command said fit how it went? `other` are exit codes that say nothing
/// about that and are in order here.
pub(crate) fn wrong_result(ran: &Ran, course: Option<Course>, other: &[i32]) -> Vec<String> {
    let fits = match ran.code {
        Some(0) => matches!(course, Some(Course::Promoted | Course::Observed)),
        // Nothing was begun: any word but success will do.
        Some(_) if course == Some(Course::Refused) => true,
        Some(5 | 6) => course == Some(Course::TurnedBack),
        Some(code) => other.contains(&code),
        None => false,
    };
    if fits { Vec::new() } else { vec![format!("the rollout was {course:?}, but {ran}")] }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SPAN: Span = Span { from: 1_000_000, to: 1_060_000 };

    fn history() -> Value {
        json!({"rollouts": [
            {"number": 7, "subject": "shop", "from": {"version": "v1"}, "to": {"version": "v2"},
             "begun": 1_010_000, "ended": 1_020_000, "outcome": "succeeded", "went_live": true},
            {"number": 1, "subject": "shop", "from": null, "to": {"version": "v1"},
             "begun": 1_000_000, "ended": 1_001_000, "outcome": "succeeded", "went_live": true},
        ]})
    }
    fn entries() -> Vec<Entry> {
        let entry = |index: u64, record: Value| Entry { index, subject: "shop".to_owned(), record };
        let begun = || json!({"begun": {"stages": []}});
        vec![entry(1, begun()), entry(2, json!({"reached": {"stage": 0}})), entry(7, begun())]
    }
    fn said(history: &Value, live: &str) -> Vec<String> {
        wrong_history(history, &entries(), "shop", live, SPAN).1
    }

    #[test]
    fn a_history_that_fits_is_fine() {
        assert_eq!(said(&history(), "v2"), Vec::<String>::new());
        let (course, _) = wrong_history(&history(), &entries(), "shop", "v2", SPAN);
        assert_eq!(course, Some(Course::Promoted));
    }

    #[test]
    fn a_missing_end_a_wrong_time_and_a_wrong_live_release_are_told() {
        let change = |path: &str, value: Value| {
            let mut history = history();
            *history.pointer_mut(path).unwrap() = value;
            history
        };
        assert!(!said(&history(), "v1").is_empty());
        for (path, value) in [
            ("/rollouts/0/outcome", Value::Null),
            ("/rollouts/0/outcome", json!({"stuck": "deadline"})),
            ("/rollouts/0/outcome", json!({"rolled-back": "aborted"})),
            ("/rollouts/0/went_live", json!(false)),
            ("/rollouts/0/ended", Value::Null),
            ("/rollouts/0/ended", json!(4_620_000)),
            ("/rollouts/0/begun", json!(1_030_000)),
            ("/rollouts/0/number", json!(8)),
            ("/rollouts", json!([])),
        ] {
            assert!(!said(&change(path, value.clone()), "v2").is_empty(), "{path} {value}");
        }
    }

    #[test]
    fn a_command_that_says_something_else_is_told() {
        let ran =
            |code| Ran { line: String::new(), code, stdout: String::new(), stderr: String::new() };
        let wrong =
            |code, course, other: &[i32]| !wrong_result(&ran(code), course, other).is_empty();
        assert!(!wrong(Some(0), Some(Course::Promoted), &[]));
        assert!(!wrong(Some(0), Some(Course::Observed), &[]));
        assert!(!wrong(Some(6), Some(Course::TurnedBack), &[]));
        assert!(!wrong(Some(10), Some(Course::TurnedBack), &[10]));
        assert!(wrong(Some(0), Some(Course::TurnedBack), &[]));
        assert!(wrong(Some(5), Some(Course::Promoted), &[]));
        assert!(wrong(Some(10), Some(Course::Promoted), &[]));
        assert!(!wrong(Some(4), Some(Course::Refused), &[]));
        assert!(wrong(Some(0), Some(Course::Refused), &[]));
        assert!(wrong(None, Some(Course::Promoted), &[10]));
    }
}
