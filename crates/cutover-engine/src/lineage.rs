//! Which releases were good, and which one a rollback leads to.

use cutover_core::base::Base;
use cutover_core::id::ReleaseId;
use cutover_core::plan::Plan;
use cutover_core::record::{Keep, Outcome, Record};

/// The good releases of one app in the order in which they went live.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lineage {
    /// The way to the live release: a deployment adds to it, a rollback cuts it.
    line: Vec<ReleaseId>,
    /// By when each last went live, oldest first.
    good: Vec<ReleaseId>,
    running: Option<(ReleaseId, bool, bool)>,
}

impl Lineage {
    /// Folds one record of the journal.
    pub(crate) fn apply(&mut self, record: &Record) {
        match record {
            Record::Begun(plan) => {
                let Plan { candidate, back, .. } = &**plan;
                self.running = Some((*candidate, *back, plan.promotes()));
            }
            Record::Concluded { keep: Keep::B, .. } => {
                if let Some((_, _, promotes)) = &mut self.running {
                    *promotes = true;
                }
            }
            Record::Finished(Outcome::Succeeded) => {
                if let Some((candidate, back, true)) = self.running.take() {
                    self.succeeded(candidate, back);
                }
            }
            Record::Base(base) => {
                let (line, good) = (base.line.clone(), base.good.clone());
                *self = Lineage { line, good, running: None };
            }
            _ => {}
        }
    }

    /// The base with this lineage in it.
    #[must_use]
    pub(crate) fn into_base(self, base: Base) -> Base {
        Base { line: self.line, good: self.good, ..base }
    }

    fn succeeded(&mut self, candidate: ReleaseId, back: bool) {
        self.good.retain(|release| *release != candidate);
        self.good.push(candidate);
        let place = self.line.iter().rposition(|release| *release == candidate);
        match place {
            Some(place) if back => self.line.truncate(place + 1),
            Some(_) | None => self.line.push(candidate),
        }
    }

    /// The good release before the live one.
    #[must_use]
    pub(crate) fn before(&self, live: ReleaseId) -> Option<ReleaseId> {
        let place = self.line.iter().rposition(|release| *release == live)?;
        self.line.get(..place)?.iter().rev().find(|release| **release != live).copied()
    }

    /// Was it ever good?
    #[must_use]
    pub(crate) fn is_good(&self, release: ReleaseId) -> bool {
        self.good.contains(&release)
    }

    /// The good releases, those that were live last first.
    pub(crate) fn newest_good(&self) -> impl Iterator<Item = ReleaseId> {
        self.good.iter().rev().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(id: u32) -> ReleaseId {
        ReleaseId(id)
    }

    #[test]
    fn a_second_rollback_goes_further_back() {
        let mut lineage = Lineage::default();
        for id in 1..=3 {
            lineage.succeeded(release(id), false);
        }
        assert_eq!(lineage.before(release(3)), Some(release(2)));
        lineage.succeeded(release(2), true);
        assert_eq!(lineage.before(release(2)), Some(release(1)));
        lineage.succeeded(release(1), true);
        assert_eq!(lineage.before(release(1)), None);
        assert!(lineage.is_good(release(3)), "it can still be asked for by name");
        let good: Vec<ReleaseId> = lineage.newest_good().collect();
        assert_eq!(good, [1, 2, 3].map(release), "by when each was live last");
    }

    #[test]
    fn deploying_an_old_version_again_is_a_step_forward() {
        let mut lineage = Lineage::default();
        for id in [1, 2, 1] {
            lineage.succeeded(release(id), false);
        }
        assert_eq!(lineage.before(release(1)), Some(release(2)));
    }
}
