//! Recording what was decided, before it is done.

use cutover_core::event::EventKind;
use cutover_core::id::ReleaseId;
use cutover_core::observed::Observed;
use cutover_core::record::Record;
use cutover_core::units::At;

use super::{Driver, Run};
use crate::context::chain;
use crate::journal::{Journal, JournalError};
use crate::ports::{Clock, DataPlane, World};

/// How often the tally is stored.
const STORE_TALLY: std::time::Duration = std::time::Duration::from_secs(2);
impl<W: World> Driver<W> {
    /// Records what `next` decided, one by one; false when the journal stopped it.
    pub(super) async fn commit(&mut self, records: Vec<Record>, observed: &Observed) -> bool {
        for record in records {
            let detail = match &record {
                Record::TurnedBack(why) => Some(self.explain(*why).await),
                _ => None,
            };
            // What the stage has shown is gone once it is left.
            let shown = match &record {
                Record::Passed { .. } | Record::TurnedBack(_) => self.comparison(),
                _ => None,
            };
            if self.record(record.clone(), None).await.is_err() {
                return false;
            }
            if let Some((stage, comparison)) = shown {
                let comparison = Box::new(comparison);
                self.tell(EventKind::Compared { stage, comparison });
            }
            self.tell_record(&record, detail, observed).await;
            self.follow_up(&record);
        }
        true
    }

    /// What a record sets off beside the world it aims at.
    fn follow_up(&mut self, record: &Record) {
        match record {
            Record::HookStarted { stage, hook } => self.start_hook(*stage, *hook),
            Record::Passed { stage } => {
                self.run.tally.enter(stage + 1);
                self.keep_tally();
                self.run.verdict = None;
                self.run.waiting_told = None;
            }
            Record::Finished(outcome) => self.start_hooks_after(*outcome),
            _ => {}
        }
    }

    /// Writes one record and folds it in; its index.
    ///
    /// When the journal cannot be written nothing goes forward. Turning back is done all the same
    /// and recorded when there is room again: it takes traffic off a candidate, and a restarted
    /// engine would come to the same.
    pub(super) async fn record(
        &mut self,
        record: Record,
        actor: Option<String>,
    ) -> Result<u64, JournalError> {
        let context = &self.context;
        let stamp = context.clock.stamp();
        let at = stamp.at;
        let blocked = !self.unrecorded.is_empty();
        let written = if blocked {
            Err(JournalError::Cancelled)
        } else {
            let records = vec![record.clone()];
            context.journal.append(&self.subject, stamp, actor.clone(), records).await
        };
        match written {
            Ok(index) => {
                self.fine("journal");
                if let Record::Begun(_) = &record {
                    let actor = actor.unwrap_or_default();
                    self.run = Run { number: index, actor, ..Run::default() };
                }
                self.apply(at, &record);
                Ok(index)
            }
            Err(error) => {
                if !blocked {
                    let text = format!(
                        "nothing goes forward until the journal can be written: {}",
                        chain(&error)
                    );
                    self.trouble("journal", &text);
                }
                if matches!(
                    record,
                    Record::AbortRequested { .. }
                        | Record::TurnedBack(_)
                        | Record::FlagKilled { .. }
                ) {
                    self.apply(at, &record);
                    self.unrecorded.push((record, actor));
                    return Ok(0);
                }
                Err(error)
            }
        }
    }

    /// Records what had to wait for room.
    pub(super) async fn flush(&mut self) {
        while let Some((record, actor)) = self.unrecorded.first().cloned() {
            let stamp = self.context.clock.stamp();
            let records = vec![record];
            match self.context.journal.append(&self.subject, stamp, actor, records).await {
                Ok(_) => drop(self.unrecorded.remove(0)),
                Err(_) => return,
            }
            self.context.journal.make_room().await;
            self.fine("journal");
        }
    }

    /// Reads what the data plane counted since the last look.
    pub(super) async fn count(&mut self, now: At) {
        let Some(rollout) = self.app.live() else { return };
        if self.watch.state.is_none() {
            return;
        }
        let candidate = rollout.plan.candidate;
        if self.watch.state.as_ref().is_some_and(|state| state.table.serves(candidate)) {
            self.run.exposed = true;
        }
        // Counts come by the second; looking more often finds nothing new.
        if self.run.tally.cursor().is_some()
            && now.since(self.run.tally.looked_at) < std::time::Duration::from_millis(200)
        {
            return;
        }
        self.prepare_evidence(now);
        self.read_counts(candidate, now).await;
    }

    async fn read_counts(&mut self, candidate: ReleaseId, now: At) {
        let after = self.run.tally.cursor().unwrap_or(0);
        match self.context.dataplane.seconds(&self.subject, after).await {
            Ok(seconds) => self.run.tally.read(&seconds, candidate, now),
            Err(_) => self.run.tally.looked = false,
        }
        if now.since(self.run.tally.stored_at) >= STORE_TALLY {
            self.run.tally.stored_at = now;
            self.keep_tally();
        }
    }

    /// Stores the tally, for a daemon that starts again in the middle.
    pub(super) fn keep_tally(&mut self) {
        let lines = self.run.tally.evidence.take_recorded();
        self.context.events.keep_tally(&self.subject, self.run.number, &self.run.tally);
        self.context.events.keep_ticks(&self.subject, self.run.number, &lines);
    }

    /// Reads the counts for the last time, the second that is not over yet included.
    pub(super) async fn read_last(&mut self, candidate: ReleaseId, now: At) {
        if self.watch.state.is_some() {
            self.read_counts(candidate, now).await;
            self.run.tally.close(candidate);
        }
    }
}
