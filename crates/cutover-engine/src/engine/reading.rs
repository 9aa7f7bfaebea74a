//! What clients read: apps as they are, past rollouts, events, counts, logs. Changes nothing.

use std::sync::Arc;

use cutover_core::app::App;
use cutover_core::dataplane::Seconds;
use cutover_core::event::{Event, EventKind};
use cutover_core::id::{Environment, InstanceId, Subject};
use cutover_core::kpi::{self, Period, Report, Targets};
use cutover_core::units::At;
use tokio::sync::mpsc;

use super::{Engine, internal};
use crate::api::{AppStatus, HistoryEntry, Refused, RefusedKind, StageComparison};
use crate::context::{Context, chain};
use crate::driver::Command;
use crate::history;
use crate::journal::{Journal, JournalError};
use crate::ports::{Clock, DataPlane, DataPlaneError, Platform, World};
use crate::report;

impl<W: World> Engine<W> {
    /// Every app, or one.
    ///
    /// # Errors
    /// If there is no such app.
    pub async fn status(&self, subject: Option<&Subject>) -> Result<Vec<AppStatus>, Refused> {
        let drivers: Vec<mpsc::Sender<Command>> = match subject {
            Some(subject) => vec![self.known(subject).await?],
            None => self.drivers.lock().await.values().cloned().collect(),
        };
        let mut all = vec![];
        for commands in drivers {
            let status = self.ask(&commands, |reply| Command::Status { reply }).await?;
            // An app that was planned or refused and never began is none.
            if subject.is_some()
                || status.live.is_some()
                || status.rollout.is_some()
                || !status.instances.is_empty()
            {
                all.push(status);
            }
        }
        Ok(all)
    }

    /// What the journal of one app comes to, and decisions that are ahead of it.
    ///
    /// # Errors
    /// If there is no such app.
    pub async fn app(&self, subject: &Subject) -> Result<App, Refused> {
        let commands = self.known(subject).await?;
        self.ask(&commands, |reply| Command::App { reply }).await
    }

    /// Rollouts, newest first.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn history(
        &self,
        subject: Option<&Subject>,
        most: usize,
    ) -> Result<Vec<HistoryEntry>, Refused> {
        let subject = subject.cloned();
        self.read(move |context| {
            let subjects = match subject {
                Some(subject) => vec![subject],
                None => context.journal.subjects()?,
            };
            let mut entries = vec![];
            for subject in subjects {
                entries.extend(history::of(&context.journal, &context.events, &subject)?);
            }
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.number));
            entries.truncate(most);
            Ok(entries)
        })
        .await
    }

    /// Adds to each rollout what the judge saw at its stages.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn with_evidence(
        &self,
        mut entries: Vec<HistoryEntry>,
    ) -> Result<Vec<HistoryEntry>, Refused> {
        self.read(move |context| {
            for entry in &mut entries {
                entry.judged = history::judged(&context.events, entry.number)?;
            }
            Ok(entries)
        })
        .await
    }

    /// What the stages of the newest rollouts compared, newest first, at most `most`; the stage that
    /// is under way first.
    ///
    /// # Errors
    /// If there is no such app, or the log cannot be read.
    pub async fn compared(
        &self,
        subject: &Subject,
        most: usize,
    ) -> Result<Vec<StageComparison>, Refused> {
        let commands = self.known(subject).await?;
        let now = self.ask(&commands, |reply| Command::Compared { reply }).await?;
        let stored = self.context.events.compared(subject, most).map_err(|e| internal(&e))?;
        let before = stored.into_iter().filter_map(|event| match (event.rollout, event.kind) {
            (Some(rollout), EventKind::Compared { stage, comparison }) => {
                Some(StageComparison { rollout, stage, live: false, comparison: *comparison })
            }
            _ => None,
        });
        Ok(now.into_iter().chain(before).take(most).collect())
    }

    /// What the judge of a rollout was fed with, oldest first; empty where that is not known.
    ///
    /// # Errors
    /// If there is no such app, or the log cannot be read.
    pub async fn ticks(&self, subject: &Subject, rollout: u64) -> Result<Vec<String>, Refused> {
        self.known(subject).await?;
        self.context.events.ticks(subject, rollout).map_err(|error| internal(&error))
    }

    /// The key figures of one app, of all in one environment, or of all.
    ///
    /// # Errors
    /// If there is no such app, or the journal cannot be read.
    pub async fn report(
        &self,
        subject: Option<&Subject>,
        env: Option<&Environment>,
        since: At,
    ) -> Result<Report, Refused> {
        if let Some(subject) = subject {
            self.known(subject).await?;
        }
        let (subject, env) = (subject.cloned(), env.cloned());
        let rows = self.read(move |context| {
            report::rows(&context.journal, &context.events, subject.as_ref(), env.as_ref())
        });
        let rows = rows.await?;
        let until = self.context.clock.now();
        let period = Period { since: since.min(until), until };
        Ok(kpi::report(&rows, period, Targets::default()))
    }

    /// Stored events after `after` (of one app, or all), oldest first, at most `most`.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn events(
        &self,
        subject: Option<&Subject>,
        after: u64,
        most: usize,
    ) -> Result<Vec<Event>, Refused> {
        self.context.events.since(subject, after, most).map_err(|error| internal(&error))
    }

    /// The cursor that leaves the newest `most` stored events to read, of one app or all.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn before_newest(
        &self,
        subject: Option<&Subject>,
        most: usize,
    ) -> Result<u64, Refused> {
        self.context.events.before_newest(subject, most).map_err(|error| internal(&error))
    }

    /// What the data plane counted for one app, by the second, after a cursor.
    ///
    /// # Errors
    /// If no users reach the app through the data plane, or it does not answer.
    pub async fn seconds(&self, subject: &Subject, after: u64) -> Result<Seconds, Refused> {
        self.known(subject).await?;
        let error = match self.context.dataplane.seconds(subject, after).await {
            Ok(seconds) => return Ok(seconds),
            Err(error) => error,
        };
        let releases = self.context.journal.releases(subject).unwrap_or_default();
        let has_users = releases.last().is_none_or(|release| release.spec.listen.is_some());
        Err(match error {
            DataPlaneError::Unreachable(_) if has_users => Refused {
                kind: RefusedKind::Internal,
                message: format!("the requests of {subject} cannot be read: {}", chain(&error)),
                help: Some("what it does: `cutover proxy status`".to_owned()),
            },
            DataPlaneError::Unreachable(_) | DataPlaneError::Refused(_) => Refused {
                kind: RefusedKind::Usage,
                message: format!("nobody counts requests of {subject}"),
                help: Some("the proxy counts for apps with `listen`, once they serve".to_owned()),
            },
        })
    }

    /// The last lines of one instance's output, oldest first.
    ///
    /// # Errors
    /// If there is no such instance.
    pub async fn logs(
        &self,
        subject: &Subject,
        instance: InstanceId,
        lines: usize,
    ) -> Result<Vec<String>, Refused> {
        self.known(subject).await?;
        let logs = self.context.platform.logs(subject, instance, lines).await;
        logs.map_err(|error| Refused {
            kind: RefusedKind::Usage,
            message: chain(&error),
            help: Some("see `cutover status` for the instances there are".to_owned()),
        })
    }

    /// Reads journal and events, off the threads that must answer at once.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Context<W>) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, Refused> {
        let context = Arc::clone(&self.context);
        let read = tokio::task::spawn_blocking(move || read(&context)).await;
        read.map_err(|error| internal(&error))?.map_err(|error| internal(&error))
    }
}
