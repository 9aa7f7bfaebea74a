//! Rows for the key figures, from the journal and the event log.

use cutover_core::dataplane::Counters;
use cutover_core::id::{Environment, Subject};
use cutover_core::kpi::{End, Row};

use crate::api::HistoryEntry;
use crate::events::EventLog;
use crate::history;
use crate::journal::{Journal, JournalError};

/// Every rollout of the apps that are asked for.
pub(crate) fn rows(
    journal: &impl Journal,
    events: &EventLog,
    subject: Option<&Subject>,
    env: Option<&Environment>,
) -> Result<Vec<Row>, JournalError> {
    let mut rows = vec![];
    for known in journal.subjects()? {
        if subject.is_none_or(|subject| *subject == known)
            && env.is_none_or(|env| *env == known.env)
        {
            let past = history::of(journal, events, &known)?.into_iter();
            // A ramp alone releases nothing.
            rows.extend(past.filter(|entry| entry.ramp.is_none()).map(row));
        }
    }
    Ok(rows)
}

fn row(entry: HistoryEntry) -> Row {
    let counts = known_counts(&entry);
    let HistoryEntry { subject, pattern, rollback, begun, ended, turned_back_at, .. } = entry;
    let end = match (ended, entry.outcome) {
        (Some(at), Some(outcome)) => End::Ended { at, outcome, went_live: entry.went_live },
        (Some(at), None) => End::Superseded { at },
        (None, _) => End::Live,
    };
    Row { subject, pattern, rollback, begun, turned_back_at, end, counts }
}

/// A part of the counts can show that a request failed, but not that none did.
fn known_counts(entry: &HistoryEntry) -> Option<Counters> {
    entry.counts.filter(|counts| !entry.counts_partial || counts.failed + counts.lost > 0)
}
