//! The engine as its host sees it: one driver an app, and what clients ask of them. What they only
//! read is in `reading`.

mod reading;

use std::collections::BTreeMap;
use std::sync::Arc;

use cutover_core::event::{Event, EventKind};
use cutover_core::id::{Environment, Subject};
use tokio::sync::{Mutex, broadcast, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::{
    Accepted, Acted, Action, Conflict, DeployRequest, PlanAnswer, RampRequest, Refused,
    RefusedKind, RollbackRequest,
};
use crate::clock::Stamp;
use crate::context::{Context, chain};
use crate::driver::{Command, Driver, Prepared};
use crate::journal::{Journal, JournalError};
use crate::kept::Kept;
use crate::ports::{DataPlane, Parts, Platform, World};
use crate::prune::{PruneAnswer, PruneRequest};

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

    /// Begins a ramp of a flag on the live release.
    ///
    /// # Errors
    /// Nothing was changed.
    pub async fn ramp(&self, request: RampRequest, actor: &str) -> Result<Accepted, Refused> {
        let commands = self.known(&request.subject).await?;
        let (request, actor) = (Box::new(request), actor.to_owned());
        self.ask(&commands, |reply| Command::Ramp { request, actor, reply }).await?
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
