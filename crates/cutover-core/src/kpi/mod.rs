//! Key figures of past rollouts against their targets.
//!
//! | figure | exactly |
//! |---|---|
//! | deployments | rollouts that ended within the period, other than by `cutover rollback`. Those that are live, and those that another rollout took over, are left out of every figure and only counted |
//! | success rate | of these, those that ended as planned. An experiment or a shadow that ended as planned is a success, although the old release stays live; one that was turned back, by itself or by a person, or is stuck, is none |
//! | time to deploy | from begin to end of deployments that put their release live, waiting for people included. Shadow and A/B test last as long as was asked for, and are left out |
//! | time to roll back | from begin to end of a `cutover rollback` that succeeded, and from turning back to the end of every rollout that was turned back. One that is stuck never got back: it has no time, and the target is missed |
//! | no failed request | of the ended rollouts, rollbacks included, during which users sent requests and the counts are known: those with none failed and none lost. Those without a request prove nothing, and those whose counts are lost are unknown: both are only counted. Requests cut by the drain limit do not count as failed. Big bang has no target and is left out of sums over several patterns |
//!
//! A figure of nothing is none: neither 0 % nor 100 %, and no target is missed by it.

mod columns;
mod count;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use columns::{Column, Timeline};
use count::Scope;

use crate::dataplane::Counters;
use crate::id::Subject;
use crate::patterns::Pattern;
use crate::plan::millis;
use crate::record::Outcome;
use crate::units::At;

/// One rollout, as far as the figures need it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Of which app.
    pub subject: Subject,
    /// By which pattern.
    pub pattern: Pattern,
    /// Was it begun by `cutover rollback`?
    pub rollback: bool,
    /// When it began.
    pub begun: At,
    /// When it turned back, if it did.
    pub turned_back_at: Option<At>,
    /// How it ended.
    pub end: End,
    /// What the data plane counted meanwhile; `None` where that is lost.
    pub counts: Option<Counters>,
}

/// How a rollout ended, if it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It goes on.
    Live,
    /// Another one took over.
    Superseded {
        /// When.
        at: At,
    },
    /// It came to its end.
    Ended {
        /// When.
        at: At,
        /// How.
        outcome: Outcome,
        /// Is its release live by it?
        went_live: bool,
    },
}

/// From when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Period {
    /// Rollouts that ended before are left out.
    pub since: At,
    /// Rollouts that ended after are left out.
    pub until: At,
}

/// What is aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Targets {
    /// At least this share of deployments ends as planned, from 0 to 1.
    pub success: f64,
    /// The mean time to deploy is at most this, in milliseconds.
    #[schemars(with = "u64")]
    #[serde(rename = "to_deploy_ms", with = "millis")]
    pub to_deploy: Duration,
    /// The mean time to roll back is at most this, in milliseconds.
    #[schemars(with = "u64")]
    #[serde(rename = "to_roll_back_ms", with = "millis")]
    pub to_roll_back: Duration,
    /// At least this share of rollouts is without a failed request, from 0 to 1; big bang aside.
    pub clean: f64,
}

impl Default for Targets {
    fn default() -> Targets {
        Targets {
            success: 0.995,
            to_deploy: Duration::from_secs(600),
            to_roll_back: Duration::from_secs(300),
            clean: 1.0,
        }
    }
}

/// All figures of one period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Which period.
    pub period: Period,
    /// What is aimed at.
    pub targets: Targets,
    /// Over all apps.
    pub total: Kpis,
    /// Each app with a rollout in the period, by name.
    pub apps: Vec<AppKpis>,
    /// How they are spread over time.
    pub timeline: Timeline,
}

/// The figures of one app in one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AppKpis {
    /// Which app.
    pub subject: Subject,
    /// Over all patterns.
    pub all: Kpis,
    /// By pattern.
    pub patterns: Vec<PatternKpis>,
}

/// The figures of one app's rollouts by one pattern.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PatternKpis {
    /// Which pattern.
    pub pattern: Pattern,
    /// Its figures.
    pub kpis: Kpis,
}

