//! What people call releases and stages, learned from events.

use std::collections::BTreeMap;
use std::time::Duration;

use cutover_core::event::{Event, EventKind};
use cutover_core::id::{InstanceId, ReleaseId, Subject};
use cutover_core::plan::Plan;
use cutover_core::record::Verdict;
use cutover_core::release::ReleaseName;
use cutover_core::units::{At, Count};
use cutover_engine::api::{AppStatus, HistoryEntry};

/// Names of everything that events mention by number only.
#[derive(Debug, Default)]
pub(crate) struct Names {
    apps: BTreeMap<Subject, Known>,
}

/// What is known of one app.
#[derive(Debug, Default)]
pub(crate) struct Known {
    releases: BTreeMap<ReleaseId, String>,
    pub(crate) plan: Option<Plan>,
    pub(crate) n: Count,
    pub(crate) from: Option<String>,
    pub(crate) to: String,
    /// The verdict that was told last, of which stage, and when.
    told: Option<(usize, Verdict, At)>,
    /// The newest event only repeats what was told a moment ago.
    repeats: bool,
}

/// How often a verdict that stays the same is told in lines.
const REPEAT: Duration = Duration::from_secs(5);

impl Names {
    pub(crate) fn learn(&mut self, event: &Event) {
        let known = self.apps.entry(event.subject.clone()).or_default();
        known.repeats = false;
        match &event.kind {
            EventKind::Judged { stage, verdict, .. } => known.judged(*stage, *verdict, event.at),
            EventKind::RolloutBegun { from, to, n, plan, .. } => {
                known.name(from.as_ref());
                known.name(Some(to));
                known.plan = Some((**plan).clone());
                known.n = *n;
                known.from = from.as_ref().map(ToString::to_string);
                known.to = to.to_string();
            }
            EventKind::Concluded { plan, .. } => known.plan = Some((**plan).clone()),
            EventKind::Instance { release, .. } => known.name(Some(release)),
            EventKind::Scaled { n, .. } => known.n = *n,
            EventKind::RolloutFinished { live, .. } => known.name(live.as_ref()),
            // The others name nothing new.
            _ => {}
        }
    }

    /// A release that no event named yet.
    pub(crate) fn know(&mut self, subject: &Subject, release: Option<&ReleaseName>) {
        self.apps.entry(subject.clone()).or_default().name(release);
    }

    /// What releases are called, as a status tells.
    pub(crate) fn learn_releases(&mut self, app: &AppStatus) {
        let known = self.apps.entry(app.subject.clone()).or_default();
        known.name(app.live.as_ref());
        known.name(app.standby.as_ref().map(|(release, _)| release));
        known.name(app.rollout.as_ref().map(|rollout| &rollout.to));
        for one in &app.instances {
            known.name(Some(&one.release));
        }
    }

    /// What the releases of a rollout were called.
    pub(crate) fn learn_names(&mut self, entry: &HistoryEntry) {
        let known = self.apps.entry(entry.subject.clone()).or_default();
        known.name(entry.from.as_ref());
        known.name(Some(&entry.to));
    }

    /// All that a status tells: whoever comes late has not seen the rollout's first event.
    pub(crate) fn learn_status(&mut self, app: &AppStatus) {
        self.learn_releases(app);
        let known = self.apps.entry(app.subject.clone()).or_default();
        if let Some(rollout) = &app.rollout {
            known.plan = Some((*rollout.plan).clone());
            known.n = app.n;
            known.from = app.live.as_ref().map(ToString::to_string);
            known.to = rollout.to.to_string();
        }
    }

    /// Is the newest event worth a line? The judge looks every second, and mostly sees the same.
    pub(crate) fn is_news(&self, event: &Event) -> bool {
        !self.of(&event.subject).is_some_and(|known| known.repeats)
    }

    pub(crate) fn of(&self, subject: &Subject) -> Option<&Known> {
        self.apps.get(subject)
    }
}

impl Known {
    fn judged(&mut self, stage: usize, verdict: Verdict, at: At) {
        let told = self.told.filter(|told| (told.0, told.1) == (stage, verdict));
        self.repeats = told.is_some_and(|told| at.since(told.2) < REPEAT);
        if !self.repeats {
            self.told = Some((stage, verdict, at));
        }
    }
    fn name(&mut self, release: Option<&ReleaseName>) {
        if let Some(release) = release {
            self.releases.insert(release.id, release.to_string());
        }
    }
    /// A release's name; its id if nobody told.
    pub(crate) fn release(&self, id: ReleaseId) -> String {
        self.releases.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
}

/// An instance's name: `v2.0`, or `v2(2).0` for the second spec under that version.
pub(crate) fn instance(release: &ReleaseName, id: InstanceId) -> String {
    release.instance(id.slot)
}
