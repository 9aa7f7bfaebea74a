//! What `cutover guide` recommends, in words.

use cutover_core::guide::{Answer, Recommendation, in_short};

use super::wrap::labelled;

/// Where the text beside a label begins.
const COLUMN: usize = 10;

/// The whole answer: pattern, reasons, what was assumed, the lines for the spec, what to do next.
pub(crate) fn guide(found: &Recommendation, assumed: &[Answer]) -> String {
    let instead = format!("{}, {}", found.runner_up.pattern, found.runner_up.when);
    let mut blocks = vec![
        why(found),
        format!("{}\n{}", list("costs", found.costs), list("needs", found.needs)),
        labelled("instead", COLUMN, &instead),
    ];
    blocks.extend(assumptions(assumed));
    blocks.push(format!("In cutover.yaml:\n\n{}", found.yaml.trim_end()));
    blocks.push(labelled("next", COLUMN, &next(found)));
    blocks.join("\n\n")
}

/// The pattern, and why.
pub(crate) fn why(found: &Recommendation) -> String {
    let take = format!("{}: {}", found.pattern, in_short(found.pattern));
    format!("{}\n{}", labelled("take", COLUMN, &take), labelled("why", COLUMN, found.why))
}

/// The command that shows what the recommendation would do.
pub(crate) fn next(found: &Recommendation) -> String {
    format!("cutover plan VERSION --pattern {} --diagram", found.pattern)
}

fn list(label: &str, items: &[&str]) -> String {
    let line = |(index, item): (usize, &&str)| {
        let label = if index == 0 { label } else { "" };
        labelled(&format!("{label:<COLUMN$}- "), COLUMN + 2, item)
    };
    items.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn assumptions(assumed: &[Answer]) -> Option<String> {
    let line = |(index, answer): (usize, &Answer)| {
        let label = if index == 0 { "assumed" } else { "" };
        let flag = format!("--{} {answer}", answer.question());
        labelled(&format!("{label:<COLUMN$}{flag:<20}  "), COLUMN + 22, answer.text())
    };
    let lines: Vec<String> = assumed.iter().enumerate().map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use cutover_core::guide::{Given, recommend};

    use super::*;

    #[test]
    fn every_answer_keeps_to_80_columns() {
        for answers in Given::default().all() {
            let text = guide(&recommend(&answers), &Given::default().assumed());
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        }
    }

    #[test]
    fn what_was_assumed_is_told_as_flags() {
        let given: Given = [Answer::Apart].into_iter().collect();
        let text = guide(&recommend(&given.completed()), &given.assumed());
        assert!(text.contains("assumed   --users http          people or"), "{text}");
        assert!(text.contains("\n          --downtime no         somebody has"), "{text}");
        assert!(!text.contains("--side-by-side"), "{text}");
    }
}
