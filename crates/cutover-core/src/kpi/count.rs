//! Counting rollouts.

use std::time::Duration;

use super::{End, Kpis, Part, Row, Targets, Times};
use crate::dataplane::Counters;
use crate::patterns::Pattern;
use crate::record::{Outcome, Why};
use crate::units::At;

/// Which rollouts are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those of one pattern.
    Pattern(Pattern),
    /// Those of several.
    Several,
}

impl Scope {
    /// Do failed requests of rollouts by this pattern count here?
    fn minds_failed_requests_of(self, pattern: Pattern) -> bool {
        pattern != Pattern::BigBang || self == Scope::Pattern(Pattern::BigBang)
    }
    /// Is a share without failed requests aimed at?
    fn has_target(self) -> bool {
        self != Scope::Pattern(Pattern::BigBang)
    }
}

/// The figures of these rollouts.
pub(super) fn kpis(rows: &[&Row], scope: Scope, targets: &Targets) -> Kpis {
    let mut sums = Sums::default();
    for row in rows {
        sums.add(row, scope);
    }
    Kpis {
        deployments: sums.succeeded + sums.turned_back + sums.aborted + sums.stuck,
        succeeded: sums.succeeded,
        turned_back: sums.turned_back,
        aborted: sums.aborted,
        stuck: sums.stuck,
        rollbacks: sums.rollbacks,
        rollbacks_succeeded: sums.rollbacks_succeeded,
        live: sums.live,
        superseded: sums.superseded,
        success: part(
            sums.succeeded,
            sums.succeeded + sums.turned_back + sums.aborted + sums.stuck,
            Some(targets.success),
        ),
        to_deploy: times(&sums.to_deploy, 0, targets.to_deploy),
        to_roll_back: times(&sums.to_roll_back, sums.never_back, targets.to_roll_back),
        clean: part(sums.clean, sums.measured, Some(targets.clean).filter(|_| scope.has_target())),
        without_requests: sums.without_requests,
        unknown: sums.unknown,
        counts: sums.counts,
    }
}

#[derive(Default)]
struct Sums {
    succeeded: u64,
    turned_back: u64,
    aborted: u64,
    stuck: u64,
    rollbacks: u64,
    rollbacks_succeeded: u64,
    live: u64,
    superseded: u64,
    to_deploy: Vec<Duration>,
    to_roll_back: Vec<Duration>,
    never_back: u64,
    measured: u64,
    clean: u64,
    without_requests: u64,
    unknown: u64,
    counts: Counters,
}

impl Sums {
    fn add(&mut self, row: &Row, scope: Scope) {
        match row.end {
            End::Live => self.live += 1,
            End::Superseded { .. } => self.superseded += 1,
            End::Ended { at, outcome, went_live } => {
                if row.rollback {
                    self.add_rollback(row, at, outcome);
                } else {
                    self.add_deployment(row, at, outcome, went_live);
                }
                self.add_way_back(row, at, outcome);
                self.add_counts(row, scope);
            }
        }
    }

    fn add_rollback(&mut self, row: &Row, at: At, outcome: Outcome) {
        self.rollbacks += 1;
        if outcome == Outcome::Succeeded {
            self.rollbacks_succeeded += 1;
            self.to_roll_back.push(at.since(row.begun));
        }
    }

    fn add_deployment(&mut self, row: &Row, at: At, outcome: Outcome, went_live: bool) {
        match outcome {
            Outcome::Succeeded => self.succeeded += 1,
            Outcome::RolledBack(Why::Aborted) | Outcome::RolledBackDegraded(Why::Aborted) => {
                self.aborted += 1;
            }
            Outcome::RolledBack(_) | Outcome::RolledBackDegraded(_) => self.turned_back += 1,
            Outcome::Stuck(_) => self.stuck += 1,
        }
        let as_long_as_asked = matches!(row.pattern, Pattern::Shadow | Pattern::AbTesting);
        if outcome == Outcome::Succeeded && went_live && !as_long_as_asked {
            self.to_deploy.push(at.since(row.begun));
        }
    }

    fn add_way_back(&mut self, row: &Row, at: At, outcome: Outcome) {
        match outcome {
            Outcome::Succeeded => {}
            Outcome::RolledBack(_) | Outcome::RolledBackDegraded(_) => {
                self.to_roll_back.extend(row.turned_back_at.map(|turned| at.since(turned)));
            }
            Outcome::Stuck(_) => self.never_back += 1,
        }
    }

    fn add_counts(&mut self, row: &Row, scope: Scope) {
        if let Some(counts) = &row.counts {
            self.counts.add(counts);
        }
        if !scope.minds_failed_requests_of(row.pattern) {
            return;
        }
        match &row.counts {
            None => self.unknown += 1,
            Some(counts) if counts.requests + counts.failed + counts.lost == 0 => {
                self.without_requests += 1;
            }
            Some(counts) => {
                self.measured += 1;
                self.clean += u64::from(counts.failed + counts.lost == 0);
            }
        }
    }
}

/// The quotient of two counts; exact enough for any count of rollouts.
#[expect(clippy::cast_precision_loss, reason = "there are no 2^53 rollouts")]
fn part(good: u64, of: u64, target: Option<f64>) -> Part {
    let share = (of > 0).then(|| good as f64 / of as f64);
    let met = share.zip(target).map(|(share, target)| share >= target);
    Part { of, good, share, target, met }
}

fn times(spans: &[Duration], never: u64, target: Duration) -> Times {
    let whole = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let sum: u128 = spans.iter().map(Duration::as_millis).sum();
    let count = spans.len() as u64;
    let mean = sum.checked_div(u128::from(count));
    let mean_ms = mean.map(|mean| u64::try_from(mean).unwrap_or(u64::MAX));
    let target_ms = whole(target);
    let met = match (mean_ms, never) {
        (Some(mean), 0) => Some(mean <= target_ms),
        (None, 0) => None,
        (_, _) => Some(false),
    };
    let longest_ms = spans.iter().max().map(|longest| whole(*longest));
    Times { count, never, mean_ms, longest_ms, target_ms, met }
}
