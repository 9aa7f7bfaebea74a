//! From labels to group scores, a score and an outcome.

use std::collections::BTreeMap;

use super::report::{
    Classification, Grounds, GroupScore, MetricReport, Outcome, Report, Short, Tally,
};
use super::settings::Settings;

/// Scores a run.
pub(super) fn report(settings: &Settings, metrics: Vec<MetricReport>) -> Report {
    let groups = groups(settings, &metrics);
    let tally = Tally::of(scored(&metrics).map(|metric| metric.classification));
    let failed = disqualified(&metrics, &tally);
    let score = if failed.is_some() { 0.0 } else { total(&groups) };
    let outcome = if failed.is_some() { Outcome::Fail } else { outcome(settings, score) };
    let (grounds, reason) = failed.unwrap_or_else(|| {
        // Then all that a score lacks is lacking for metrics that must have data.
        let nothing_bad = tally.high + tally.low == 0 && outcome != Outcome::Pass;
        let grounds = if nothing_bad { Grounds::WantOfData } else { Grounds::Score };
        (grounds, in_words(settings, score, grounds, &tally))
    });
    Report { outcome, score, grounds, reason, groups, metrics }
}

fn scored(metrics: &[MetricReport]) -> impl Iterator<Item = &MetricReport> {
    metrics.iter().filter(|metric| metric.scored)
}

/// Why a run scores 0 whatever its groups do.
fn disqualified(metrics: &[MetricReport], tally: &Tally) -> Option<(Grounds, String)> {
    let bad = |metric: &&MetricReport| {
        matches!(metric.classification, Classification::High | Classification::Low)
    };
    let critical = || scored(metrics).filter(|metric| metric.critical_failure);
    let named = |metric: &MetricReport| format!("`{}` is {}", metric.name, metric.reason);
    if let Some(metric) = critical().find(bad) {
        return Some((Grounds::CriticalMetric, format!("critical metric {}", named(metric))));
    }
    if let Some(metric) = critical().next() {
        let text = format!("no data for critical metric `{}`: {}", metric.name, metric.reason);
        return Some((Grounds::WantOfData, text));
    }
    let (missing, total) = (tally.nodata, tally.total());
    if total == 0 || missing * 2 >= total {
        let text = format!("no data for {missing} of {total} metrics");
        return Some((Grounds::WantOfData, text));
    }
    if tally.counted() == 0 {
        return Some((Grounds::WantOfData, format!("none of {total} metrics can be compared")));
    }
    None
}

fn groups(settings: &Settings, metrics: &[MetricReport]) -> Vec<GroupScore> {
    let mut labels: BTreeMap<&str, Vec<Classification>> = BTreeMap::new();
    for metric in scored(metrics) {
        for group in &metric.groups {
            labels.entry(group).or_default().push(metric.classification);
        }
    }
    let given = |group: &str| settings.group_weights.get(group).map(|weight| weight.get());
    let sum: f64 = settings.group_weights.values().map(|weight| weight.get()).sum();
    let without = labels.keys().filter(|group| given(group).is_none()).count();
    let rest = (100.0 - sum).max(0.0) / without as f64;
    let group = |(name, labels): (&str, Vec<Classification>)| {
        let tally = Tally::of(labels.into_iter());
        let counted = tally.counted();
        GroupScore {
            name: name.to_owned(),
            score: (counted > 0).then(|| 100.0 * (tally.pass as f64 / counted as f64)),
            weight: given(name).unwrap_or(rest),
            tally,
        }
    };
    labels.into_iter().map(group).collect()
}

/// The weighted sum, to two decimals. Groups without a score do not lower it.
fn total(groups: &[GroupScore]) -> f64 {
    let sum: f64 =
        groups.iter().map(|group| group.score.unwrap_or(100.0) * (group.weight / 100.0)).sum();
    // Half is rounded up in the decimal sense, so what is half but for its last bits goes up too.
    (sum * 100.0 + 1e-9).round() / 100.0
}

fn outcome(settings: &Settings, score: f64) -> Outcome {
    if score >= settings.pass.get() {
        Outcome::Pass
    } else if score >= settings.marginal.get() {
        Outcome::Marginal
    } else {
        Outcome::Fail
    }
}

fn in_words(settings: &Settings, score: f64, grounds: Grounds, tally: &Tally) -> String {
    let bounds = format!("{} passes, {} is marginal", settings.pass, settings.marginal);
    let mut parts = vec![format!("score {} ({bounds})", Short(score))];
    let labels = [
        (tally.high, "high"),
        (tally.low, "low"),
        (tally.nodata + tally.nodata_fail, "without data"),
        (tally.error, "not comparable"),
    ];
    let counts = labels.into_iter().filter(|(count, _)| *count > 0);
    parts.extend(counts.map(|(count, label)| format!("{count} of {} {label}", tally.total())));
    if grounds == Grounds::WantOfData {
        parts.push("nothing is bad, but data is missing".to_owned());
    }
    parts.join(", ")
}
