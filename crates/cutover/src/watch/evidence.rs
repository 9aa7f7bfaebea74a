//! How the evidence of the current stage grew.

use cutover_core::event::{Event, EventKind};
use cutover_judge::Look;

use crate::render::{Part, toward};

/// Looks that are kept; of more, every second one.
const KEPT: usize = 256;

/// Looks at one stage of one rollout, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    of: Option<(u64, usize)>,
    /// How far the evidence was: not worse, worse.
    looks: Vec<(f64, f64)>,
    /// So many looks are one of those that are kept.
    every: usize,
    seen: usize,
    newest: Option<Look>,
}

impl Growth {
    /// Takes in what happened; another stage begins anew.
    pub(crate) fn learn(&mut self, event: &Event) {
        let EventKind::Judged { stage, evidence: Some(look), .. } = &event.kind else { return };
        let Some(rollout) = event.rollout else { return };
        if self.of != Some((rollout, *stage)) {
            *self = Growth { of: Some((rollout, *stage)), every: 1, ..Growth::default() };
        }
        if self.seen.is_multiple_of(self.every) {
            if self.looks.len() >= KEPT {
                let mut odd = false;
                self.looks.retain(|_| {
                    odd = !odd;
                    odd
                });
                self.every *= 2;
            }
            self.looks.push((toward(Part::NotWorse, look), toward(Part::Worse, look)));
        }
        self.seen += 1;
        self.newest = Some((**look).clone());
    }

    /// The newest look, if it is of this stage.
    pub(crate) fn newest(&self, rollout: u64, stage: usize) -> Option<&Look> {
        self.newest.as_ref().filter(|_| self.of == Some((rollout, stage)))
    }

    /// How far the evidence was, oldest first.
    pub(crate) fn of(&self, part: Part) -> Vec<f64> {
        let pick = |(good, bad): &(f64, f64)| match part {
            Part::NotWorse => *good,
            Part::Worse => *bad,
        };
        self.looks.iter().map(pick).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn looks_are_thinned_out_and_another_stage_begins_anew() {
        let mut growth = Growth::default();
        for step in 0..2000 {
            growth.learn(&sample::judged(1, f64::from(step) / 2500.0, 0.0));
        }
        let found = growth.of(Part::NotWorse);
        assert!((KEPT / 2..=KEPT).contains(&found.len()), "{}", found.len());
        assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "in order");
        assert!(found[0] == 0.0 && found[found.len() - 1] > 0.6, "from end to end");
        assert!(growth.newest(12, 1).is_some() && growth.newest(12, 2).is_none());
        growth.learn(&sample::judged(2, 0.5, 0.0));
        assert_eq!(growth.of(Part::Worse), [0.0]);
        growth.learn(&sample::warning("nothing to do with it"));
        assert!(growth.newest(12, 2).is_some() && growth.newest(11, 2).is_none());
    }
}
