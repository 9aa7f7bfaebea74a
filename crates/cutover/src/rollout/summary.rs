//! How a rollout ended, as data: what `--json` prints and text is made from.

use cutover_core::dataplane::Counters;
use cutover_core::event::{Event, EventKind};
use cutover_core::id::{Environment, FlagKey, Subject};
use cutover_core::patterns::Pattern;
use cutover_core::record::Outcome;
use cutover_core::release::ReleaseName;
use cutover_core::units::{Count, Share};
use serde::Serialize;

use crate::render;

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    Succeeded,
    RolledBack,
    RolledBackDegraded,
    Stuck,
    Superseded,
    /// The very same release is live.
    NothingToDo,
    /// It goes on without us.
    Detached,
    /// It goes on; we waited long enough.
    TimedOut,
    /// An experiment that ended without promotion.
    Observed,
}

/// A rollout and how it ended.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    #[serde(skip)]
    pub(crate) subject: Subject,
    pub(crate) app: String,
    pub(crate) env: Environment,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rollout: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<Pattern>,
    pub(crate) outcome: Ended,
    pub(crate) exit_code: u8,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) live: Option<String>,
    pub(crate) instances: Option<Count>,
    pub(crate) seconds: Option<f64>,
    pub(crate) down_seconds: Option<f64>,
    pub(crate) counts: Option<Counters>,
    pub(crate) candidate: Option<Counters>,
    pub(crate) reason: Option<String>,
    pub(crate) superseded_by: Option<u64>,
    /// The flag that a ramp changes, and the share that it ends with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ramp: Option<(FlagKey, Share)>,
}

impl Summary {
    pub(crate) fn of(subject: &Subject) -> Summary {
        Summary {
            app: subject.app.to_string(),
            env: subject.env.clone(),
            subject: subject.clone(),
            rollout: None,
            pattern: None,
            outcome: Ended::Detached,
            exit_code: 0,
            from: None,
            to: None,
            live: None,
            instances: None,
            seconds: None,
            down_seconds: None,
            counts: None,
            candidate: None,
            reason: None,
            superseded_by: None,
            ramp: None,
        }
    }

    pub(crate) fn names(&mut self, from: Option<&ReleaseName>, to: &ReleaseName) {
        self.from = from.map(ToString::to_string);
        self.to = Some(to.to_string());
    }

    /// Takes in an event of this rollout; true if it is the last one.
    pub(crate) fn learn(&mut self, event: &Event) -> bool {
        match &event.kind {
            EventKind::RolloutBegun { from, to, pattern, n, plan, .. } => {
                self.ramp = plan.ramped();
                self.names(from.as_ref(), to);
                self.pattern = Some(*pattern);
                self.instances = Some(*n);
                self.live = from.as_ref().map(ToString::to_string);
            }
            EventKind::Scaled { n, .. } => self.instances = Some(*n),
            // Some reasons have nothing more to say than themselves.
            EventKind::TurnedBack { why, detail } => {
                let said = if detail.is_empty() { render::why_words(*why) } else { detail };
                self.reason = Some(said.to_owned());
            }
            EventKind::Superseded { by } => {
                self.outcome = Ended::Superseded;
                self.exit_code = crate::failure::exit::HELD;
                self.superseded_by = Some(*by);
                return true;
            }
            EventKind::RolloutFinished {
                outcome,
                live,
                promoted,
                milliseconds,
                counts,
                candidate,
                down_milliseconds,
                exit_code,
                reason,
                ..
            } => {
                self.live = live.as_ref().map(ToString::to_string);
                self.outcome = match outcome {
                    Outcome::Succeeded if *promoted => Ended::Succeeded,
                    Outcome::Succeeded => Ended::Observed,
                    Outcome::RolledBack(_) => Ended::RolledBack,
                    Outcome::RolledBackDegraded(_) => Ended::RolledBackDegraded,
                    Outcome::Stuck(_) => Ended::Stuck,
                };
                self.exit_code = *exit_code;
                self.seconds = Some(seconds(*milliseconds));
                self.down_seconds = Some(seconds(*down_milliseconds));
                self.counts = Some(*counts);
                self.candidate = Some(*candidate);
                // What was seen when it turned back says more than the short word for it.
                let longer =
                    |text: &String| self.reason.as_ref().is_none_or(|old| old.len() < text.len());
                if let Some(text) = reason.as_ref().filter(|text| longer(text)) {
                    self.reason = Some(text.clone());
                }
                return true;
            }
            // What happens on the way is no part of how it ended.
            _ => {}
        }
        false
    }
}

fn seconds(milliseconds: u64) -> f64 {
    std::time::Duration::from_millis(milliseconds).as_secs_f64()
}
