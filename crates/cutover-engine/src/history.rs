//! The rollouts of the past: decisions from the journal, counts from the event log.

use std::collections::BTreeMap;

use cutover_core::app::App;
use cutover_core::event::EventKind;
use cutover_core::id::{ReleaseId, Subject};
use cutover_core::plan::Plan;
use cutover_core::record::{Outcome, Record};
use cutover_core::release::ReleaseName;
use cutover_core::units::At;

use crate::api::{Grown, HistoryEntry, JudgedStage};
use crate::events::EventLog;
use crate::journal::{Entry, Journal, JournalError};

/// All rollouts of one app, oldest first.
pub(crate) fn of(
    journal: &impl Journal,
    events: &EventLog,
    subject: &Subject,
) -> Result<Vec<HistoryEntry>, JournalError> {
    let releases = journal.releases(subject)?;
    let mut names: BTreeMap<_, _> = releases.iter().map(|r| (r.id, r.name())).collect();
    names.extend(journal.pruned(subject)?.into_iter().map(|(id, gone)| (id, gone.name)));
    let mut past = Past { subject, names, app: App::default(), found: vec![] };
    for entry in journal.records(subject)? {
        past.learn(entry);
    }
    for event in events.finished(subject)? {
        if let (Some(number), EventKind::RolloutFinished { counts, partial, reason, exit_code, .. }) =
            (event.rollout, event.kind)
            && let Some(found) = past.found.iter_mut().find(|found| found.number == number)
        {
            found.counts = Some(counts);
            found.counts_partial = partial;
            found.exit_code = Some(exit_code);
            found.reason = reason;
        }
    }
    Ok(past.found)
}

/// Looks at a stage that are kept of those before the last one.
const LOOKS: usize = 48;

/// What the judge saw at the stages of a rollout.
pub(crate) fn judged(events: &EventLog, rollout: u64) -> Result<Vec<JudgedStage>, JournalError> {
    let mut stages: BTreeMap<usize, JudgedStage> = BTreeMap::new();
    for event in events.judged(rollout, LOOKS)? {
        let EventKind::Judged { stage, verdict, reason, evidence } = event.kind else { continue };
        let before = stages.remove(&stage).map_or_else(Vec::new, |known| known.grown);
        let look = evidence.map(|look| *look);
        let grown = look.iter().map(|look| Grown {
            at: event.at,
            log_not_worse: look.log_not_worse,
            log_beyond: look.log_beyond,
        });
        let grown =
            grown.filter(|grown| grown.log_not_worse.is_finite() && grown.log_beyond.is_finite());
        let grown = before.into_iter().chain(grown).collect();
        stages.insert(stage, JudgedStage { stage, verdict, reason, evidence: look, grown });
    }
    Ok(stages.into_values().collect())
}

/// The rollouts that the journal told so far.
struct Past<'a> {
    subject: &'a Subject,
    names: BTreeMap<ReleaseId, ReleaseName>,
    /// What the records came to so far.
    app: App,
    found: Vec<HistoryEntry>,
}

impl Past<'_> {
    fn learn(&mut self, Entry { index, at, actor, record }: Entry) {
        // What does not fit changes nothing, as when it is replayed.
        let _ = self.app.apply(at, &record);
        if let Record::Begun(plan) = record {
            return self.begin(index, at, actor, &plan);
        }
        let Some(entry) = self.found.last_mut() else { return };
        match record {
            Record::AbortRequested { .. } => entry.aborted_by = actor.or(entry.aborted_by.take()),
            Record::TurnedBack(_) => entry.turned_back_at = Some(at),
            Record::Finished(outcome) => {
                entry.outcome = Some(outcome);
                entry.ended = Some(at);
                let live = self.app.rest.as_ref().map(|rest| rest.live);
                entry.went_live = outcome == Outcome::Succeeded && live == Some(entry.to.id);
            }
            // The others do not show in a list of rollouts.
            _ => {}
        }
    }

    fn begin(&mut self, number: u64, at: At, actor: Option<String>, plan: &Plan) {
        if let Some(entry) = self.found.last_mut().filter(|entry| entry.outcome.is_none()) {
            entry.superseded = true;
            entry.ended = Some(at);
        }
        let Some(to) = self.names.get(&plan.candidate).cloned() else { return };
        let entry = HistoryEntry {
            number,
            subject: self.subject.clone(),
            pattern: plan.pattern,
            from: plan.stable().and_then(|stable| self.names.get(&stable).cloned()),
            to,
            ramp: plan.ramped(),
            actor: actor.unwrap_or_default(),
            begun: at,
            ended: None,
            outcome: None,
            superseded: false,
            rollback: plan.back,
            went_live: false,
            turned_back_at: None,
            aborted_by: None,
            exit_code: None,
            counts: None,
            counts_partial: false,
            reason: None,
            message: plan.message.clone(),
            judged: vec![],
        };
        self.found.push(entry);
    }
}
