//! Flags of the live release: ramps without a deployment, kills.

use cutover_core::app::Phase;
use cutover_core::event::EventKind;
use cutover_core::id::FlagKey;
use cutover_core::patterns::{Making, Ramp, ramp};
use cutover_core::plan::Plan;
use cutover_core::record::Record;
use cutover_core::units::Share;

use super::Driver;
use super::commands::refused;
use crate::api::{Accepted, Conflict, RampRequest, Refused, RefusedKind};
use crate::ports::World;

/// The longest reason that is kept.
const REASON: usize = 500;
/// The most shares of one ramp.
const MOST_STEPS: usize = 100;

impl<W: World> Driver<W> {
    /// Begins a ramp of a flag on the live release.
    pub(super) async fn ramp(
        &mut self,
        request: &RampRequest,
        actor: &str,
    ) -> Result<Accepted, Refused> {
        self.thawed()?;
        self.free_for(Conflict::Refuse)?;
        let live = self.app.rest.as_ref().and_then(|rest| self.releases.get(&rest.live)).cloned();
        let Some(release) = live else {
            return Err(refused(
                RefusedKind::Usage,
                format!("{}: no release is live whose flag could be changed", self.subject),
                "deploy one first: cutover deploy VERSION",
            ));
        };
        if release.spec.listen.is_none() {
            return Err(refused(
                RefusedKind::Usage,
                format!("{}: a worker gets no requests that could tell it of flags", self.subject),
                "nothing was changed; serve the flag to it instead: cutover flag serve FILE",
            ));
        }
        self.unless_killed(&request.flag)?;
        let now = self.app.rest.as_ref().and_then(|rest| rest.flags.get(&request.flag));
        let now = now.map_or(Share::ZERO, |raised| raised.share);
        let settings = &release.spec.patterns.feature_flag;
        let steps = steps(request, now, &settings.steps)?;
        if now == request.to && steps.is_empty() {
            return Ok(Accepted::NothingToDo { live: release.name() });
        }
        let asked = Ramp {
            flag: request.flag.clone(),
            to: request.to,
            steps,
            bake: request.bake.unwrap_or(settings.bake),
            judge: request.judge,
        };
        let making = Making {
            spec: &release.spec,
            n: self.app.n,
            before: self.before(),
            candidate: release.id,
        };
        let message = request.message.as_ref().map(|text| text.chars().take(REASON).collect());
        let plan = Plan { message, spec_n: self.app.spec_n, ..ramp(making, &asked) };
        let is_named = settings.flag.as_ref() == Some(&request.flag) || now > Share::ZERO;
        let warnings = match is_named {
            true => vec![],
            false => vec![format!(
                "the spec of {} does not name flag {}: whether its code knows it cannot be told",
                release.name(),
                request.flag
            )],
        };
        if request.dry_run {
            return Ok(Accepted::Begun {
                rollout: 0,
                cursor: self.context.events.last(),
                from: Some(release.name()),
                to: release.name(),
                plan: Box::new(plan),
                n: self.app.n,
                warnings,
            });
        }
        self.start((*release).clone(), plan, warnings, actor).await
    }

    /// The plan of the last rollout, if that was a ramp, from where the app is now.
    pub(super) fn ramp_again(&self) -> Option<Plan> {
        let last = &self.app.rollout.as_ref()?.plan;
        let before = self.before();
        let again = Plan { before, n: self.app.n, spec_n: self.app.spec_n, ..last.clone() };
        (last.is_ramp() && again.is_ramp()).then_some(again)
    }

    /// A killed flag is raised by nobody.
    pub(super) fn unless_killed(&self, flag: &FlagKey) -> Result<(), Refused> {
        if !self.app.killed.contains(flag) {
            return Ok(());
        }
        Err(refused(
            RefusedKind::Usage,
            format!("{}: flag {flag} is killed", self.subject),
            "nothing was changed; first: cutover flag restore KEY --app APP",
        ))
    }

    /// Off for everybody, in the next table; then a rollout that raises it turns back.
    pub(super) async fn kill_flag(
        &mut self,
        flag: FlagKey,
        reason: Option<String>,
        actor: &str,
    ) -> Result<(), Refused> {
        if !self.knows(&flag) {
            return Err(refused(
                RefusedKind::Usage,
                format!("{}: no release has a flag {flag}", self.subject),
                "nothing was changed; `cutover status` shows the flags that are on",
            ));
        }
        if !self.app.killed.contains(&flag) {
            self.write(Record::FlagKilled { flag: flag.clone() }, actor).await?;
            let kind = EventKind::FlagKilled {
                flag: flag.clone(),
                actor: actor.into(),
                reason: kept(reason),
            };
            self.context.tell(&self.subject, None, kind);
        }
        let raised = self.app.live().is_some_and(|rollout| {
            let forward = matches!(rollout.phase, Phase::Forward(_));
            forward && !rollout.abort && rollout.plan.flag.as_ref() == Some(&flag)
        });
        if raised {
            self.write(Record::AbortRequested { force: false }, actor).await?;
            self.tell(EventKind::AbortRequested { actor: actor.to_owned() });
        }
        Ok(())
    }

    /// Did any release or rollout name this flag?
    fn knows(&self, flag: &FlagKey) -> bool {
        let by_spec = |it: &std::sync::Arc<cutover_core::release::Release>| {
            it.spec.patterns.feature_flag.flag.as_ref() == Some(flag)
        };
        let rollout = self.app.rollout.as_ref();
        self.releases.values().any(by_spec)
            || self.app.killed.contains(flag)
            || self.app.rest.as_ref().is_some_and(|rest| rest.flags.contains_key(flag))
            || rollout.is_some_and(|rollout| rollout.plan.flag.as_ref() == Some(flag))
    }

    /// As rest says again.
    pub(super) async fn restore_flag(
        &mut self,
        flag: FlagKey,
        reason: Option<String>,
        actor: &str,
    ) -> Result<(), Refused> {
        if !self.app.killed.contains(&flag) {
            let text = format!("{}: flag {flag} is not killed", self.subject);
            return Err(refused(RefusedKind::Usage, text, "nothing was changed"));
        }
        self.write(Record::FlagRestored { flag: flag.clone() }, actor).await?;
        let kind = EventKind::FlagRestored { flag, actor: actor.into(), reason: kept(reason) };
        self.context.tell(&self.subject, None, kind);
        Ok(())
    }
}

fn kept(reason: Option<String>) -> Option<String> {
    reason.map(|text| text.chars().take(REASON).collect())
}

/// The shares on the way: those asked for, which have to lead there, or those of the spec that do.
fn steps(request: &RampRequest, now: Share, of_spec: &[Share]) -> Result<Vec<Share>, Refused> {
    let leads = |from: Share, to: Share| match request.to >= now {
        true => from < to,
        false => from > to,
    };
    let between = |share: &Share| leads(now, *share) && leads(*share, request.to);
    if request.steps.is_empty() {
        // Down at once, unless somebody asks for steps.
        let up = request.to > now;
        return Ok(of_spec.iter().copied().filter(|share| up && between(share)).collect());
    }
    let steps: Vec<Share> =
        request.steps.iter().copied().filter(|share| *share != request.to).collect();
    let in_order = steps.windows(2).all(|pair| matches!(pair, [a, b] if leads(*a, *b)));
    if !in_order || !steps.iter().all(between) || steps.len() > MOST_STEPS {
        return Err(refused(
            RefusedKind::Usage,
            format!("the steps do not lead from {now} to {}", request.to),
            "nothing was changed; write them in order: --steps 1,10,50",
        ));
    }
    Ok(steps)
}
