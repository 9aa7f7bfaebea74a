//! Looking at metrics of one's own, beside the driver's turns: a source may take its time.

use std::sync::Arc;

use cutover_core::app::Phase;
use cutover_core::event::EventKind;
use cutover_core::metric::Reading;
use cutover_core::plan::Size;
use cutover_core::record::Verdict;
use cutover_core::release::Release;
use cutover_core::spec::Metric;
use cutover_core::units::At;
use tokio::task::JoinError;

use super::Driver;
use crate::ports::{Memory, MetricError, MetricSource, Sides, World};

/// A look that ended.
pub(super) struct MetricRead {
    rollout: u64,
    metric: Metric,
    memory: Memory,
    read: Result<Reading, MetricError>,
}

impl<W: World> Driver<W> {
    /// Begins the looks that are due.
    pub(super) fn look_at_metrics(&mut self, now: At) {
        let Some(candidate) = self.measured().map(Arc::clone) else { return };
        let due = self.run.tally.readings.due(metrics(&candidate), now);
        // Secrets are read from their files, so only where somebody looks.
        if due.is_empty() {
            return;
        }
        let sides = self.sides(&candidate);
        for (metric, mut memory) in due {
            let (context, sides) = (Arc::clone(&self.context), sides.clone());
            let (metric, rollout) = (metric.clone(), self.run.number);
            self.looks.spawn(async move {
                let read = context.metrics.read(&metric, &sides, &mut memory).await;
                MetricRead { rollout, metric, memory, read }
            });
        }
    }

    /// Takes in a look that ended.
    pub(super) fn metric_read(&mut self, end: Result<MetricRead, JoinError>) {
        let Ok(MetricRead { rollout, metric, memory, read }) = end else { return };
        if rollout != self.run.number {
            return;
        }
        if let Ok(reading) = &read {
            for text in self.run.tally.readings.news(&metric, &reading.warnings) {
                let text = format!("metric {}: {text}", metric.name);
                self.tell(EventKind::Warning { text });
            }
        }
        let tally = &mut self.run.tally;
        if let Some(counts) = tally.readings.take(&metric, memory, read) {
            tally.evidence.take_counts(&metric, &counts);
        }
    }

    /// What the metrics of the candidate's spec come to; `None` where all are fine.
    pub(super) fn metrics_verdict(&self) -> Option<(Verdict, String)> {
        self.run.tally.readings.verdict(metrics(self.measured()?))
    }

    /// The candidate while its metrics are looked at; `None` while it is not judged.
    fn measured(&self) -> Option<&Arc<Release>> {
        let rollout = self.app.live()?;
        let plan = &rollout.plan;
        let Phase::Forward(forward) = rollout.phase else { return None };
        let stage = plan.stages.get(forward.stage)?;
        let idle = forward.reached.is_none() || stage.sizes.candidate == Size::Zero;
        if idle || plan.guard.is_none() || plan.before.is_none() {
            return None;
        }
        self.releases.get(&plan.candidate)
    }

    fn sides(&self, candidate: &Release) -> Sides {
        let stable = self.app.live().and_then(|rollout| rollout.plan.stable());
        Sides {
            subject: self.subject.clone(),
            candidate: candidate.name(),
            stable: stable.and_then(|id| self.name(id)),
            base: candidate.base.clone(),
            confidential: super::hooks::confidential(candidate),
        }
    }
}

/// The metrics of a release's spec.
fn metrics(release: &Release) -> &[Metric] {
    release.spec.judge.as_ref().map_or(&[], |judge| &judge.metrics)
}
