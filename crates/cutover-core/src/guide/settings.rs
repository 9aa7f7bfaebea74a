//! The lines of `cutover.yaml` that go with a pattern.

use super::{Answer, Answers};
use crate::patterns::Pattern;

/// `pattern:`, `patterns:` and, where it helps, `judge:`, with a comment on each key; fits into a
/// spec at the top level.
#[must_use]
pub fn settings(pattern: Pattern, answers: &Answers) -> String {
    let settings: Vec<Line> = match pattern {
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
    let mut lines = vec![Line::bare(format!("pattern: {pattern}"))];
    if !settings.is_empty() {
        lines.push(Line::bare("patterns:"));
    }
    lines.extend(settings);
    if is_judged(pattern, answers) {
        lines.extend(judge(answers));
    }
    let width = lines.iter().filter(|line| !line.meaning.is_empty()).map(|line| line.yaml.len());
    let width = width.max().unwrap_or(0);
    lines.iter().map(|line| line.text(width)).collect()
}

/// A line of YAML, and what it means.
struct Line {
    yaml: String,
    meaning: &'static str,
}

impl Line {
    fn bare(yaml: impl Into<String>) -> Line {
        Line { yaml: yaml.into(), meaning: "" }
    }
    /// A setting of a pattern.
    fn new(key: &str, value: &str, meaning: &'static str) -> Line {
        Line { yaml: format!("    {key}: {value}"), meaning }
    }
    fn text(&self, width: usize) -> String {
        let Line { yaml, meaning } = self;
        if meaning.is_empty() {
            format!("{yaml}\n")
        } else {
            format!("{yaml:<width$}  # {meaning}\n")
        }
    }
}

fn big_bang() -> Vec<Line> {
    let meaning = "requests wait; notice: users see a page instead";
    vec![Line::bare("  big-bang:"), Line::new("while-down", "hold", meaning)]
}

fn rolling(answers: &Answers) -> Vec<Line> {
    let careful = answers.has(Answer::FewUsers) || answers.has(Answer::Rehearse);
    let pause = if careful && answers.has(Answer::Http) { "2m" } else { "0s" };
    let (surge, order) = match answers.has(Answer::Full) {
        true => ("false", "old instances stop before new ones start"),
        false => ("true", "new instances start before old ones stop"),
    };
    vec![
        Line::bare("  rolling:"),
        Line::new("batch", "1", "instances that are replaced at a time"),
        Line::new("surge", surge, order),
        Line::new("pause", pause, "time to look between two batches"),
    ]
}

fn blue_green(answers: &Answers) -> Vec<Line> {
    let by_hand = answers.has(Answer::Switch) || answers.has(Answer::FewUsers);
    let approve = match by_hand {
        true => Line::new("approve", "true", "wait for `cutover promote` before the switch"),
        false => {
            Line::new("approve", "false", "true: wait for `cutover promote` before the switch")
        }
    };
    let keep = if answers.has(Answer::InstantReturn) { "1h" } else { "10m" };
    vec![
        Line::bare("  blue-green:"),
        approve,
        Line::new("soak", "30s", "watch the new set this long after the switch"),
        Line::new("keep", keep, "keep the old set warm this long after the end"),
    ]
}

fn canary() -> Vec<Line> {
    vec![
        Line::bare("  canary:"),
        Line::new("steps", "[5%, 25%, 50%]", "shares of the new version; 100% comes by itself"),
        Line::new("bake", "2m", "measure at each step at least this long"),
    ]
}

fn shadow(answers: &Answers) -> Vec<Line> {
    let length = if answers.has(Answer::Little) { "1h" } else { "10m" };
    // The last step of a canary has two full sets.
    let then = match answers.has(Answer::Double) && answers.has(Answer::Enough) {
        true => "canary",
        false => "rolling",
    };
    vec![
        Line::bare("  shadow:"),
        Line::new("mirror", "10%", "share of the requests that is copied"),
        Line::new("for", length, "how long"),
        Line::new("then", then, "the pattern that follows; without it, none"),
    ]
}

fn ab_testing(answers: &Answers) -> Vec<Line> {
    let split = if answers.has(Answer::Double) { "50%" } else { "20%" };
    vec![
        Line::bare("  ab-testing:"),
        Line::new("split", split, "share of users that get the new version"),
        Line::new("for", "14d", "fix it before you begin; whole weeks are best"),
    ]
}

fn feature_flag(answers: &Answers) -> Vec<Line> {
    let mut lines = rolling(answers);
    lines.push(Line::bare("  feature-flag:"));
    lines.push(Line::new("flag", "new-behaviour", "the key that the app asks for"));
    lines.push(Line::new("steps", "[1%, 10%, 50%, 100%]", "shares of users for whom it is on"));
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

fn judge(answers: &Answers) -> Vec<Line> {
    let (least, meaning) = match answers.has(Answer::Little) {
        true => ("20", "more would take too long here"),
        false => ("100", "fewer prove nothing"),
    };
    let mut lines = vec![
        Line::bare("judge:"),
        Line::bare("  guard:"),
        Line::new("errors", "1%", "more turn it back: above what is normal"),
        Line { yaml: format!("  min-requests: {least}"), meaning },
    ];
    if answers.has(Answer::Little) {
        let meaning = "too little traffic for a comparison";
        lines.push(Line { yaml: "  compare: false".to_owned(), meaning });
    }
    lines
}
