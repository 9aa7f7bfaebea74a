//! Thresholds, as Argo Rollouts and Flagger use them: a measurement a minute, against a fixed limit.

/// Argo: the measurement after the limit of failed ones turns back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Argo {
    limit: u32,
    failed: u32,
}

impl Argo {
    pub(crate) fn new(limit: u32) -> Argo {
        Argo { limit, failed: 0 }
    }
    pub(crate) fn check(&mut self, failed: bool) -> bool {
        self.failed += u32::from(failed);
        self.failed > self.limit
    }
}

/// Flagger: so many failed checks, in a row or not, and the rollout is turned back at the next one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flagger {
    threshold: u32,
    failed: u32,
}

impl Flagger {
    pub(crate) fn new(threshold: u32) -> Flagger {
        Flagger { threshold, failed: 0 }
    }
    pub(crate) fn check(&mut self, failed: bool) -> bool {
        let due = self.failed >= self.threshold;
        self.failed += u32::from(failed);
        due
    }
}
