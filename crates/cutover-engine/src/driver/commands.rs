//! What people ask of one app.

use cutover_core::app::{App, Phase};
use cutover_core::event::EventKind;
use cutover_core::id::Version;
use cutover_core::plan::Plan;
use cutover_core::record::{Outcome, Record};
use cutover_core::release::Release;
use tokio::sync::oneshot;

use super::Driver;
use crate::api::{
    Accepted, Acted, Action, AppStatus, Conflict, DeployRequest, PlanAnswer, RampRequest, Refused,
    RefusedKind, StageComparison,
};
use crate::ports::World;
use crate::prune::{PruneAnswer, PruneRequest};

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Refused>>;

/// What people ask of one app.
pub(crate) enum Command {
    /// Which release a request means, and whether it may begin.
    Prepare { request: Box<DeployRequest>, reply: Reply<Prepared> },
    /// Begin the rollout of a prepared release.
    Begin { request: Box<DeployRequest>, actor: String, reply: Reply<Accepted> },
    /// The plan of a request; changes nothing.
    Plan { request: Box<DeployRequest>, reply: Reply<PlanAnswer> },
    /// Go back.
    Rollback { to: Option<Version>, dry_run: bool, actor: String, reply: Reply<Accepted> },
    /// Change the share of a flag on the live release.
    Ramp { request: Box<RampRequest>, actor: String, reply: Reply<Accepted> },
    /// Do what a person asks.
    Act { action: Action, actor: String, reply: Reply<Acted> },
    /// Remove what old releases left behind.
    Prune { request: PruneRequest, actor: String, reply: Reply<PruneAnswer> },
    /// What it is like now.
    Status { reply: oneshot::Sender<AppStatus> },
    /// What its journal comes to, and decisions that are ahead of it.
    App { reply: oneshot::Sender<App> },
    /// What both sides of the stage under way are like.
    Compared { reply: oneshot::Sender<Option<StageComparison>> },
}

/// A release that may be rolled out, before preflight.
pub(crate) enum Prepared {
    /// It is live already.
    Live(Box<Accepted>),
    /// To be checked, and then begun.
    Release(Box<Release>),
}

pub(super) fn refused(kind: RefusedKind, message: String, help: &str) -> Refused {
    Refused { kind, message, help: Some(help.to_owned()) }
}

