//! The lines of `cutover.yaml` that go with a pattern.

use super::{Answer, Answers};
use crate::patterns::Pattern;

/// `pattern:`, `patterns:` and, where it helps, `judge:`, with a comment on each key; fits into a
/// spec at the top level.
#[must_use]
pub fn settings(pattern: Pattern, answers: &Answers) -> String {
    let mut lines = vec![format!("pattern: {pattern}")];
    let settings: Vec<String> = match pattern {
        // A worker has no users who could wait.
        Pattern::BigBang if answers.has(Answer::Nobody) => vec![],
        Pattern::BigBang => big_bang(),
        Pattern::Rolling => rolling(answers),
        Pattern::BlueGreen => blue_green(answers),
        Pattern::Canary => canary(),
        Pattern::Shadow => shadow(answers),
        Pattern::AbTesting => ab_testing(answers),
        Pattern::FeatureFlag => feature_flag(answers),
    };
    if !settings.is_empty() {
        lines.push("patterns:".to_owned());
    }
    lines.extend(settings.into_iter().map(|line| format!("  {line}")));
    if is_judged(pattern, answers) {
        lines.extend(judge(answers));
    }
    lines.join("\n") + "\n"
}

/// A key with its value, and what it means.
fn key(key: &str, value: &str, meaning: &str) -> String {
    let pair = format!("{key}: {value}");
    format!("  {pair:<21} # {meaning}")
}

fn big_bang() -> Vec<String> {
    let meaning = "requests wait; notice: users see a page instead";
    vec!["big-bang:".to_owned(), key("while-down", "hold", meaning)]
}

fn rolling(answers: &Answers) -> Vec<String> {
    let careful = answers.has(Answer::FewUsers) || answers.has(Answer::Rehearse);
    let pause = if careful && answers.has(Answer::Http) { "2m" } else { "0s" };
    let (surge, order) = match answers.has(Answer::Full) {
        true => ("false", "old instances stop before new ones start"),
        false => ("true", "new instances start before old ones stop"),
    };
    vec![
        "rolling:".to_owned(),
        key("batch", "1", "instances that are replaced at a time"),
        key("surge", surge, order),
        key("pause", pause, "time to look between two batches"),
    ]
}

fn blue_green(answers: &Answers) -> Vec<String> {
    let by_hand = answers.has(Answer::Switch) || answers.has(Answer::FewUsers);
    let approve = match by_hand {
        true => key("approve", "true", "wait for `cutover promote` before the switch"),
        false => key("approve", "false", "true: wait for `cutover promote` before the switch"),
    };
    let keep = if answers.has(Answer::InstantReturn) { "1h" } else { "10m" };
    vec![
        "blue-green:".to_owned(),
        approve,
        key("soak", "30s", "watch the new set this long after the switch"),
        key("keep", keep, "keep the old set warm this long after the end"),
    ]
}

fn canary() -> Vec<String> {
    vec![
        "canary:".to_owned(),
        key("steps", "[5%, 25%, 50%]", "shares of the new version; 100% comes by itself"),
        key("bake", "2m", "measure at each step at least this long"),
    ]
}

fn shadow(answers: &Answers) -> Vec<String> {
    let length = if answers.has(Answer::Little) { "1h" } else { "10m" };
    // The last step of a canary has two full sets.
    let then = match answers.has(Answer::Double) && answers.has(Answer::Enough) {
        true => "canary",
        false => "rolling",
    };
    vec![
        "shadow:".to_owned(),
        key("mirror", "10%", "share of the requests that is copied"),
        key("for", length, "how long"),
        key("then", then, "the pattern that follows; without it, none"),
    ]
}

fn ab_testing(answers: &Answers) -> Vec<String> {
    let split = if answers.has(Answer::Double) { "50%" } else { "20%" };
    vec![
        "ab-testing:".to_owned(),
        key("split", split, "share of users that get the new version"),
        key("for", "14d", "fix it before you begin; whole weeks are best"),
    ]
}

fn feature_flag(answers: &Answers) -> Vec<String> {
    let mut lines = rolling(answers);
    lines.push("feature-flag:".to_owned());
    lines.push(key("flag", "new-behaviour", "the key that the app asks for"));
    lines.push(key("steps", "[1%, 10%, 50%, 100%]", "shares of users for whom it is on"));
    lines
}

/// Is there something to measure, and somebody to measure it by?
fn is_judged(pattern: Pattern, answers: &Answers) -> bool {
    let enough = answers.has(Answer::Enough);
    match pattern {
        Pattern::BigBang => false,
        Pattern::Rolling => answers.has(Answer::Http) && enough && !answers.has(Answer::Replace),
        Pattern::BlueGreen => enough,
        Pattern::Canary | Pattern::AbTesting | Pattern::FeatureFlag => true,
        Pattern::Shadow => answers.has(Answer::Double) && enough,
    }
}

fn judge(answers: &Answers) -> Vec<String> {
    let (least, meaning) = match answers.has(Answer::Little) {
        true => ("20", "more would take too long here; fewer prove nothing"),
        false => ("100", "fewer prove nothing"),
    };
    vec![
        "judge:".to_owned(),
        "  guard:".to_owned(),
        format!("  {}", key("errors", "1%", "more turn it back; must be above what is normal")),
        key("min-requests", least, meaning),
    ]
}
