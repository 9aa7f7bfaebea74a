//! What methods did in many rollouts.

/// When a method turned a rollout back, and what it cost until then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stop {
    pub(crate) seconds: u32,
    /// Bad answers of the candidate.
    pub(crate) bad: u64,
}

/// All rollouts of one method in one world.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcomes {
    pub(crate) runs: usize,
    stops: Vec<Stop>,
}

impl Outcomes {
    pub(crate) fn add(&mut self, stop: Option<Stop>) {
        self.runs += 1;
        self.stops.extend(stop);
    }

    pub(crate) fn count(&self) -> usize {
        self.stops.len()
    }

    /// The part of rollouts that were turned back.
    pub(crate) fn share(&self) -> f64 {
        self.count() as f64 / self.runs.max(1) as f64
    }

    /// Its 95 % interval (Wilson).
    pub(crate) fn interval(&self) -> (f64, f64) {
        let (n, p, z) = (self.runs.max(1) as f64, self.share(), 1.96);
        let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / (1.0 + z * z / n);
        ((middle - half).max(0.0), (middle + half).min(1.0))
    }

    /// Seconds until this part of all rollouts was turned back; `None` if it never was.
    pub(crate) fn seconds(&self, part: f64) -> Option<u64> {
        self.quantile(part, |stop| u64::from(stop.seconds))
    }

    /// The candidate's bad answers until then: the median of the rollouts that were turned back.
    pub(crate) fn bad(&self) -> Option<u64> {
        let mut all: Vec<u64> = self.stops.iter().map(|stop| stop.bad).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied()
    }

    fn quantile(&self, part: f64, of: impl Fn(&Stop) -> u64) -> Option<u64> {
        let mut all: Vec<u64> = self.stops.iter().map(of).collect();
        all.sort_unstable();
        all.get((part * self.runs as f64) as usize).copied()
    }
}
