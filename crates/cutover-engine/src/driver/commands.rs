//! What people ask of one app.

use std::sync::Arc;

use cutover_core::app::Phase;
use cutover_core::event::EventKind;
use cutover_core::id::{ReleaseId, Version};
use cutover_core::patterns::{Making, Pattern, plan, plan_back};
use cutover_core::plan::{Plan, Rest};
use cutover_core::record::{Outcome, Record};
use cutover_core::release::Release;
use cutover_core::units::Count;
use tokio::sync::oneshot;

use super::Driver;
use crate::api::{
    Accepted, Acted, Action, AppStatus, Conflict, DeployRequest, PlanAnswer, Refused, RefusedKind,
};
use crate::book::release_for;
use crate::context::chain;
use crate::ports::{Clock, DataPlane, Platform};

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
    /// Do what a person asks.
    Act { action: Action, actor: String, reply: Reply<Acted> },
    /// What it is like now.
    Status { reply: oneshot::Sender<AppStatus> },
}

/// A release that may be rolled out, before preflight.
pub(crate) enum Prepared {
    /// It is live already.
    Live(Box<Accepted>),
    /// To be checked, and then begun.
    Release(Box<Release>),
}

fn refused(kind: RefusedKind, message: String, help: &str) -> Refused {
    Refused { kind, message, help: Some(help.to_owned()) }
}

