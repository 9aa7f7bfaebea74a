//! What two sides of a stage are like, as a table.

use std::time::Duration;

use cutover_core::comparison::{Compared, Comparison, Copies, Side};
use cutover_core::guard::percent;
use cutover_core::sample::quantile;
use cutover_engine::api::StageComparison;

use super::time::span;

/// All of them, a block each.
pub(crate) fn comparisons(stages: &[StageComparison]) -> String {
    if stages.is_empty() {
        return "nothing has been compared yet: shadow, canary, ab-testing and feature-flag do"
            .to_owned();
    }
    let block = |stage: &StageComparison| {
        let when = if stage.live { "so far" } else { "in all" };
        let head = format!("rollout #{}, stage {}, {when}", stage.rollout, stage.stage + 1);
        format!("{head}: {}", lines(&stage.comparison).join("\n"))
    };
    stages.iter().map(block).collect::<Vec<_>>().join("\n\n")
}

/// One comparison: what it is of, and a line for each side.
pub(crate) fn lines(comparison: &Comparison) -> Vec<String> {
    let Comparison { of, a, b, copies, milliseconds } = comparison;
    let release = |side: &Side| side.release.as_ref().map_or("-".to_owned(), |r| r.to_string());
    let (what, names) = match of {
        Compared::Shadow => ("copies".to_owned(), (release(a), format!("{} (copies)", release(b)))),
        Compared::Experiment => {
            ("experiment".to_owned(), (format!("a {}", release(a)), format!("b {}", release(b))))
        }
        Compared::Flag { key, share } => {
            (format!("flag {key} on for {share}"), ("off".to_owned(), "on".to_owned()))
        }
        Compared::Releases => ("both versions".to_owned(), (release(a), release(b))),
        Compared::Before => {
            ("before and after".to_owned(), (format!("{} (before)", release(a)), release(b)))
        }
    };
    let width = names.0.chars().count().max(names.1.chars().count()).max(6);
    let took = span(Duration::from_millis(*milliseconds));
    let mut lines = vec![
        format!("{what}, after {took}"),
        format!(
            "  {:<width$}  {:>9}  {:>7}  {:>8}  {:>9}  {:>9}",
            "side", "requests", "bad", "bad in %", "p50", "p99"
        ),
    ];
    for (name, side) in [(names.0, a), (names.1, b)] {
        lines.push(format!(
            "  {name:<width$}  {:>9}  {:>7}  {:>8}  {:>9}  {:>9}",
            side.counts.requests,
            side.bad(),
            percent(side.bad(), side.counts.requests),
            latency(side.p50),
            latency(side.p99),
        ));
    }
    lines.extend(copies.iter().flat_map(of_copies));
    lines
}

fn of_copies(copies: &Copies) -> Vec<String> {
    let Copies { sent, unanswered, same_status, same_body, other_body, .. } = copies;
    let mut text = format!(
        "  {sent} copied: {same_status} with the same status, {} with another",
        copies.other_status()
    );
    for (count, what) in [
        (*unanswered, "without an answer"),
        (copies.alone, "whose original had none"),
        (copies.behind, "more not copied: too many were under way"),
        (copies.too_large, "more not copied: too large"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    let mut lines = vec![text];
    if same_body + other_body > 0 {
        lines.push(format!("  bodies: {same_body} the same, {other_body} not"));
    }
    let mut pairs: Vec<_> = copies.statuses.iter().collect();
    pairs.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    lines.extend(pairs.iter().take(5).map(|(pair, count)| format!("  {pair}: {count}")));
    let p99 = |latency| quantile(latency, 0.99);
    if let (Some(original), Some(copy)) = (p99(&copies.original), p99(&copies.copy.latency)) {
        let (original, copy) = (milliseconds(original), milliseconds(copy));
        lines.push(format!("  p99 of what was copied: {original} original, {copy} copy"));
    }
    lines
}

fn latency(micros: Option<u64>) -> String {
    micros.map_or("-".to_owned(), |micros| milliseconds(Duration::from_micros(micros)))
}

fn milliseconds(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use cutover_core::dataplane::Counters;

    use super::*;

    fn side(requests: u64, errors: u64) -> Side {
        let counts = Counters { requests, errors, ..Counters::default() };
        Side { release: None, counts, p50: Some(1900), p99: Some(12_000) }
    }

    #[test]
    fn a_shadow_reads_like_this() {
        let mut copies = Copies { sent: 300, same_status: 280, ..Copies::default() };
        copies.differ("200 → 500".to_owned(), 19);
        copies.unanswered = 1;
        copies.behind = 7;
        let comparison = Comparison {
            of: Compared::Shadow,
            a: side(3000, 1),
            b: side(300, 20),
            copies: Some(copies),
            milliseconds: 61_000,
        };
        insta::assert_snapshot!(lines(&comparison).join("\n"));
    }
}
