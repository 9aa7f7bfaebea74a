//! The rollouts of the past: decisions from the journal, counts from the event log.

use std::collections::BTreeMap;

use cutover_core::event::EventKind;
use cutover_core::id::Subject;
use cutover_core::record::Record;
use cutover_core::release::ReleaseName;

use crate::api::HistoryEntry;
use crate::events::EventLog;
use crate::journal::{Journal, JournalError};

/// All rollouts of one app, oldest first.
pub(crate) fn of(
    journal: &Journal,
    events: &EventLog,
    subject: &Subject,
) -> Result<Vec<HistoryEntry>, JournalError> {
    let releases = journal.releases(subject)?;
    let names: BTreeMap<_, ReleaseName> = releases.iter().map(|r| (r.id, r.name())).collect();
    let mut entries: Vec<HistoryEntry> = vec![];
    for entry in journal.records(subject)? {
        match entry.record {
            Record::Begun(plan) => {
                if let Some(last) = entries.last_mut().filter(|last| last.outcome.is_none()) {
                    last.superseded = true;
                    last.ended = Some(entry.at);
                }
                let Some(to) = names.get(&plan.candidate).cloned() else { continue };
                entries.push(HistoryEntry {
                    number: entry.index,
                    subject: subject.clone(),
                    pattern: plan.pattern,
                    from: plan.stable().and_then(|stable| names.get(&stable).cloned()),
                    to,
                    actor: entry.actor.unwrap_or_default(),
                    begun: entry.at,
                    ended: None,
                    outcome: None,
                    superseded: false,
                    counts: cutover_core::dataplane::Counters::default(),
                    reason: None,
                    message: plan.message.clone(),
                });
            }
            Record::Finished(outcome) => {
                if let Some(last) = entries.last_mut() {
                    last.outcome = Some(outcome);
                    last.ended = Some(entry.at);
                }
            }
            _ => {}
        }
    }
    for event in events.finished(subject)? {
        let found = entries.iter_mut().find(|entry| Some(entry.number) == event.rollout);
        if let (Some(entry), EventKind::RolloutFinished { counts, reason, .. }) =
            (found, event.kind)
        {
            entry.counts = counts;
            entry.reason = reason;
        }
    }
    Ok(entries)
}