/// The figures of some rollouts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Kpis {
    /// Deployments that ended.
    pub deployments: u64,
    /// Of these, ended as planned.
    pub succeeded: u64,
    /// Of these, turned back by itself.
    pub turned_back: u64,
    /// Of these, turned back by a person.
    pub aborted: u64,
    /// Of these, stuck while turning back.
    pub stuck: u64,
    /// Rollouts by `cutover rollback` that ended.
    pub rollbacks: u64,
    /// Of these, ended at the earlier release.
    pub rollbacks_succeeded: u64,
    /// Left out: they go on.
    pub live: u64,
    /// Left out: another rollout took over.
    pub superseded: u64,
    /// The success rate.
    pub success: Part,
    /// The time to deploy.
    pub to_deploy: Times,
    /// The time to roll back.
    pub to_roll_back: Times,
    /// The share without a failed request.
    pub clean: Part,
    /// Ended rollouts during which no user sent a request; not in `clean`.
    pub without_requests: u64,
    /// Ended rollouts whose counts are lost; not in `clean`.
    pub unknown: u64,
    /// What was counted during the ended rollouts, as far as it is known.
    pub counts: Counters,
}

/// A part of a whole, and its target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// How many there are.
    pub of: u64,
    /// How many of them are as wished.
    pub good: u64,
    /// `good / of`, from 0 to 1; `None` of nothing.
    pub share: Option<f64>,
    /// At least this share is aimed at; `None`: no target.
    pub target: Option<f64>,
    /// Is the target met? `None` of nothing, or without a target.
    pub met: Option<bool>,
}

/// Times, and their target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Times {
    /// How many.
    pub count: u64,
    /// How many never came to their end.
    pub never: u64,
    /// Their mean, in milliseconds.
    pub mean_ms: Option<u64>,
    /// The longest, in milliseconds.
    pub longest_ms: Option<u64>,
    /// A mean of at most this is aimed at, in milliseconds.
    pub target_ms: u64,
    /// Is the target met? `None` of nothing.
    pub met: Option<bool>,
}

impl Kpis {
    /// Is any target missed?
    #[must_use]
    pub fn misses(&self) -> bool {
        let met = [self.success.met, self.to_deploy.met, self.to_roll_back.met, self.clean.met];
        met.contains(&Some(false))
    }
}

impl Report {
    /// Is any target missed, in the sum, by an app or by a pattern of an app?
    #[must_use]
    pub fn misses(&self) -> bool {
        let by_pattern = |app: &AppKpis| app.patterns.iter().any(|one| one.kpis.misses());
        self.total.misses() || self.apps.iter().any(|app| app.all.misses() || by_pattern(app))
    }
}

/// The figures of those rollouts that ended within the period, and the counts of the others.
#[must_use]
pub fn report(rows: &[Row], period: Period, targets: Targets) -> Report {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.is_within(period)).collect();
    let mut apps: BTreeMap<&Subject, BTreeMap<Pattern, Vec<&Row>>> = BTreeMap::new();
    for row in &rows {
        apps.entry(&row.subject).or_default().entry(row.pattern).or_default().push(row);
    }
    let apps = apps.into_iter().map(|(subject, patterns)| {
        let all: Vec<&Row> = patterns.values().flatten().copied().collect();
        let by_pattern = patterns.into_iter().map(|(pattern, rows)| {
            let kpis = count::kpis(&rows, Scope::Pattern(pattern), &targets);
            PatternKpis { pattern, kpis }
        });
        AppKpis {
            subject: subject.clone(),
            patterns: by_pattern.collect(),
            all: count::kpis(&all, Scope::Several, &targets),
        }
    });
    Report {
        period,
        targets,
        apps: apps.collect(),
        total: count::kpis(&rows, Scope::Several, &targets),
        timeline: columns::timeline(&rows, period),
    }
}

impl Row {
    /// What goes on now belongs to every period.
    fn is_within(&self, period: Period) -> bool {
        match self.end {
            End::Live => true,
            End::Superseded { at } | End::Ended { at, .. } => {
                (period.since..=period.until).contains(&at)
            }
        }
    }
}
