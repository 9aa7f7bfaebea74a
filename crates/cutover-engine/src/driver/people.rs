//! What people decide beside the plan: confirm, conclude, freeze.

use cutover_core::app::{Phase, Rollout};
use cutover_core::event::EventKind;
use cutover_core::record::{Freeze, Keep, Record};
use cutover_core::units::Span;

use super::Driver;
use super::commands::refused;
use crate::api::{Refused, RefusedKind};
use crate::ports::{Clock, World};

/// The longest reason that is kept.
const REASON: usize = 500;

impl<W: World> Driver<W> {
    /// Is this stage of the live rollout an experiment?
    pub(super) fn is_experiment(&self, stage: usize) -> bool {
        self.app.live().is_some_and(|rollout| rollout.plan.is_experiment(stage))
    }

    /// The new release is good: the rollout no longer turns back for want of this word.
    pub(super) async fn confirm(&mut self, actor: &str) -> Result<(), Refused> {
        let rollout = self.app.live();
        if rollout.and_then(Rollout::confirm_until).is_none() {
            let asks = rollout.is_some_and(|rollout| rollout.plan.confirms_within().is_some());
            let (text, help) = if asks {
                (
                    "there is nothing to confirm yet",
                    "nothing was changed; confirm once everybody gets the new version: `cutover status --watch`",
                )
            } else {
                (
                    "no rollout waits for a confirmation",
                    "begin one with `cutover deploy VERSION --confirm 60s`",
                )
            };
            return Err(refused(RefusedKind::Usage, format!("{}: {text}", self.subject), help));
        }
        self.write(Record::Confirmed, actor).await?;
        self.tell(EventKind::Confirmed { actor: actor.to_owned() });
        Ok(())
    }

    /// Ends an experiment: with the old release, or on to the new one for everybody.
    pub(super) async fn conclude(&mut self, keep: Keep, actor: &str) -> Result<(), Refused> {
        let stage = self.app.live().and_then(|rollout| match rollout.phase {
            Phase::Forward(forward) => forward.reached.map(|_| forward.stage),
            Phase::Back { .. } | Phase::Done(_) => None,
        });
        let Some(stage) = stage.filter(|stage| self.is_experiment(*stage)) else {
            return Err(refused(
                RefusedKind::Usage,
                format!("{}: no experiment is running", self.subject),
                "nothing was changed; see `cutover status`, or begin one: `cutover deploy VERSION --pattern ab-testing`",
            ));
        };
        let concluded = self.app.live().is_some_and(|rollout| match rollout.phase {
            Phase::Forward(forward) => forward.concluded,
            Phase::Back { .. } | Phase::Done(_) => false,
        });
        if concluded {
            return Err(refused(
                RefusedKind::Usage,
                format!("{}: the experiment is concluded already", self.subject),
                "nothing was changed; to keep the old version after all: `cutover abort`",
            ));
        }
        self.write(Record::Concluded { stage, keep }, actor).await?;
        if let Some(rollout) = self.app.live() {
            let plan = Box::new(rollout.plan.clone());
            self.tell(EventKind::Concluded { keep, actor: actor.to_owned(), plan });
        }
        Ok(())
    }

    /// Refuses new releases; a rollout that is running goes on.
    pub(super) async fn freeze(
        &mut self,
        reason: String,
        lasts: Option<Span>,
        actor: &str,
    ) -> Result<(), Refused> {
        let since = self.context.clock.now();
        let reason: String = reason.chars().take(REASON).collect();
        let until = lasts.map(|span| since + span.0);
        let freeze = Freeze { reason, by: actor.to_owned(), since, until };
        self.write(Record::Frozen(freeze.clone()), actor).await?;
        self.context.tell(&self.subject, None, EventKind::Frozen(freeze));
        Ok(())
    }

    /// Allows new releases again.
    pub(super) async fn unfreeze(&mut self, actor: &str) -> Result<(), Refused> {
        let now = self.context.clock.now();
        if !self.app.frozen.as_ref().is_some_and(|freeze| freeze.holds(now)) {
            let text = format!("{} is not frozen", self.subject);
            return Err(refused(RefusedKind::Usage, text, "nothing was changed"));
        }
        self.write(Record::Unfrozen, actor).await?;
        self.context.tell(&self.subject, None, EventKind::Unfrozen { actor: actor.to_owned() });
        Ok(())
    }
}
