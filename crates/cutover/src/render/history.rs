//! Rollouts of the past: a line each, and below it who, what users got, and why it ended so.

use cutover_core::dataplane::Counters;
use cutover_core::record::{Outcome, Why};
use cutover_engine::api::{Grown, HistoryEntry, JudgedStage};
use cutover_judge::Verdict;

use super::evidence::{Part, difference, grown, reached};
use super::text::why_words;
use super::time::{minute, span};

/// One rollout on one line, with the time of day it ended: for the screen.
pub(crate) fn history_line(entry: &HistoryEntry) -> String {
    let HistoryEntry { number, pattern, to, actor, begun, ended, .. } = entry;
    let from = entry.from.as_ref().map_or("(first)".to_owned(), ToString::to_string);
    let day = minute(ended.unwrap_or(*begun));
    let what = match &entry.ramp {
        Some((flag, share)) => format!("{flag} to {share}"),
        None => format!("{from} → {to}"),
    };
    format!("{day}  #{number} {what}  {pattern}  {}  by {actor}", end(entry))
}

/// Cells for how evidence grew.
const CELLS: usize = 8;

/// Below a rollout's line.
const INDENT: &str = "     ";
/// Lines of a reason that are shown without being asked for more.
const SHORT: usize = 2;

/// Newest first. `verbose` shows reasons whole, with the log lines.
pub(crate) fn history(entries: &[HistoryEntry], verbose: bool) -> String {
    if entries.is_empty() {
        return "no rollout yet".to_owned();
    }
    let several = entries.iter().any(|entry| Some(&entry.subject) != first_subject(entries));
    let rows: Vec<[String; 7]> = entries.iter().map(|entry| cells(entry, several)).collect();
    let width = |column: usize| {
        let widths = rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..7).map(width).collect();
    let mut lines = vec![];
    for (entry, row) in entries.iter().zip(&rows) {
        let cells = row.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let padded: Vec<String> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
        lines.push(padded.join("  ").trim_end().to_owned());
        lines.push(format!("{INDENT}by {}; {}", entry.actor, counted(entry)));
        lines.extend(entry.message.as_ref().map(|message| format!("{INDENT}\"{message}\"")));
        lines.extend(entry.judged.iter().filter_map(judged));
        lines.extend(because(entry, verbose));
    }
    lines.join("\n")
}

fn first_subject(entries: &[HistoryEntry]) -> Option<&cutover_core::id::Subject> {
    entries.first().map(|entry| &entry.subject)
}

/// Number, begin, app if there are several, from and to, pattern, end, duration.
fn cells(entry: &HistoryEntry, several: bool) -> [String; 7] {
    let from = entry.from.as_ref().map_or("(first)".to_owned(), ToString::to_string);
    let pattern = if entry.rollback { "rollback".to_owned() } else { entry.pattern.to_string() };
    let took = entry.ended.map_or_else(String::new, |end| span(end.since(entry.begun)));
    [
        format!("#{}", entry.number),
        minute(entry.begun),
        if several { entry.subject.to_string() } else { String::new() },
        match &entry.ramp {
            Some((flag, share)) => format!("{flag} to {share}"),
            None => format!("{from} → {}", entry.to),
        },
        pattern,
        end(entry).to_owned(),
        took,
    ]
}

fn end(entry: &HistoryEntry) -> &'static str {
    match (entry.outcome, entry.superseded) {
        (Some(Outcome::Succeeded), _) if entry.went_live => "succeeded",
        // A shadow or an experiment: the old release is live as planned.
        (Some(Outcome::Succeeded), _) => "observed",
        (Some(Outcome::RolledBack(_)), _) => "turned back",
        (Some(Outcome::RolledBackDegraded(_)), _) => "turned back, degraded",
        (Some(Outcome::Stuck(_)), _) => "stuck",
        (None, true) => "superseded",
        (None, false) => "goes on",
    }
}

fn counted(entry: &HistoryEntry) -> String {
    let known = |counts: &Counters| super::end::counts(counts);
    match (&entry.counts, entry.outcome, entry.counts_partial) {
        (Some(counts), _, false) => known(counts),
        (Some(counts), _, true) => format!("at least {}; the daemon started anew", known(counts)),
        (None, Some(_), _) => "what was served is unknown".to_owned(),
        (None, None, _) => "not counted".to_owned(),
    }
}

/// `stage 1: not worse ▁▂▄▆█ 100%  worse ▁▁▁▁▁ 0%  errors +0.12 ≤ +1.20pp`
fn judged(stage: &JudgedStage) -> Option<String> {
    let look = stage.evidence.as_ref()?;
    let grew = |log: fn(&Grown) -> f64, part: Part| {
        let values: Vec<f64> = stage.grown.iter().map(|grown| reached(part, log(grown))).collect();
        grown(&values, CELLS)
    };
    let good = grew(|grown| grown.log_not_worse, Part::NotWorse);
    let bad = grew(|grown| grown.log_beyond, Part::Worse);
    let mut seen = difference(look.telling()?);
    if look.verdict == Verdict::Hold {
        // Worse, though perhaps not beyond the tolerance.
        seen.push_str("  suspect");
    }
    Some(format!("{INDENT}stage {}: not worse {good}  worse {bad}  {seen}", stage.stage + 1))
}

