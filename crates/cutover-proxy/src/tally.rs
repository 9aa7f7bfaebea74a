//! How one request ended: counted exactly once, when this value is dropped.

use std::sync::Arc;
use std::time::Instant;

use cutover_core::dataplane::Counters;
use http::StatusCode;

use crate::app::App;
use crate::flags::Decided;
use crate::instance::Instance;
use crate::measure::Ended;
use crate::pair::Original;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The user left before the answer was complete. Not a failure of anybody.
    Left,
    /// The whole answer came through.
    Answered(StatusCode),
    /// An upgraded connection was closed by one of its ends.
    Closed,
    /// No complete answer, or the proxy's own 5xx.
    Failed,
    /// Its instance died.
    Lost,
    /// The drain limit has passed.
    Cut,
}

/// A request from its arrival to its end.
#[derive(Debug)]
pub(crate) struct Tally {
    /// `None` where nothing is counted: previews, and what is for no app.
    pub(crate) app: Option<Arc<App>>,
    start: Instant,
    pub(crate) instance: Option<Arc<Instance>>,
    pub(crate) held: bool,
    pub(crate) retried: bool,
    pub(crate) outcome: Outcome,
    /// What its flags are, where some are measured by side.
    pub(crate) flags: Option<Decided>,
    /// Where it is copied.
    pub(crate) original: Option<Box<Original>>,
}

impl Tally {
    pub(crate) fn new(app: Option<Arc<App>>, start: Instant) -> Tally {
        Tally {
            app,
            start,
            instance: None,
            held: false,
            retried: false,
            outcome: Outcome::Left,
            flags: None,
            original: None,
        }
    }

    /// A piece of the answer came through.
    pub(crate) fn see(&mut self, data: &[u8]) {
        if let Some(original) = &mut self.original {
            original.see(data);
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let Some(app) = &self.app else { return };
        let ended_well = matches!(self.outcome, Outcome::Answered(_) | Outcome::Closed);
        let has_left = self.instance.as_ref().is_some_and(|instance| instance.has_left());
        let is_error =
            matches!(self.outcome, Outcome::Answered(status) if status.is_server_error());
        let counts = Counters {
            requests: 1,
            errors: is_error.into(),
            failed: (self.outcome == Outcome::Failed).into(),
            lost: (self.outcome == Outcome::Lost).into(),
            drained: (ended_well && has_left).into(),
            cut: (self.outcome == Outcome::Cut).into(),
            held: self.held.into(),
            retried: self.retried.into(),
        };
        let status = match self.outcome {
            Outcome::Answered(status) => Some(status),
            _ => None,
        };
        let sample = Ended { counts, latency: status.map(|_| self.start.elapsed()) };
        app.measure.record(self.instance.as_ref().map(|instance| instance.id), &sample);
        if let Some(flags) = &self.flags {
            app.measure.record_sides(flags.partly(), &sample);
        }
        if let Some(original) = self.original.take() {
            original.end(status);
        }
    }
}
