//! How rollouts are spread over time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{End, Period, Row};
use crate::record::Outcome;
use crate::units::At;

/// As many columns as a terminal has room for beside a few words.
const MOST: u64 = 60;
const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
/// The Unix epoch was a Thursday: weeks begin this much later, on a Monday.
const MONDAY: u64 = 4 * DAY;

/// Ended rollouts by hour, day, week or quarter (13 weeks), whichever is the finest that has room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    /// How much time a column stands for, in milliseconds.
    pub step_ms: u64,
    /// The columns, oldest first; in UTC. The first and the last may be cut by the period.
    pub columns: Vec<Column>,
}

/// What ended within one column of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Column {
    /// When it begins.
    pub begins: At,
    /// Deployments that ended.
    pub deployments: u64,
    /// Of these, not as planned.
    pub failed: u64,
    /// Rollouts by `cutover rollback` that ended.
    pub rollbacks: u64,
}

pub(super) fn timeline(rows: &[&Row], period: Period) -> Timeline {
    let step = step(period);
    let first = begin(period.since, step);
    let last = begin(period.until, step).max(first);
    let begins = (0..=(last - first) / step).map(|place| At(first + place * step));
    let mut columns: Vec<Column> =
        begins.map(|begins| Column { begins, ..Column::default() }).collect();
    for row in rows {
        let End::Ended { at, outcome, .. } = row.end else { continue };
        let place = usize::try_from(at.0.saturating_sub(first) / step).ok();
        let Some(column) = place.and_then(|place| columns.get_mut(place)) else { continue };
        if row.rollback {
            column.rollbacks += 1;
        } else {
            column.deployments += 1;
            column.failed += u64::from(outcome != Outcome::Succeeded);
        }
    }
    Timeline { step_ms: step, columns }
}

/// The finest step by which the period has at most [`MOST`] columns.
fn step(period: Period) -> u64 {
    let fits = |step: u64| {
        let columns = begin(period.until, step).saturating_sub(begin(period.since, step)) / step;
        columns < MOST
    };
    if let Some(step) = [HOUR, DAY, WEEK].into_iter().find(|step| fits(*step)) {
        return step;
    }
    let mut step = 13 * WEEK;
    while !fits(step) && step < u64::MAX / 2 {
        step *= 2;
    }
    step
}

/// When the column begins that `at` is in. What is before the first Monday of all is in the first
/// column.
fn begin(at: At, step: u64) -> u64 {
    let origin = if step >= WEEK { MONDAY } else { 0 };
    let since = at.0.saturating_sub(origin);
    origin + since - since % step
}
