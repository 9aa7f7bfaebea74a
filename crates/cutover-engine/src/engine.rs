//! The engine as its host sees it: one driver an app, and what clients ask of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use cutover_core::app::App;
use cutover_core::dataplane::Seconds;
use cutover_core::event::{Event, EventKind};
use cutover_core::id::{Environment, InstanceId, Subject};
use cutover_core::kpi::{self, Period, Report, Targets};
use cutover_core::units::At;
use tokio::sync::{Mutex, broadcast, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::{
    Accepted, Acted, Action, AppStatus, Conflict, DeployRequest, HistoryEntry, PlanAnswer, Refused,
    RefusedKind, RollbackRequest, StageComparison,
};
use crate::clock::Stamp;
use crate::context::{Context, chain};
use crate::driver::{Command, Driver, Prepared};
use crate::history;
use crate::journal::{Journal, JournalError};
use crate::kept::Kept;
use crate::ports::{Clock, DataPlane, DataPlaneError, Parts, Platform, World};
use crate::prune::{PruneAnswer, PruneRequest};
use crate::report;

/// Commands that may wait for one driver.
const WAITING: usize = 64;

/// Drives the rollouts of all apps.
pub struct Engine<W: World> {
    context: Arc<Context<W>>,
    drivers: Mutex<BTreeMap<Subject, mpsc::Sender<Command>>>,
    tasks: Mutex<JoinSet<()>>,
    stop: CancellationToken,
}

impl<W: World> std::fmt::Debug for Engine<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

pub(crate) fn internal(error: &dyn std::error::Error) -> Refused {
    Refused { kind: RefusedKind::Internal, message: chain(error), help: None }
}

impl<W: World> Engine<W> {
    /// Replays the journal, and takes every app up where it was. The clock is made to go on from the
    /// journal's newest stamp.
    ///
    /// # Errors
    /// Where the journal cannot be replayed.
    pub async fn start(
        kept: Kept<W::Journal>,
        parts: Parts<W>,
        clock: impl FnOnce(Option<&Stamp>) -> W::Clock + Send,
    ) -> Result<Self, Refused> {
        let newest = kept.journal.newest().map_err(|error| internal(&error))?;
        let subjects = kept.journal.subjects().map_err(|error| internal(&error))?;
        let clock = clock(newest.as_ref());
        let context = Context::new(kept, parts, clock);
        let engine = Engine {
            context: Arc::new(context),
            drivers: Mutex::default(),
            tasks: Mutex::default(),
            stop: CancellationToken::new(),
        };
        for subject in subjects {
            engine.driver(&subject).await.map_err(|error| internal(&error))?;
        }
        Ok(engine)
    }

    /// The driver of an app, started if need be.
    async fn driver(&self, subject: &Subject) -> Result<mpsc::Sender<Command>, JournalError> {
        let mut drivers = self.drivers.lock().await;
        if let Some(commands) = drivers.get(subject).filter(|commands| !commands.is_closed()) {
            return Ok(commands.clone());
        }
        let driver = Driver::take_up(Arc::clone(&self.context), subject.clone()).await?;
        let (commands, receiver) = mpsc::channel(WAITING);
        self.tasks.lock().await.spawn(driver.drive(receiver, self.stop.child_token()));
        drivers.insert(subject.clone(), commands.clone());
        Ok(commands)
    }

    /// The driver of an app that is known.
    async fn known(&self, subject: &Subject) -> Result<mpsc::Sender<Command>, Refused> {
        let drivers = self.drivers.lock().await;
        if let Some(commands) = drivers.get(subject) {
            return Ok(commands.clone());
        }
        let names: Vec<String> = drivers.keys().map(ToString::to_string).collect();
        let help = match names.as_slice() {
            [] => "no app has been deployed yet: `cutover deploy VERSION`".to_owned(),
            names => format!("known apps: {}", names.join(", ")),
        };
        let message = format!("there is no app {subject}");
        Err(Refused { kind: RefusedKind::Usage, message, help: Some(help) })
    }

    async fn ask<T>(
        &self,
        commands: &mpsc::Sender<Command>,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Refused> {
        let gone = || Refused {
            kind: RefusedKind::Internal,
            message: "the app's driver is gone".to_owned(),
            help: Some(
                "start the daemon again: `cutover daemon stop`, then any command".to_owned(),
            ),
        };
        let (reply, answer) = oneshot::channel();
        commands.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// Begins a rollout, or says why not.
    ///
    /// # Errors
    /// Nothing was changed.
    pub async fn deploy(&self, request: DeployRequest, actor: &str) -> Result<Accepted, Refused> {
        let subject = request.subject.clone();
        let commands = self.driver(&subject).await.map_err(|error| internal(&error))?;
        loop {
            let mut live = self.subscribe();
            match self.deploy_once(&commands, &request, actor).await {
                Err(held)
                    if held.kind == RefusedKind::Held && request.conflict == Conflict::Wait =>
                {
                    over(&mut live, &subject).await;
                }
                answer => return answer,
            }
        }
    }

    async fn deploy_once(
        &self,
        commands: &mpsc::Sender<Command>,
        request: &DeployRequest,
        actor: &str,
    ) -> Result<Accepted, Refused> {
        let boxed = Box::new(request.clone());
        let prepared =
            self.ask(commands, |reply| Command::Prepare { request: boxed, reply }).await??;
        let release = match prepared {
            Prepared::Live(accepted) => return Ok(*accepted),
            Prepared::Release(release) => release,
        };
        let (context, subject) = (&self.context, &request.subject);
        context.platform.preflight(subject, &release).await.map_err(|e| Refused::preflight(&e))?;
        context
            .dataplane
            .preflight(subject, &release.spec)
            .await
            .map_err(|e| Refused::preflight(&e))?;
        context.platform.prepare(subject, &release).await.map_err(|e| Refused::preflight(&e))?;
        let (request, actor) = (Box::new(request.clone()), actor.to_owned());
        self.ask(commands, |reply| Command::Begin { request, actor, reply }).await?
    }

    /// Begins a rollout back to an earlier release.
    ///
    /// # Errors
    /// Nothing was changed.
    pub async fn rollback(
        &self,
        request: RollbackRequest,
        actor: &str,
    ) -> Result<Accepted, Refused> {
        let commands = self.known(&request.subject).await?;
        let RollbackRequest { to, dry_run, .. } = request;
        let actor = actor.to_owned();
        self.ask(&commands, |reply| Command::Rollback { to, dry_run, actor, reply }).await?
    }

    /// The plan that `deploy` would follow; changes nothing.
    ///
    /// # Errors
    /// As `deploy`.
    pub async fn plan(&self, request: DeployRequest) -> Result<PlanAnswer, Refused> {
        let known = self.drivers.lock().await.get(&request.subject).cloned();
        let commands = match known {
            Some(commands) => commands,
            // An app that is only planned leaves nothing behind.
            None => {
                let driver =
                    Driver::take_up(Arc::clone(&self.context), request.subject.clone()).await;
                return driver.map_err(|error| internal(&error))?.planned(&request);
            }
        };
        let request = Box::new(request);
        self.ask(&commands, |reply| Command::Plan { request, reply }).await?
    }

    /// Does what a person asks of one app.
    ///
    /// # Errors
    /// Nothing was changed.
    pub async fn act(
        &self,
        subject: &Subject,
        action: Action,
        actor: &str,
    ) -> Result<Acted, Refused> {
        let commands = self.known(subject).await?;
        let actor = actor.to_owned();
        self.ask(&commands, |reply| Command::Act { action, actor, reply }).await?
    }

    /// Removes what old releases of one app left behind, or says what would go.
    ///
    /// # Errors
    /// Nothing was changed.
    pub async fn prune(
        &self,
        subject: &Subject,
        request: PruneRequest,
        actor: &str,
    ) -> Result<PruneAnswer, Refused> {
        let commands = self.known(subject).await?;
        let actor = actor.to_owned();
        let answer =
            self.ask(&commands, |reply| Command::Prune { request, actor, reply }).await??;
        if !answer.dry_run {
            let context = Arc::clone(&self.context);
            let compact = move || context.journal.compact().and_then(|()| context.events.compact());
            // Best effort: room that is not given back now is used again by what comes.
            let _ = tokio::task::spawn_blocking(compact).await;
        }
        Ok(answer)
    }

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
        let context = Arc::clone(&self.context);
        let subject = subject.cloned();
        let read = move || -> Result<Vec<HistoryEntry>, JournalError> {
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
        };
        let entries = tokio::task::spawn_blocking(read).await.map_err(|error| internal(&error))?;
        entries.map_err(|error| internal(&error))
    }

    /// Adds to each rollout what the judge saw at its stages.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn with_evidence(
        &self,
        mut entries: Vec<HistoryEntry>,
    ) -> Result<Vec<HistoryEntry>, Refused> {
        let context = Arc::clone(&self.context);
        let read = move || -> Result<Vec<HistoryEntry>, JournalError> {
            for entry in &mut entries {
                entry.judged = history::judged(&context.events, entry.number)?;
            }
            Ok(entries)
        };
        let entries = tokio::task::spawn_blocking(read).await.map_err(|error| internal(&error))?;
        entries.map_err(|error| internal(&error))
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
        let context = Arc::clone(&self.context);
        let (subject, env) = (subject.cloned(), env.cloned());
        let read =
            move || report::rows(&context.journal, &context.events, subject.as_ref(), env.as_ref());
        let rows = tokio::task::spawn_blocking(read).await.map_err(|error| internal(&error))?;
        let until = self.context.clock.now();
        let period = Period { since: since.min(until), until };
        Ok(kpi::report(&rows.map_err(|error| internal(&error))?, period, Targets::default()))
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

    /// Tells the clients of every app of an environment that something is wrong there.
    pub async fn warn(&self, env: &Environment, text: &str) {
        let drivers = self.drivers.lock().await;
        for subject in drivers.keys().filter(|subject| subject.env == *env) {
            self.context.tell(subject, None, EventKind::Warning { text: text.to_owned() });
        }
    }

    /// Events from now on. A receiver that lags reads `events` again from its cursor.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.context.events.subscribe()
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

    /// Stops deciding. Instances, proxy and traffic stay as they are.
    pub async fn stop(&self) {
        self.stop.cancel();
        let mut tasks = self.tasks.lock().await;
        while tasks.join_next().await.is_some() {}
    }
}

/// Returns when a rollout of the subject may have ended.
async fn over(live: &mut broadcast::Receiver<Arc<Event>>, subject: &Subject) {
    loop {
        match live.recv().await {
            Ok(event) => {
                let finished = matches!(event.kind, EventKind::RolloutFinished { .. });
                if finished && event.subject == *subject {
                    return;
                }
            }
            // Too slow, or over: asking again tells.
            Err(_) => return,
        }
    }
}
