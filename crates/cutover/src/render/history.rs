//! Rollouts of the past, one line each.

use cutover_engine::api::HistoryEntry;

use super::text::outcome_words;
use super::time::{span, time};

/// One rollout on one line, with the time of day it ended: for the screen.
pub(crate) fn history_line(entry: &HistoryEntry) -> String {
    let HistoryEntry { number, pattern, to, actor, begun, ended, .. } = entry;
    let from = entry.from.as_ref().map_or("(first)".to_owned(), ToString::to_string);
    let day = time(ended.unwrap_or(*begun));
    let day = day.get(..16).unwrap_or(&day).replace('T', " ");
    format!("{day}  #{number} {from} → {to}  {pattern}  {}  by {actor}", outcome(entry))
}

fn outcome(entry: &HistoryEntry) -> String {
    match (entry.outcome, entry.superseded) {
        (Some(outcome), _) => outcome_words(outcome),
        (None, true) => "superseded".to_owned(),
        (None, false) => "goes on".to_owned(),
    }
}

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
    let end = outcome(entry);
    let took = entry.ended.map_or_else(String::new, |end| format!("  {}", span(end.since(*begun))));
    let mut text = format!(
        "#{number}  {}  {subject}  {from} → {to}  {pattern}  {end}{took}  {}  by {actor}",
        time(*begun),
        super::end::counts(&entry.counts)
    );
    for reason in entry.reason.iter().flat_map(|reason| reason.lines()) {
        text.push_str(&format!("\n    {reason}"));
    }
    text
}
