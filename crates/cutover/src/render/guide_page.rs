//! The decision guide as a page, made from the table that decides.

use cutover_core::guide::{
    Answer, Given, Question, ROWS, Row, costs, in_short, needs, settings, tree,
};
use cutover_core::patterns::Pattern;

/// `docs/decision-guide.md`.
pub(crate) fn guide_page() -> String {
    let parts = [
        HEAD.to_owned(),
        format!("## In one drawing\n\n{TREE}\n\n```text\n{}```\n", tree()),
        format!("## The questions\n\n{}", all(Question::ALL, question)),
        format!("## The table\n\n{}", table()),
        format!("## The patterns\n\n{}", all(Pattern::ALL, pattern)),
    ];
    parts.join("\n")
}

const HEAD: &str = "\
# Which pattern?

<!-- Written by `cutover guide --markdown`. The table is in crates/cutover-core/src/guide/. -->

Seven patterns lead from one version of an app to the next. Which one fits depends on some facts \
about the app, and on what matters most to you. `cutover guide` asks for them and recommends one. \
This page shows the same decision as a whole.

<!-- not run: they ask, or are shown in full below -->
```sh
cutover guide                                   # asks, on a terminal
cutover guide --aim few-users --spare double    # for scripts: what is left open takes its default
cutover guide --aim few-users --json            # answers, assumptions and recommendation
```
";

const TREE: &str = "\
Each name with a question mark is one of the questions below, each word before a colon an answer. \
Branches that lead to the same end are drawn once.";

fn all<T, const N: usize>(items: [T; N], text: impl Fn(T) -> String) -> String {
    items.map(text).join("\n")
}

fn question(question: Question) -> String {
    let answer = |answer: &Answer| {
        let default = if *answer == question.default() { " (default)" } else { "" };
        format!("- `{answer}`{default}: {}\n", answer.text())
    };
    let answers: String = question.answers().iter().map(answer).collect();
    let (text, explanation) = (question.text(), question.explanation());
    format!("**`--{question}`: {text}** {explanation}\n\n{answers}")
}

fn table() -> String {
    let mut lines = vec![
        "The first row that fits decides. A question that a row does not name may have any answer."
            .to_owned(),
        String::new(),
        "| | if | pattern | why | instead |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(ROWS.iter().enumerate().map(|(index, row)| {
        let Row { pattern, why, instead, .. } = row;
        let (number, condition) = (index + 1, condition(row));
        format!(
            "| {number} | {condition} | {} | {why} | {}, {} |",
            link(*pattern),
            link(instead.pattern),
            instead.when
        )
    }));
    lines.join("\n") + "\n"
}

fn condition(row: &Row) -> String {
    let part = |question: Question| {
        let names: Vec<String> =
            row.answers(question).map(|answer| format!("`{answer}`")).collect();
        (!names.is_empty()).then(|| format!("{question} {}", names.join(" or ")))
    };
    let parts: Vec<String> = Question::ALL.into_iter().filter_map(part).collect();
    if parts.is_empty() { "everything else".to_owned() } else { parts.join(", ") }
}

fn pattern(pattern: Pattern) -> String {
    let list = |items: &[&str]| items.iter().map(|item| format!("- {item}\n")).collect::<String>();
    let leads = |(_, row): &(usize, &Row)| row.pattern == pattern;
    let rows = ROWS.iter().enumerate().filter(leads);
    let numbers: Vec<String> = rows.map(|(index, _)| (index + 1).to_string()).collect();
    // Settings depend on the answers; these are the plainest.
    let given: Given = [Answer::Double].into_iter().collect();
    format!(
        "### {}\n\n{}.\n\nWhat it costs:\n\n{}\nWhat it needs:\n\n{}\nA beginning:\n\n```yaml\n{}```\n\n\
         {}: {}. All about it: [patterns/{file}](../patterns/{file}).\n",
        title(pattern),
        capital(in_short(pattern)),
        list(costs(pattern)),
        list(needs(pattern)),
        settings(pattern, &given.completed()),
        if numbers.len() == 1 { "Row" } else { "Rows" },
        numbers.join(", "),
        file = file(pattern),
    )
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn link(pattern: Pattern) -> String {
    format!("[{}](../patterns/{})", pattern, file(pattern))
}

/// The pattern's page in patterns/; two of them go by older names.
fn file(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::BigBang => "big-bang.md",
        Pattern::Rolling => "rolling.md",
        Pattern::BlueGreen => "blue-green.md",
        Pattern::Canary => "canary.md",
        Pattern::Shadow => "shadow.md",
        Pattern::AbTesting => "ab-testing.md",
        Pattern::FeatureFlag => "feature-toggle.md",
    }
}

fn title(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::BigBang => "Big bang",
        Pattern::Rolling => "Rolling",
        Pattern::BlueGreen => "Blue-green",
        Pattern::Canary => "Canary",
        Pattern::Shadow => "Shadow",
        Pattern::AbTesting => "A/B test",
        Pattern::FeatureFlag => "Feature flag",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_link_leads_to_a_page() {
        let pages = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../patterns"));
        for pattern in Pattern::ALL {
            assert!(pages.join(file(pattern)).is_file(), "{pattern}");
        }
    }

    #[test]
    fn cells_hold_nothing_that_would_end_them() {
        for line in table().lines().skip(2) {
            assert_eq!(line.matches('|').count(), 6, "{line}");
        }
    }
}