fn because(entry: &HistoryEntry, verbose: bool) -> Vec<String> {
    let why = match entry.outcome {
        Some(Outcome::RolledBack(why) | Outcome::RolledBackDegraded(why) | Outcome::Stuck(why)) => {
            why
        }
        Some(Outcome::Succeeded) | None => return vec![],
    };
    let mut lines = vec![match (why, &entry.aborted_by) {
        (Why::Aborted, Some(who)) => format!("{INDENT}because {who} asked for it"),
        (_, _) => format!("{INDENT}because {}", why_words(why)),
    }];
    let reason = entry.reason.iter().flat_map(|reason| reason.lines());
    // Log lines begin with a bar.
    let is_log = |line: &str| line.trim_start().starts_with('|');
    let shown: Vec<&str> = reason.filter(|line| verbose || !is_log(line)).collect();
    let most = if verbose { shown.len() } else { SHORT };
    lines.extend(shown.iter().take(most).map(|line| format!("{INDENT}  {line}")));
    if shown.len() > most {
        lines.push(format!("{INDENT}  … more with -v"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn entry(change: Value) -> HistoryEntry {
        let release = |id: &str, version: &str| json!({"id": id, "version": version, "ordinal": 1});
        let mut whole = json!({
            "number": 9, "subject": "shop", "pattern": "rolling", "from": release("r1", "v1"),
            "to": release("r2", "v2"), "actor": "ana (uid 1000)", "begun": 1_795_457_600_123_u64,
            "ended": 1_795_457_612_423_u64, "outcome": "succeeded", "superseded": false,
            "went_live": true, "counts": {"requests": 5031, "drained": 3}, "reason": null,
        });
        whole.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn every_end_reads_well_and_fits_a_terminal() {
        let text = history(
            &[
                entry(json!({"number": 120, "outcome": null, "ended": null, "counts": null})),
                entry(json!({"number": 104, "pattern": "blue-green",
                    "outcome": {"rolled-back": "not-ready"},
                    "reason": "v2.0: GET /health → 500\n  | starting\n  | boom\nv2.1: exited\nv2.2: exited",
                    "message": "the new basket"})),
                entry(json!({"number": 90, "outcome": {"rolled-back": "aborted"},
                    "aborted_by": "bob (uid 1001)", "counts": null})),
                entry(json!({"number": 9, "rollback": true, "counts_partial": true})),
                entry(json!({"number": 4, "outcome": null, "superseded": true, "counts": null})),
                entry(json!({"number": 2, "pattern": "shadow", "went_live": false})),
            ],
            false,
        );
        let expected = "\
#120  2026-11-23 18:13  v1 → v2  rolling     goes on
     by ana (uid 1000); not counted
#104  2026-11-23 18:13  v1 → v2  blue-green  turned back  12.3 s
     by ana (uid 1000); served 5031, failed 0, drained 3
     \"the new basket\"
     because an instance was not ready in time
       v2.0: GET /health → 500
       v2.1: exited
       … more with -v
#90   2026-11-23 18:13  v1 → v2  rolling     turned back  12.3 s
     by ana (uid 1000); what was served is unknown
     because bob (uid 1001) asked for it
#9    2026-11-23 18:13  v1 → v2  rollback    succeeded    12.3 s
     by ana (uid 1000); at least served 5031, failed 0, drained 3; the daemon started anew
#4    2026-11-23 18:13  v1 → v2  rolling     superseded   12.3 s
     by ana (uid 1000); not counted
#2    2026-11-23 18:13  v1 → v2  shadow      observed     12.3 s
     by ana (uid 1000); served 5031, failed 0, drained 3";
        assert_eq!(text, expected, "\n{text}");
    }

    #[test]
    fn the_evidence_of_each_stage_is_a_line() {
        let look = super::super::evidence::testing::look("promote", 3.1, 0.0);
        let grown: Vec<Value> = (0..30)
            .map(|k| json!({"at": k, "log_not_worse": f64::from(k) / 9.0, "log_beyond": -1.0}))
            .collect();
        let judged = json!([
            {"stage": 0, "verdict": "pass", "reason": "fine", "evidence": look, "grown": grown},
            {"stage": 1, "verdict": "pass", "reason": "by the bounds alone"},
        ]);
        let text = history(&[entry(json!({"judged": judged}))], false);
        let expected = "
     stage 1: not worse ▂▃▄▅▆▇▇█ 100%  worse ▁▁▁▁▁▁▁▁ 0%  errors +0.12 ≤ +1.20pp";
        assert!(text.ends_with(expected), "{text}");
        let mut judged = judged;
        judged[0]["evidence"]["verdict"] = json!("hold");
        let text = history(&[entry(json!({"judged": judged}))], false);
        assert!(text.ends_with("pp  suspect"), "{text}");
    }

    #[test]
    fn log_lines_are_shown_when_asked_for_and_apps_when_there_are_several() {
        let turned =
            json!({"outcome": {"rolled-back": "crash-loop"}, "reason": "v2.0: exited 1\n  | boom"});
        let entries = [entry(turned), entry(json!({"subject": "api.production"}))];
        let text = history(&entries, true);
        assert!(text.contains("       v2.0: exited 1\n         | boom\n"), "{text}");
        assert!(text.contains("18:13  shop            v1 → v2"), "{text}");
        assert!(text.contains("18:13  api.production  v1 → v2"), "{text}");
        assert_eq!(history(&[], false), "no rollout yet");
    }
}
