//! Pruning: what old releases of one app left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use cutover_core::id::{InstanceId, ReleaseId, Version};
use cutover_core::plan::Rest;
use cutover_core::record::Record;
use cutover_core::units::At;

use super::Driver;
use super::commands::{refused, unwritable};
use crate::api::{Refused, RefusedKind};
use crate::context::chain;
use crate::cut::{Cut, cut};
use crate::journal::{Journal, JournalError, PrunedRelease};
use crate::ports::{Clock, KeepLeft, Left, Platform, Seen, World};
use crate::prune::{
    GoneFolder, GoneRelease, KeptRelease, KeptWhy, PruneAnswer, PruneRequest, Stored,
};

type Kept = BTreeMap<ReleaseId, BTreeSet<KeptWhy>>;

/// What is old in journal and event log.
struct Old {
    sizes: BTreeMap<ReleaseId, u64>,
    cut: Option<Cut>,
    records: Stored,
    events: Stored,
    before: At,
    /// Number of the first rollout whose records stay.
    from: u64,
}

impl<W: World> Driver<W> {
    /// Finds what can go, and removes it unless only that was asked. The journal comes first and in
    /// one piece: what is removed after it is known to be needed by nobody.
    pub(super) async fn prune(
        &mut self,
        request: PruneRequest,
        actor: &str,
    ) -> Result<PruneAnswer, Refused> {
        if !self.unrecorded.is_empty() {
            return Err(unwritable("what was decided is not recorded yet"));
        }
        let now = self.context.clock.now();
        let seen = self.context.platform.observe(&self.subject, now).await;
        let kept = self.kept(request.keep, &seen.map_err(|e| Refused::preflight(&e))?, now);
        let old = self.old(now, request.history.0).await?;
        let going: Vec<ReleaseId> =
            self.releases.keys().filter(|id| !kept.contains_key(id)).copied().collect();
        let mut answer = self.answer(request, &kept, &going, &old);
        if !request.dry_run {
            self.forget(&going, old.cut.clone(), actor, now).await?;
            self.forget_events(&old, &mut answer).await;
        }
        let keep = KeepLeft { releases: kept.into_keys().collect(), logs: request.logs.0 };
        let left = self.context.platform.prune(&self.subject, &keep, request.dry_run).await;
        match left {
            Ok(left) => answer.folders.extend(left.into_iter().map(folder)),
            Err(error) => answer.troubles.push(chain(&error)),
        }
        Ok(answer)
    }

