//! The tempering: how much of what a tick wins counts, in a block whose labels are alike.
//!
//! N labels with a correlation of κ say as much as F(N) = N/(1 + κN) independent ones. The blocks
//! before tell how many there will be (N̂): each of them counts 1/(1 + κN̂), and those beyond as much
//! as F grows. From 2N̂ on, F grows by the largest κ that fits what was learned: an incident has many
//! more labels than the blocks in which κ was measured, and a small error in κ would weigh much.
//! Counts so far, N̂ and κ are known before a label is, which keeps bets fair.

use serde::{Deserialize, Serialize};

use crate::counts::Counts;

/// How much the last block tells of how many labels the next one has.
const RECENT: f64 = 0.5;

/// So few labels are never too many.
const FEW: f64 = 10.0;

/// How much labels of one block have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Correlation {
    pub(crate) likely: f64,
    /// What it may be at most, by what was learned.
    pub(crate) largest: f64,
}

/// Labels of one block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tempering {
    /// How many there usually are; `None` before the first block is over.
    usual: Option<f64>,
    /// How many there were so far.
    seen: f64,
}

impl Tempering {
    /// The part that counts of what `more` labels win.
    pub(crate) fn part(&self, more: f64, correlation: Correlation) -> f64 {
        let usual = self.usual.unwrap_or(0.0);
        let most = self.usual.map_or(f64::INFINITY, |usual| (2.0 * usual).max(FEW));
        let few = self.seen + more <= most;
        if few && correlation.likely <= 0.0 {
            return 1.0;
        }
        let worth = |labels: f64| {
            let within = labels.min(most);
            let sure = within / (1.0 + correlation.likely * within.max(usual));
            let curve = |labels: f64| labels / (1.0 + correlation.largest * labels);
            if labels > most { sure + curve(labels) - curve(most) } else { sure }
        };
        let step = more.max(1e-3);
        ((worth(self.seen + step) - worth(self.seen)) / step).clamp(0.0, 1.0)
    }

    /// Takes in labels.
    pub(crate) fn take(&mut self, more: f64) {
        self.seen += more;
    }

    /// The block is over.
    pub(crate) fn close(&mut self) {
        let usual = self.usual.unwrap_or(self.seen);
        self.usual = Some(usual + RECENT * (self.seen - usual));
        self.seen = 0.0;
    }
}

/// What both sides did in a block that is not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Block {
    pub(crate) candidate: Counts,
    pub(crate) stable: Counts,
    pub(crate) tempering: Tempering,
}

impl Block {
    /// Takes in a tick with so many labels.
    pub(crate) fn take(&mut self, candidate: Counts, stable: Counts, labels: f64) {
        self.candidate.add(candidate);
        self.stable.add(stable);
        self.tempering.take(labels);
    }
    /// The block is over: another one begins.
    pub(crate) fn close(&mut self) {
        self.tempering.close();
        (self.candidate, self.stable) = Default::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_counts_as_much_as_it_says_however_it_is_cut() {
        for cut in [1.0, 10.0, 100.0] {
            let mut tempering = Tempering::default();
            for _ in 0..3 {
                let mut sum = 0.0;
                let mut left = 200.0;
                while left > 0.0 {
                    sum += cut * tempering.part(cut, Correlation { likely: 0.05, largest: 0.05 });
                    tempering.take(cut);
                    left -= cut;
                }
                tempering.close();
                assert!((sum - 200.0 / 11.0).abs() < 1e-9, "{sum} by {cut}");
            }
        }
    }

    #[test]
    fn labels_that_have_nothing_in_common_count_fully() {
        let mut tempering = Tempering::default();
        tempering.take(1e6);
        assert_eq!(tempering.part(1e6, Correlation::default()).to_bits(), 1.0_f64.to_bits());
    }
}
