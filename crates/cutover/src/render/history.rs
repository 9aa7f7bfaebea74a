//! Rollouts of the past, one line each.

use cutover_engine::api::HistoryEntry;

use super::text::outcome_words;
use super::time::{span, time};

/// Newest first.
pub(crate) fn history(entries: &[HistoryEntry]) -> String {
    if entries.is_empty() {
        return "no rollout yet".to_owned();
    }
    let lines: Vec<String> = entries.iter().map(line).collect();
    lines.join("\n")
}

fn line(entry: &HistoryEntry) -> String {
    let HistoryEntry { number, subject, pattern, to, actor, begun, .. } = entry;
    let from = entry.from.as_ref().map_or("(first)".to_owned(), ToString::to_string);
    let end = match (entry.outcome, entry.superseded) {
        (Some(outcome), _) => outcome_words(outcome),
        (None, true) => "superseded".to_owned(),
        (None, false) => "goes on".to_owned(),
    };
    let took = entry.ended.map_or_else(String::new, |end| format!("  {}", span(end.since(*begun))));
    let mut text = format!(
        "#{number}  {}  {subject}  {from} → {to}  {pattern}  {end}{took}  {}  by {actor}",
        time(*begun),
        super::end::counts(&entry.counts)
    );
    if let Some(message) = &entry.message {
        text.push_str(&format!("\n    why: {message}"));
    }
    for reason in entry.reason.iter().flat_map(|reason| reason.lines()) {
        text.push_str(&format!("\n    {reason}"));
    }
    text
}