impl<W: World> Driver<W> {
    pub(super) async fn obey(&mut self, command: Command) {
        // Whoever asked may have gone: an answer nobody takes is no fault.
        match command {
            Command::Prepare { request, reply } => drop(reply.send(self.prepare(&request))),
            Command::Begin { request, actor, reply } => {
                let answer = self.begin(&request, &actor).await;
                drop(reply.send(answer));
            }
            Command::Plan { request, reply } => drop(reply.send(self.planned(&request))),
            Command::Rollback { to, dry_run, actor, reply } => {
                let answer = self.roll_back(to.as_ref(), dry_run, &actor).await;
                drop(reply.send(answer));
            }
            Command::Ramp { request, actor, reply } => {
                let answer = self.ramp(&request, &actor).await;
                drop(reply.send(answer));
            }
            Command::Act { action: Action::Down, actor, reply } => {
                match self.go_down(&actor).await {
                    Ok(()) => self.down_replies.push(reply),
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
            Command::Act { action, actor, reply } => {
                let answer = self.act(action, &actor).await;
                drop(reply.send(answer));
            }
            Command::Prune { request, actor, reply } => {
                let answer = self.prune(request, &actor).await;
                drop(reply.send(answer));
            }
            Command::Status { reply } => drop(reply.send(self.status())),
            Command::App { reply } => drop(reply.send(self.app.clone())),
            Command::Compared { reply } => drop(reply.send(self.compared_now())),
        }
    }

    async fn act(&mut self, action: Action, actor: &str) -> Result<Acted, Refused> {
        let cursor = self.context.events.last();
        let live = self.app.live().map(|rollout| rollout.phase);
        let nobody = |verb: &str| {
            refused(
                RefusedKind::Usage,
                format!("{}: no rollout is running", self.subject),
                &format!("there is nothing to {verb}; see `cutover status`"),
            )
        };
        let actor_name = actor.to_owned();
        match (action, live) {
            (Action::Promote, Some(Phase::Forward(forward)))
                if forward.reached.is_none() && forward.holding.is_none() =>
            {
                return Err(refused(
                    RefusedKind::Usage,
                    format!("{}: the stage is not reached yet", self.subject),
                    "nothing was changed; see `cutover status`, and promote when it waits",
                ));
            }
            (Action::Promote, Some(Phase::Forward(forward)))
                if self.is_experiment(forward.stage) =>
            {
                return Err(refused(
                    RefusedKind::Usage,
                    format!("{}: an experiment is running", self.subject),
                    "nothing was changed; end it with `cutover experiment conclude --keep a` (the old version) or `--keep b` (the new one)",
                ));
            }
            (Action::Promote, Some(Phase::Forward(forward))) => {
                self.write(Record::Approved { stage: forward.stage }, actor).await?;
                self.tell(EventKind::Approved { actor: actor_name });
            }
            (Action::Promote, _) => return Err(nobody("promote")),
            (Action::Pause, Some(_)) => {
                self.write(Record::Paused, actor).await?;
                self.tell(EventKind::Paused { actor: actor_name });
            }
            (Action::Resume, Some(_)) => {
                self.write(Record::Resumed, actor).await?;
                self.tell(EventKind::Resumed { actor: actor_name });
            }
            (Action::Abort { force }, Some(_)) => {
                self.write(Record::AbortRequested { force }, actor).await?;
                self.tell(EventKind::AbortRequested { actor: actor_name });
            }
            (Action::Pause | Action::Resume | Action::Abort { .. }, None) => {
                return Err(nobody("act on"));
            }
            (Action::Scale { n }, _) => {
                if n == 0 || n > 1000 {
                    let text = format!("{n} instances: use a number from 1 to 1000");
                    return Err(refused(
                        RefusedKind::Usage,
                        text,
                        "to stop an app use `cutover down`",
                    ));
                }
                self.write(Record::Scaled { n, by_spec: false }, actor).await?;
                self.tell(EventKind::Scaled { n, actor: actor_name });
            }
            (Action::Confirm, _) => self.confirm(actor).await?,
            (Action::Conclude { keep }, _) => self.conclude(keep, actor).await?,
            (Action::Freeze { reason, lasts }, _) => self.freeze(reason, lasts, actor).await?,
            (Action::Unfreeze, _) => self.unfreeze(actor).await?,
            (Action::KillFlag { flag, reason }, _) => self.kill_flag(flag, reason, actor).await?,
            (Action::RestoreFlag { flag, reason }, _) => {
                self.restore_flag(flag, reason, actor).await?;
            }
            (Action::Retry, _) => return self.retry(actor).await,
            // Its answer waits for the last instance.
            (Action::Down, _) => self.go_down(actor).await?,
        }
        let rollout = self.app.live().map(|_| self.run.number);
        Ok(Acted { rollout, cursor, recorded: self.unrecorded.is_empty() })
    }

    async fn retry(&mut self, actor: &str) -> Result<Acted, Refused> {
        self.free_for(Conflict::Refuse)?;
        let failed = self.app.rollout.as_ref().filter(|rollout| match rollout.phase {
            Phase::Done(Outcome::Succeeded) | Phase::Forward(_) | Phase::Back { .. } => false,
            Phase::Done(_) => true,
        });
        let release = failed.and_then(|r| self.releases.get(&r.plan.candidate)).cloned();
        let Some(release) = release else {
            let text = format!("{}: the last rollout did not fail", self.subject);
            return Err(refused(RefusedKind::Usage, text, "nothing was changed"));
        };
        let back = failed.is_some_and(|rollout| rollout.plan.back);
        let message = failed.and_then(|rollout| rollout.plan.message.clone());
        let confirm = failed.and_then(|rollout| rollout.plan.confirms_within());
        if !back {
            self.thawed()?;
        }
        let cursor = self.context.events.last();
        if let Some(plan) = self.ramp_again() {
            self.start((*release).clone(), plan, vec![], actor).await?;
            return Ok(Acted { rollout: Some(self.run.number), cursor, recorded: true });
        }
        self.check(&release).await?;
        let mut plan = Plan { message, ..self.make_plan(&release, back) };
        if let Some(limit) = confirm {
            plan.confirm_within(limit);
        }
        self.start((*release).clone(), plan, vec![], actor).await?;
        Ok(Acted { rollout: Some(self.run.number), cursor, recorded: true })
    }

    async fn go_down(&mut self, actor: &str) -> Result<(), Refused> {
        if self.app.live().is_some() {
            return Err(refused(
                RefusedKind::Held,
                format!("{}: rollout #{} is running", self.subject, self.run.number),
                "end it first with `cutover abort`",
            ));
        }
        self.write(Record::Down, actor).await?;
        self.tell(EventKind::Down { actor: actor.to_owned() });
        Ok(())
    }
}

pub(super) fn unwritable(error: &str) -> Refused {
    refused(
        RefusedKind::Preflight,
        format!("the journal cannot be written: {error}"),
        "nothing was changed; make room in the state folder and try again",
    )
}