    /// Every release that somebody may need, and for what.
    fn kept(&self, most: u32, seen: &BTreeMap<InstanceId, Seen>, now: At) -> Kept {
        let mut kept = Kept::new();
        let mut keep = |id: ReleaseId, why| {
            kept.entry(id).or_default().insert(why);
        };
        let warm = |rest: &Rest| rest.standby.filter(|standby| standby.until > now);
        if let Some(rollout) = self.app.live() {
            keep(rollout.plan.candidate, KeptWhy::Rollout);
            if let Some(before) = &rollout.plan.before {
                keep(before.live, KeptWhy::Rollout);
                warm(before).into_iter().for_each(|one| keep(one.release, KeptWhy::Standby));
            }
        } else if let Some(last) = &self.app.rollout {
            keep(last.plan.candidate, KeptWhy::Retry);
        }
        if let Some(rest) = &self.app.rest {
            keep(rest.live, KeptWhy::Live);
            warm(rest).into_iter().for_each(|one| keep(one.release, KeptWhy::Standby));
            let before = self.lineage.before(rest.live);
            before.into_iter().for_each(|id| keep(id, KeptWhy::Rollback));
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.lineage.newest_good().take(most).for_each(|id| keep(id, KeptWhy::Good));
        seen.keys().for_each(|id| keep(id.release, KeptWhy::Instance));
        kept
    }

    /// Looks through journal and event log, off the threads that must answer at once.
    async fn old(&self, now: At, history: Duration) -> Result<Old, Refused> {
        let (context, subject) = (Arc::clone(&self.context), self.subject.clone());
        let before = At(now.0.saturating_sub(u64::try_from(history.as_millis()).unwrap_or(now.0)));
        let look = move || -> Result<Old, JournalError> {
            let entries = context.journal.records(&subject)?;
            let cut = cut(&entries, before);
            let last = cut.as_ref().map_or(0, |cut| cut.last);
            let begins = |e: &&crate::journal::Entry| matches!(e.record, Record::Begun(_));
            let first = entries.iter().filter(begins).find(|entry| entry.index > last);
            // The largest number that the database holds.
            let from = first.map_or(u64::MAX >> 1, |entry| entry.index);
            Ok(Old {
                sizes: context.journal.sizes(&subject)?,
                records: context.journal.size_until(&subject, last)?,
                events: context.events.old(&subject, before, from)?,
                cut,
                before,
                from,
            })
        };
        let looked = tokio::task::spawn_blocking(look).await.map_err(|_| JournalError::Cancelled);
        looked.flatten().map_err(|error| {
            let text = format!("{}: {}", self.subject, chain(&error));
            refused(RefusedKind::Internal, text, "nothing was changed")
        })
    }

    fn answer(
        &self,
        request: PruneRequest,
        kept: &Kept,
        going: &[ReleaseId],
        old: &Old,
    ) -> PruneAnswer {
        let gone = |id: &ReleaseId| {
            let bytes = old.sizes.get(id).copied().unwrap_or_default();
            Some(GoneRelease { release: self.name(*id)?, bytes })
        };
        let keeps = |(id, why): (&ReleaseId, &BTreeSet<KeptWhy>)| {
            Some(KeptRelease { release: self.name(*id)?, why: why.iter().copied().collect() })
        };
        PruneAnswer {
            subject: self.subject.clone(),
            dry_run: request.dry_run,
            releases: going.iter().filter_map(gone).collect(),
            records: old.records,
            rollouts: old.cut.as_ref().map_or(0, |cut| cut.rollouts),
            events: old.events,
            folders: vec![],
            kept: kept.iter().filter_map(keeps).collect(),
            rollout_is_live: self.app.live().is_some(),
            troubles: vec![],
        }
    }

    /// Releases become names, and old records their base.
    async fn forget(
        &mut self,
        going: &[ReleaseId],
        cut: Option<Cut>,
        actor: &str,
        now: At,
    ) -> Result<(), Refused> {
        if going.is_empty() && cut.is_none() {
            return Ok(());
        }
        let releases = going.iter().filter_map(|id| self.releases.get(id));
        let pruned: Vec<PrunedRelease> =
            releases.map(|release| PrunedRelease::of(release, now, actor)).collect();
        let done = self.context.journal.prune(&self.subject, pruned.clone(), cut).await;
        done.map_err(|error| unwritable(&chain(&error)))?;
        for release in pruned {
            self.releases.remove(&release.name.id);
            self.pruned.insert(release.name.id, release);
        }
        Ok(())
    }

    /// Losing an event loses no decision, so what fails here only is told.
    async fn forget_events(&self, old: &Old, answer: &mut PruneAnswer) {
        if old.events.count == 0 {
            return;
        }
        let (context, subject) = (Arc::clone(&self.context), self.subject.clone());
        let (before, from) = (old.before, old.from);
        let work = move || context.events.prune(&subject, before, from);
        let done = tokio::task::spawn_blocking(work).await.map_err(|_| JournalError::Cancelled);
        if let Err(error) = done.flatten() {
            answer.events = Stored::default();
            answer.troubles.push(format!("events: {}", chain(&error)));
        }
    }

    /// Why a rollback cannot lead where it would have led.
    pub(super) fn gone(&self, to: Option<&Version>, before: Option<ReleaseId>) -> Option<Refused> {
        let mut good = self.pruned.values().filter(|gone| self.lineage.is_good(gone.name.id));
        let gone = match to {
            Some(version) => good.rfind(|gone| gone.name.version == *version),
            None => good.rfind(|gone| Some(gone.name.id) == before),
        }?;
        let PrunedRelease { name, at, actor, .. } = gone;
        let when = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(at.0));
        let left = self.releases.values().filter(|release| self.lineage.is_good(release.id));
        let left: Vec<String> = left.map(|release| release.name().to_string()).collect();
        Some(refused(
            RefusedKind::Usage,
            format!("{}: {name} was pruned at {when} by {actor}", self.subject),
            &format!(
                "nothing was changed; good releases: {}; or release it anew: cutover deploy {}",
                left.join(", "),
                name.version
            ),
        ))
    }
}

fn folder(Left { instance, bytes }: Left) -> GoneFolder {
    GoneFolder { instance, bytes }
}
