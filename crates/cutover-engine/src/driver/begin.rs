//! Beginning a rollout: which release is meant, may it begin, by which plan.

use std::sync::Arc;

use cutover_core::event::EventKind;
use cutover_core::id::{ReleaseId, Version};
use cutover_core::patterns::{Making, Pattern, plan, plan_back};
use cutover_core::plan::{Plan, Rest};
use cutover_core::record::Record;
use cutover_core::release::Release;
use cutover_core::units::Count;

use super::Driver;
use super::commands::{Prepared, refused, unwritable};
use crate::api::{Accepted, Conflict, DeployRequest, PlanAnswer, Refused, RefusedKind};
use crate::book::release_for;
use crate::context::chain;
use crate::journal::Journal;
use crate::ports::{Clock, DataPlane, Platform, World};

impl<W: World> Driver<W> {
    /// The release a request means.
    fn meant(&self, request: &DeployRequest) -> (Release, bool) {
        let known: Vec<Release> = self.releases.values().map(|r| (**r).clone()).collect();
        release_for(request, &known, &self.pruned, &self.context.key, self.context.clock.now())
    }

    pub(super) fn prepare(&mut self, request: &DeployRequest) -> Result<Prepared, Refused> {
        self.thawed()?;
        self.free_for(request.conflict)?;
        let (release, new) = self.meant(request);
        let running = self.app.live().map(|rollout| rollout.plan.candidate);
        if !new && running == Some(release.id) {
            return Err(refused(
                RefusedKind::Held,
                format!(
                    "{}: rollout #{} already leads to {}",
                    self.subject,
                    self.run.number,
                    release.name()
                ),
                "watch it with `cutover status --watch`, or end it with `cutover abort`",
            ));
        }
        let live = self.app.rest.as_ref().map(|rest| rest.live);
        let listens =
            live.and_then(|live| self.releases.get(&live)).map(|r| r.spec.listen.is_some());
        if listens.is_some_and(|listens| listens != release.spec.listen.is_some()) {
            return Err(refused(
                RefusedKind::Usage,
                format!(
                    "{}: an app with users cannot become a worker, nor the reverse",
                    self.subject
                ),
                "nothing was changed; take it down first: `cutover down`",
            ));
        }
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
            if release.spec.instances == self.app.spec_n {
                let live = release.name();
                return Ok(Prepared::Live(Box::new(Accepted::NothingToDo { live })));
            }
        }
        Ok(Prepared::Release(Box::new(release)))
    }

    /// New releases may be refused for a while.
    pub(super) fn thawed(&self) -> Result<(), Refused> {
        let now = self.context.clock.now();
        match self.app.frozen.as_ref().filter(|freeze| freeze.holds(now)) {
            None => Ok(()),
            Some(freeze) => Err(refused(
                RefusedKind::Frozen,
                format!("{} is frozen by {}: {}", self.subject, freeze.by, freeze.reason),
                "nothing was changed; `cutover rollback` and `cutover abort` work all the same, and `cutover unfreeze` ends it",
            )),
        }
    }

    /// May a rollout begin now?
    pub(super) fn free_for(&self, conflict: Conflict) -> Result<(), Refused> {
        if !self.unrecorded.is_empty() {
            return Err(unwritable("what was decided is not recorded yet"));
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

    /// Where turning back leads: a superseded rollout's rest stays the rest.
    pub(super) fn before(&self) -> Option<Rest> {
        let now = self.context.clock.now();
        let live = self.app.live();
        let rest = live.map_or(&self.app.rest, |rollout| &rollout.plan.before).clone()?;
        Some(Rest { standby: rest.standby.filter(|standby| standby.until > now), ..rest })
    }

    fn n_for(&self, release: &Release) -> Count {
        let asked = release.spec.instances;
        if asked == self.app.spec_n { self.app.n } else { asked }
    }

    pub(super) fn make_plan(&self, release: &Release, back: bool) -> Plan {
        let making = Making {
            spec: &release.spec,
            n: self.n_for(release),
            before: self.before(),
            candidate: release.id,
        };
        if back { plan_back(making) } else { plan(release.spec.pattern, making) }
    }

    /// The plan of a request, with what it asks for beside the spec.
    fn plan_for(&self, request: &DeployRequest, release: &Release) -> Result<Plan, Refused> {
        let mut plan = self.make_plan(release, false);
        if let Some(flag) = &plan.flag {
            self.unless_killed(flag)?;
        }
        plan.message = request.message.as_ref().map(|text| text.chars().take(500).collect());
        if let Some(limit) = request.confirm {
            if !plan.promotes() {
                return Err(refused(
                    RefusedKind::Usage,
                    format!("{} alone does not make {} live", plan.pattern, release.name()),
                    "nothing was changed; leave out --confirm, or take a pattern that does",
                ));
            }
            plan.confirm_within(limit.0);
        }
        Ok(plan)
    }

    pub(crate) fn planned(&self, request: &DeployRequest) -> Result<PlanAnswer, Refused> {
        let (release, _) = self.meant(request);
        let n = self.n_for(&release);
        Ok(PlanAnswer {
            from: self.before().and_then(|rest| self.name(rest.live)),
            to: release.name(),
            n,
            scaled: n != release.spec.instances,
            plan: Box::new(self.plan_for(request, &release)?),
        })
    }

    pub(super) async fn begin(
        &mut self,
        request: &DeployRequest,
        actor: &str,
    ) -> Result<Accepted, Refused> {
        // Asked again: preflight took a while, and others may have been quicker.
        match self.prepare(request)? {
            Prepared::Live(accepted) => Ok(*accepted),
            Prepared::Release(release) => {
                let live = self.app.rest.as_ref().map(|rest| rest.live);
                if live == Some(release.id) && self.releases.contains_key(&release.id) {
                    return self.rescale(*release, actor).await;
                }
                let plan = self.plan_for(request, &release)?;
                let warnings = self.said_of(&plan, &release);
                self.start(*release, plan, warnings, actor).await
            }
        }
    }

    /// The same release with another number of instances is no rollout.
    async fn rescale(&mut self, release: Release, actor: &str) -> Result<Accepted, Refused> {
        let n = release.spec.instances;
        let live = release.name();
        self.store(&release).await?;
        self.write(Record::Scaled { n, by_spec: true }, actor).await?;
        self.releases.insert(release.id, Arc::new(release));
        self.tell(EventKind::Scaled { n, actor: actor.to_owned() });
        Ok(Accepted::NothingToDo { live })
    }

    pub(super) async fn start(
        &mut self,
        release: Release,
        plan: Plan,
        warnings: Vec<String>,
        actor: &str,
    ) -> Result<Accepted, Refused> {
        let back = plan.back;
        let shown = self.comparison();
        let (n, to) = (self.n_for(&release), release.name());
        let superseded = self.app.live().map(|_| self.run.number);
        self.store(&release).await?;
        self.releases.insert(release.id, Arc::new(release));
        let rollout = self.write(Record::Begun(Box::new(plan.clone())), actor).await?;
        for reply in self.down_replies.drain(..) {
            let text = format!("{}: {to} is being deployed", self.subject);
            // Whoever asked may have gone.
            let _ = reply.send(Err(refused(RefusedKind::Held, text, "the app is not down")));
        }
        let cursor = self.context.events.last();
        if let (Some(old), Some((stage, comparison))) = (superseded, shown) {
            let kind = EventKind::Compared { stage, comparison: Box::new(comparison) };
            self.context.tell(&self.subject, Some(old), kind);
        }
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

    /// Stores a release that is new, or rolled out in another way than before.
    async fn store(&mut self, release: &Release) -> Result<(), Refused> {
        let known = self.releases.get(&release.id).is_some_and(|known| **known == *release);
        if known {
            return Ok(());
        }
        let stored = self.context.journal.store(&self.subject, release.clone()).await;
        stored.map_err(|error| unwritable(&chain(&error)))
    }

    pub(super) async fn write(&mut self, record: Record, actor: &str) -> Result<u64, Refused> {
        let written = self.record(record, Some(actor.to_owned())).await;
        written.map_err(|error| unwritable(&chain(&error)))
    }

    pub(super) async fn roll_back(
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
        if self.app.rest.as_ref().map(|rest| rest.live) == Some(release.id) {
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
        self.check(&release).await?;
        let plan = self.make_plan(&release, true);
        self.start((*release).clone(), plan, warnings, actor).await
    }

    /// Can this release run here, and be reached?
    pub(super) async fn check(&self, release: &Release) -> Result<(), Refused> {
        let (context, subject) = (&self.context, &self.subject);
        context.platform.preflight(subject, release).await.map_err(|e| Refused::preflight(&e))?;
        let reached = context.dataplane.preflight(subject, &release.spec).await;
        reached.map_err(|error| Refused::preflight(&error))
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
        let id: Option<ReleaseId> = match (to, &self.app.rest) {
            (Some(version), _) => {
                let named = self.releases.values().filter(|r| r.version == *version);
                named.map(|r| r.id).filter(|id| self.lineage.is_good(*id)).max()
            }
            (None, Some(rest)) => self.lineage.before(rest.live),
            (None, None) => None,
        };
        let found = id.and_then(|id| self.releases.get(&id).cloned());
        found.ok_or_else(|| match (self.gone(to, id), to) {
            (Some(gone), _) => gone,
            (None, Some(version)) => {
                nothing(format!("{}: no good release {version}", self.subject))
            }
            (None, None) => {
                nothing(format!("{}: no good release before the live one", self.subject))
            }
        })
    }

    /// What the caller should know of a plan.
    fn said_of(&self, plan: &Plan, release: &Release) -> Vec<String> {
        let flag = release.spec.patterns.feature_flag.flag.as_ref();
        let then = release.spec.patterns.shadow.then.filter(|_| plan.pattern == Pattern::Shadow);
        let by = then.unwrap_or(plan.pattern);
        let ramped = by == Pattern::FeatureFlag && plan.flag.is_none();
        match flag.filter(|_| ramped && plan.before.is_some()) {
            Some(key) => {
                vec![format!("flag {key} is on for everybody already: the release only rolls")]
            }
            None => vec![],
        }
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
}
