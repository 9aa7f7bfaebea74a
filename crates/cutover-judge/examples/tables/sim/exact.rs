//! The conditional test of Lindon and Malek (NeurIPS 2022) with restarts, without any allowance for
//! noise between instances, at α = 1 %.

const STAKES: usize = 12;

/// Stakes on "this bad answer is the candidate's".
#[derive(Debug, Clone)]
pub(crate) struct Exact {
    worth: [f64; STAKES],
    /// What each stake wins (a logarithm) by a bad answer of the candidate and of stable.
    odds: [(f64, f64); STAKES],
    marks: u32,
}

impl Exact {
    pub(crate) fn new(share: f64) -> Exact {
        let mut times = 1.15 / 1.38;
        let odds = [(); STAKES].map(|()| {
            times *= 1.38;
            let theta: f64 = times * share / (times * share + 1.0 - share);
            ((theta / share).ln(), ((1.0 - theta) / (1.0 - share)).ln())
        });
        Exact { worth: [0.5_f64.ln(); STAKES], odds, marks: 60 }
    }

    /// Takes in a second; true when the evidence reaches 100.
    pub(crate) fn observe(&mut self, second: u32, bad: u64, stable_bad: u64) -> bool {
        let mut most = f64::NEG_INFINITY;
        if bad + stable_bad > 0 {
            for (worth, (ours, theirs)) in self.worth.iter_mut().zip(self.odds) {
                *worth += bad as f64 * ours + stable_bad as f64 * theirs;
                most = most.max(*worth);
            }
        }
        let threshold = 100.0 * STAKES as f64;
        let found = most >= 100_f64.ln()
            && self.worth.iter().map(|worth| worth.exp()).sum::<f64>() >= threshold;
        if (second + 1).is_multiple_of(60) {
            for worth in &mut self.worth {
                *worth = (worth.exp() + 0.5 / f64::from(self.marks)).ln();
            }
        }
        found
    }
}