impl<P: Platform, D: DataPlane, C: Clock> Driver<P, D, C> {
    pub(super) async fn obey(&mut self, command: Command) {
        // Whoever asked may have gone: an answer nobody takes is no fault.
        match command {
            Command::Prepare { request, reply } => drop(reply.send(self.prepare(&request))),
            Command::Begin { request, actor, reply } => {
                let answer = self.begin(&request, &actor).await;
                drop(reply.send(answer));
            }
            Command::Plan { request, reply } => drop(reply.send(Ok(self.planned(&request)))),
            Command::Rollback { to, dry_run, actor, reply } => {
                let answer = self.roll_back(to.as_ref(), dry_run, &actor).await;
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
            Command::Status { reply } => drop(reply.send(self.status())),
        }
    }

    /// The release a request means.
    fn meant(&self, request: &DeployRequest) -> (Release, bool) {
        let known: Vec<Release> = self.releases.values().map(|r| (**r).clone()).collect();
        release_for(request, &known, &self.context.key, self.context.clock.now())
    }

    fn prepare(&mut self, request: &DeployRequest) -> Result<Prepared, Refused> {
        self.free_for(request.conflict)?;
        let (release, new) = self.meant(request);
        let live = self.app.rest.map(|rest| rest.live);
        if !new && live == Some(release.id) {
            if self.app.live().is_some() {
                return Err(refused(
                    RefusedKind::Usage,
                    format!(
                        "{} is the release that the running rollout leads away from",
                        release.name()
                    ),
                    "to go back to it use `cutover abort`",
                ));
            }
            if release.spec.instances == self.spec_instances() {
                let live = release.name();
                return Ok(Prepared::Live(Box::new(Accepted::NothingToDo { live })));
            }
        }
        Ok(Prepared::Release(Box::new(release)))
    }

    /// May a rollout begin now?
    fn free_for(&self, conflict: Conflict) -> Result<(), Refused> {
        if let Some(trouble) = self.troubles.get("journal") {
            return Err(refused(
                RefusedKind::Preflight,
                trouble.clone(),
                "nothing was changed; make room in the state folder and try again",
            ));
        }
        let Some(rollout) = self.app.live() else { return Ok(()) };
        if conflict == Conflict::Supersede {
            return Ok(());
        }
        let age = self.context.clock.now().since(rollout.begun);
        let to = self.name(rollout.plan.candidate);
        let to = to.map_or_else(String::new, |name| name.to_string());
        Err(refused(
            RefusedKind::Held,
            format!(
                "{}: rollout #{} to {to} by {} has been running for {} s",
                self.subject,
                self.run.number,
                self.run.actor,
                age.as_secs()
            ),
            "wait for it with `--wait`, replace it with `--supersede`, or end it with `cutover abort`",
        ))
    }

    /// The number of instances that the newest spec asked for.
    fn spec_instances(&self) -> Count {
        let newest = self.app.rollout.as_ref().map(|rollout| rollout.plan.candidate);
        let newest = newest.and_then(|id| self.releases.get(&id));
        newest.map_or(0, |release| release.spec.instances)
    }

    /// Where turning back leads: a superseded rollout's rest stays the rest.
    fn before(&self) -> Option<Rest> {
        let now = self.context.clock.now();
        let rest = self.app.live().map_or(self.app.rest, |rollout| rollout.plan.before)?;
        Some(Rest { standby: rest.standby.filter(|standby| standby.until > now), ..rest })
    }

    fn n_for(&self, release: &Release) -> Count {
        let asked = release.spec.instances;
        if asked == self.spec_instances() { self.app.n } else { asked }
    }

    fn make_plan(&self, release: &Release, back: bool) -> Plan {
        let making = Making {
            spec: &release.spec,
            n: self.n_for(release),
            before: self.before(),
            candidate: release.id,
        };
        if back { plan_back(making) } else { plan(self.pattern_for(release), making) }
    }

    fn pattern_for(&self, release: &Release) -> Pattern {
        release.spec.pattern
    }

    pub(crate) fn planned(&self, request: &DeployRequest) -> PlanAnswer {
        let (release, _) = self.meant(request);
        let n = self.n_for(&release);
        PlanAnswer {
            from: self.before().and_then(|rest| self.name(rest.live)),
            to: release.name(),
            n,
            scaled: n != release.spec.instances,
            plan: Box::new(self.make_plan(&release, false)),
        }
    }

    async fn begin(&mut self, request: &DeployRequest, actor: &str) -> Result<Accepted, Refused> {
        // Asked again: preflight took a while, and others may have been quicker.
        match self.prepare(request)? {
            Prepared::Live(accepted) => Ok(*accepted),
            Prepared::Release(release) => {
                let live = self.app.rest.map(|rest| rest.live);
                if live == Some(release.id) && self.releases.contains_key(&release.id) {
                    return self.rescale(*release, actor).await;
                }
                self.start(*release, false, vec![], actor).await
            }
        }
    }

    /// The same release with another number of instances is no rollout.
    async fn rescale(&mut self, release: Release, actor: &str) -> Result<Accepted, Refused> {
        let n = release.spec.instances;
        let live = release.name();
        self.releases.insert(release.id, Arc::new(release));
        self.write(Record::Scaled { n }, actor).await?;
        self.tell(EventKind::Scaled { n, actor: actor.to_owned() });
        Ok(Accepted::NothingToDo { live })
    }

    async fn start(
        &mut self,
        release: Release,
        back: bool,
        warnings: Vec<String>,
        actor: &str,
    ) -> Result<Accepted, Refused> {
        let plan = self.make_plan(&release, back);
        let (n, to) = (self.n_for(&release), release.name());
        let superseded = self.app.live().map(|_| self.run.number);
        if !self.releases.contains_key(&release.id) {
            let stored = self.context.journal.store(&self.subject, release.clone()).await;
            stored.map_err(|error| unwritable(&chain(&error)))?;
        }
        self.releases.insert(release.id, Arc::new(release));
        if n != self.app.n {
            self.write(Record::Scaled { n }, actor).await?;
        }
        let rollout = self.write(Record::Begun(Box::new(plan.clone())), actor).await?;
        let cursor = self.context.events.last();
        if let Some(old) = superseded {
            let kind = EventKind::Superseded { by: rollout };
            self.context.tell(&self.subject, Some(old), kind);
        }
        let from = plan.stable().and_then(|stable| self.name(stable));
        self.tell(EventKind::RolloutBegun {
            from: from.clone(),
            to: to.clone(),
            pattern: plan.pattern,
            n,
            plan: Box::new(plan.clone()),
            actor: actor.to_owned(),
            rollback: back,
        });
        self.tell(EventKind::StageEntered { stage: 0 });
        Ok(Accepted::Begun { rollout, cursor, from, to, plan: Box::new(plan), n, warnings })
    }

    async fn write(&mut self, record: Record, actor: &str) -> Result<u64, Refused> {
        let written = self.record(record, Some(actor.to_owned())).await;
        written.map_err(|error| unwritable(&chain(&error)))
    }

    async fn roll_back(
        &mut self,
        to: Option<&Version>,
        dry_run: bool,
        actor: &str,
    ) -> Result<Accepted, Refused> {
        if self.app.live().is_some() && to.is_none() {
            return Err(refused(
                RefusedKind::Held,
                format!("rollout #{} is running", self.run.number),
                "to turn it back use `cutover abort`",
            ));
        }
        self.free_for(Conflict::Refuse)?;
        let release = self.target(to)?;
        if self.app.rest.map(|rest| rest.live) == Some(release.id) {
            return Ok(Accepted::NothingToDo { live: release.name() });
        }
        let warnings = self.changed_secrets(&release);
        if dry_run {
            return Ok(Accepted::Begun {
                rollout: 0,
                cursor: self.context.events.last(),
                from: self.before().and_then(|rest| self.name(rest.live)),
                to: release.name(),
                plan: Box::new(self.make_plan(&release, true)),
                n: self.n_for(&release),
                warnings,
            });
        }
        let checked = self.context.platform.preflight(&self.subject, &release).await;
        checked.map_err(|error| Refused {
            kind: RefusedKind::Preflight,
            message: chain(&error),
            help: error.help.clone(),
        })?;
        self.start((*release).clone(), true, warnings, actor).await
    }

    /// The release a rollback leads to.
    fn target(&self, to: Option<&Version>) -> Result<Arc<Release>, Refused> {
        let nothing = |message: String| {
            let good = self.releases.values().filter(|r| self.lineage.is_good(r.id));
            let names: Vec<String> = good.map(|release| release.name().to_string()).collect();
            let help = if names.is_empty() {
                "no release of this app has been good yet".to_owned()
            } else {
                format!("nothing was changed; good releases: {}", names.join(", "))
            };
            refused(RefusedKind::Usage, message, &help)
        };
        let id: Option<ReleaseId> = match (to, self.app.rest) {
            (Some(version), _) => {
                let named = self.releases.values().filter(|r| r.version == *version);
                named.map(|r| r.id).filter(|id| self.lineage.is_good(*id)).max()
            }
            (None, Some(rest)) => self.lineage.before(rest.live),
            (None, None) => None,
        };
        let found = id.and_then(|id| self.releases.get(&id).cloned());
        found.ok_or_else(|| match to {
            Some(version) => nothing(format!("{}: no good release {version}", self.subject)),
            None => nothing(format!("{}: no good release before the live one", self.subject)),
        })
    }

    fn changed_secrets(&self, release: &Release) -> Vec<String> {
        let now = self.context.key.secrets(&release.spec, &release.base);
        let changed =
            release.secrets.iter().filter(|(name, digest)| now.get(*name) != Some(digest));
        changed
            .map(|(name, _)| {
                format!("secret {name} is not what it was when {} was made", release.name())
            })
            .collect()
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
                self.write(Record::Scaled { n }, actor).await?;
                self.tell(EventKind::Scaled { n, actor: actor_name });
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
        let cursor = self.context.events.last();
        self.start((*release).clone(), back, vec![], actor).await?;
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

fn unwritable(error: &str) -> Refused {
    refused(
        RefusedKind::Preflight,
        format!("the journal cannot be written: {error}"),
        "nothing was changed; make room in the state folder and try again",
    )
}
