//! Telling what happened.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cutover_core::app::{Phase, Rollout};
use cutover_core::event::EventKind;
use cutover_core::id::InstanceId;
use cutover_core::observed::{Observed, State};
use cutover_core::plan::Gate;
use cutover_core::record::{Outcome, Record, Why};
use cutover_core::release::ReleaseName;
use cutover_core::units::At;

use super::Driver;
use crate::ports::{Clock, Platform, Seen, World};

impl<W: World> Driver<W> {
    /// Tells of the newest rollout.
    pub(super) fn tell(&self, kind: EventKind) -> u64 {
        let rollout = self.app.rollout.as_ref().map(|_| self.run.number);
        self.context.tell(&self.subject, rollout, kind)
    }

    pub(super) fn name(&self, release: cutover_core::id::ReleaseId) -> Option<ReleaseName> {
        self.releases.get(&release).map(|release| release.name())
    }

    /// Tells which instances changed since the last look.
    pub(super) fn tell_instances(&self, seen: &BTreeMap<InstanceId, Seen>) {
        for (id, now) in seen {
            let before = self.seen.get(id);
            let news = before.is_none_or(|before| {
                before.state != now.state
                    || before.address != now.address
                    || (now.state != State::Ready && reason(before) != reason(now))
            });
            if let (true, Some(release)) = (news, self.name(id.release)) {
                self.tell(EventKind::Instance {
                    instance: *id,
                    release,
                    state: Some(now.state),
                    address: now.address,
                    detail: now.detail.clone().filter(|_| now.state != State::Ready),
                });
            }
        }
        for id in self.seen.keys().filter(|id| !seen.contains_key(id)) {
            if let Some(release) = self.name(id.release) {
                let (instance, state, address, detail) = (*id, None, None, None);
                self.tell(EventKind::Instance { instance, release, state, address, detail });
            }
        }
    }

    /// Tells of a record that `next` decided.
    pub(super) async fn tell_record(
        &mut self,
        record: &Record,
        detail: Option<String>,
        observed: &Observed,
    ) {
        match record {
            Record::Reached { stage } => {
                self.tell(EventKind::StageReached { stage: *stage });
            }
            Record::Passed { stage } => {
                self.tell(EventKind::StageEntered { stage: stage + 1 });
            }
            Record::Holding { stage } => {
                self.tell(EventKind::Waiting { stage: *stage, approval: false });
            }
            Record::TurnedBack(why) => {
                let detail = detail.unwrap_or_default();
                self.run.reason = Some(detail.clone()).filter(|detail| !detail.is_empty());
                self.tell(EventKind::TurnedBack { why: *why, detail });
            }
            Record::Finished(outcome) => {
                let now = self.context.clock.now();
                self.tell_finished(*outcome, now, observed).await;
            }
            Record::EngineStarted { .. }
            | Record::Begun(_)
            | Record::Judged { .. }
            | Record::Approved { .. }
            | Record::Concluded { .. }
            | Record::Confirmed
            | Record::Frozen(_)
            | Record::Unfrozen
            | Record::FlagKilled { .. }
            | Record::FlagRestored { .. }
            | Record::HookStarted { .. }
            | Record::HookEnded { .. }
            | Record::Paused
            | Record::Resumed
            | Record::AbortRequested { .. }
            | Record::Scaled { .. }
            | Record::Down
            | Record::Base(_) => {}
        }
    }

    pub(super) async fn tell_finished(&mut self, outcome: Outcome, now: At, observed: &Observed) {
        let Some(rollout) = self.app.rollout.clone() else { return };
        self.read_last(rollout.plan.candidate, now).await;
        if let Some(since) = self.run.held_since.take() {
            self.run.held += now.since(since);
        }
        let exposed = self.run.exposed || observed.in_force.1.serves(rollout.plan.candidate);
        let exit_code = match (outcome, exposed) {
            (Outcome::Succeeded, _) => 0,
            (Outcome::RolledBack(_), false) => 5,
            (Outcome::RolledBack(_), true) => 6,
            (Outcome::RolledBackDegraded(_) | Outcome::Stuck(_), _) => 7,
        };
        let millis =
            |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.tell(EventKind::RolloutFinished {
            outcome,
            live: self.app.rest.as_ref().and_then(|rest| self.name(rest.live)),
            promoted: outcome == Outcome::Succeeded && rollout.plan.promotes(),
            exposed,
            milliseconds: millis(now.since(rollout.begun)),
            counts: self.run.tally.all,
            partial: self.run.tally.partial,
            candidate: self.run.tally.candidate,
            down_milliseconds: millis(self.run.held),
            exit_code,
            reason: self.run.reason.clone(),
        });
    }

    /// Tells once per stage that an approval is waited for.
    pub(super) fn tell_waiting(&mut self) {
        let Some(rollout) = self.app.live() else { return };
        let Phase::Forward(forward) = rollout.phase else { return };
        let gates = rollout.plan.stages.get(forward.stage).map(|stage| stage.gates.as_slice());
        let asks = gates.is_some_and(|gates| gates.contains(&Gate::Approval));
        let waits = asks && forward.reached.is_some() && !forward.approved;
        if waits && self.run.waiting_told != Some(forward.stage) {
            self.run.waiting_told = Some(forward.stage);
            self.tell(EventKind::Waiting { stage: forward.stage, approval: true });
        }
        let stage = forward.stage;
        if let Some(until) = self.app.live().and_then(Rollout::confirm_until)
            && self.run.waiting_told != Some(stage)
        {
            self.run.waiting_told = Some(stage);
            self.tell(EventKind::Unconfirmed { stage, until });
        }
    }

    /// What was seen when the rollout turned back: of the candidate's instances the last probe or
    /// exit and the last log lines, of a verdict its reason.
    pub(super) async fn explain(&self, why: Why) -> String {
        let mut text = String::new();
        match why {
            Why::Aborted | Why::HeldTooLong | Why::Unconfirmed => return text,
            Why::Verdict => {
                return self.run.verdict.as_ref().map(|v| v.1.clone()).unwrap_or_default();
            }
            Why::Hook => return self.run.reason.clone().unwrap_or_default(),
            Why::CrashLoop | Why::NotReady | Why::Deadline => {}
        }
        for trouble in self.troubles.values() {
            let _ = writeln!(text, "{trouble}");
        }
        let candidate = self.app.live().map(|rollout| rollout.plan.candidate);
        let bad = self.seen.iter().filter(|(id, seen)| {
            Some(id.release) == candidate && (seen.state != State::Ready || !seen.exits.is_empty())
        });
        // The first ones tell it; twenty alike would only hide it.
        for (id, seen) in bad.take(3) {
            let name = self.name(id.release).map_or(id.to_string(), |name| name.instance(id.slot));
            let detail = seen.detail.clone().unwrap_or_default();
            let _ = writeln!(text, "{name}: {detail}");
            let lines = self.context.platform.logs(&self.subject, *id, 20).await;
            for line in lines.unwrap_or_default() {
                let _ = writeln!(text, "  | {line}");
            }
        }
        text.trim_end().to_owned()
    }
}

/// Why an instance is not ready, without the number of tries: another try alone is no news.
fn reason(seen: &Seen) -> Option<&str> {
    let detail = seen.detail.as_deref()?;
    Some(detail.split(" (try ").next().unwrap_or(detail))
}
