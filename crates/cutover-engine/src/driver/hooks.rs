//! Running the hooks of a rollout: those before users' requests at most once, recorded before and
//! after; those after the end for information only.

use std::sync::Arc;

use cutover_core::app::{HookState, Phase};
use cutover_core::event::EventKind;
use cutover_core::record::{Outcome, Record};
use cutover_core::release::Release;
use cutover_core::spec::{Hook, Secret};
use tokio::task::JoinError;

use super::Driver;
use crate::hooks::name;
use crate::ports::{Due, HookResult, Hooks, World};

/// A hook that ended.
pub(super) struct HookEnd {
    /// (stage, hook) of one that gates; `None` for one after the end.
    gate: Option<(usize, u32)>,
    rollout: u64,
    what: String,
    result: HookResult,
}

impl<W: World> Driver<W> {
    fn candidate(&self) -> Option<Arc<Release>> {
        let rollout = self.app.rollout.as_ref()?;
        self.releases.get(&rollout.plan.candidate).cloned()
    }

    pub(super) fn start_hook(&mut self, stage: usize, hook: u32) {
        let Some(release) = self.candidate() else { return };
        let found = release.spec.hooks.after_ready.get(hook as usize).cloned();
        match found {
            Some(found) => self.spawn(Some((stage, hook)), found, &release, "after-ready"),
            // Unknown is not passed.
            None => self.ended_hooks.push((stage, hook, false)),
        }
    }

    pub(super) fn start_hooks_after(&mut self, outcome: Outcome) {
        let Some(release) = self.candidate() else { return };
        let hooks = match outcome {
            Outcome::Succeeded => release.spec.hooks.after.clone(),
            Outcome::RolledBack(_) | Outcome::RolledBackDegraded(_) | Outcome::Stuck(_) => {
                release.spec.hooks.on_failure.clone()
            }
        };
        let word = match outcome {
            Outcome::Succeeded => "succeeded",
            Outcome::RolledBack(_) => "rolled-back",
            Outcome::RolledBackDegraded(_) | Outcome::Stuck(_) => "stuck",
        };
        for hook in hooks {
            self.spawn(None, hook, &release, word);
        }
    }

    fn spawn(&mut self, gate: Option<(usize, u32)>, hook: Hook, release: &Release, event: &str) {
        let preview = self.watch.state.as_ref().and_then(|state| state.preview);
        let mut facts = vec![
            ("app", self.subject.app.to_string()),
            ("env", self.subject.env.to_string()),
            ("version", release.version.to_string()),
            ("rollout", self.run.number.to_string()),
            ("event", event.to_owned()),
        ];
        facts.extend(preview.map(|address| ("preview", format!("http://{address}"))));
        let (what, rollout) = (name(&hook), self.run.number);
        let (base, confidential) = (release.base.clone(), confidential(release));
        let due = Due { hook, base, facts, confidential };
        self.tell(EventKind::HookStarted { what: what.clone() });
        let context = Arc::clone(&self.context);
        self.hooks.spawn(async move {
            let result = context.hooks.run(due).await;
            HookEnd { gate, rollout, what, result }
        });
    }

    pub(super) async fn hook_ended(&mut self, end: Result<HookEnd, JoinError>) {
        let Ok(HookEnd { gate, rollout, what, result }) = end else { return };
        let HookResult { ok, detail } = result;
        let kind = EventKind::HookEnded { what: what.clone(), ok, detail: detail.clone() };
        self.context.tell(&self.subject, Some(rollout), kind);
        let Some((stage, hook)) = gate else { return };
        let live = self.app.live().filter(|_| rollout == self.run.number);
        if live.is_none_or(|rollout| matches!(rollout.phase, Phase::Done(_))) {
            return;
        }
        // What turned the rollout back before stays its reason.
        if !ok && live.is_some_and(|rollout| matches!(rollout.phase, Phase::Forward(_))) {
            self.run.reason = Some(format!("hook {what}: {detail}"));
        }
        self.ended_hooks.push((stage, hook, ok));
        self.record_hooks().await;
    }

    /// Records the hooks that ended. What the journal cannot take now is tried again: a result must
    /// not be forgotten while this engine lives.
    pub(super) async fn record_hooks(&mut self) {
        while let Some((stage, hook, ok)) = self.ended_hooks.first().copied() {
            let running = self.app.live().is_some_and(|rollout| {
                matches!(rollout.hooks.get(&(stage, hook)), Some(HookState::Running { .. }))
            });
            let record = Record::HookEnded { stage, hook, ok };
            if running && self.record(record, None).await.is_err() {
                return;
            }
            self.ended_hooks.remove(0);
        }
    }
}

/// Values that no output may show.
pub(super) fn confidential(release: &Release) -> Vec<String> {
    let read = |secret: &Secret| std::fs::read_to_string(release.base.join(&secret.file)).ok();
    let secrets = release.spec.release.secrets.values().filter_map(read);
    let values = secrets.chain(release.passed.values().cloned());
    values.map(|value| value.trim().to_owned()).filter(|value| value.len() >= 4).collect()
}
