//! What can be found out with some traffic, as a table.

use std::time::Duration;

use cutover_judge::Settings;
use serde::Serialize;

use super::outlook::{about, percent, requests};
use super::time::rough;
use crate::judge::Wait;

/// Rises of the error rate, in percentage points.
const RISES: [f64; 5] = [0.5, 1.0, 2.0, 5.0, 10.0];

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Power {
    rate: f64,
    errors: f64,
    /// It is shown that the error rate is less than this above the old one's.
    not_worse_by: f64,
    rows: Vec<Row>,
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    stage: Option<usize>,
    share: Option<f64>,
    limit_seconds: f64,
    rises: Vec<Rise>,
    /// When a good release is shown not to be worse, and passes.
    good_seconds: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Rise {
    rise: f64,
    /// `None`: not within the limit.
    seconds: Option<f64>,
}

impl Power {
    pub(crate) fn of(rate: f64, errors: f64, settings: &Settings, waits: &[Wait]) -> Power {
        let row = |wait: &Wait| {
            let traffic = wait.traffic(rate, errors).filter(|_| wait.compared);
            let after = |rise: f64| {
                let found = wait.turned_back(settings, traffic.as_ref()?, rise)?;
                Some(found.as_secs_f64())
            };
            let rises = RISES.map(|points| {
                let rise = points / 100.0;
                Rise { rise, seconds: after(rise) }
            });
            Row {
                stage: wait.stage,
                share: wait.share,
                limit_seconds: wait.limit.as_secs_f64(),
                rises: rises.to_vec(),
                good_seconds: wait
                    .outlook(Some(settings), rate, errors)
                    .passes
                    .map(|p| p.as_secs_f64()),
            }
        };
        let rows = waits.iter().map(row).collect();
        Power { rate, errors, not_worse_by: settings.not_worse_by, rows }
    }
}

/// The answer as a table.
pub(crate) fn power(power: &Power) -> String {
    let Power { rate, errors, not_worse_by, rows } = power;
    let mut lines = vec![
        format!("{} with {} errors", requests(*rate), percent(*errors)),
        String::new(),
        format!("{:15}  {:<38}  {:>9}", "", "turned back when errors rise by", "a good"),
    ];
    let heads = RISES.map(|rise| format!("{:>7}", format!("+{rise}pp")));
    lines.push(format!("stage  share   {}  {:>13}", heads.join(" "), "one passes"));
    for row in rows {
        let stage = row.stage.map_or_else(|| "-".to_owned(), |index| (index + 1).to_string());
        let share =
            row.share.map_or_else(|| "-".to_owned(), |share| format!("{:.1}%", share * 100.0));
        let cells: Vec<String> =
            row.rises.iter().map(|rise| format!("{:>7}", cell(rise.seconds))).collect();
        let good = cell(row.good_seconds);
        lines.push(format!("{stage:>5}  {share:>6}  {}  {good:>13}", cells.join(" ")));
    }
    lines.push(String::new());
    let limits: Vec<f64> = rows.iter().map(|row| row.limit_seconds).collect();
    let (least, most) = limits.iter().fold((f64::MAX, 0.0_f64), |(a, b), c| (a.min(*c), b.max(*c)));
    let rough = |seconds: f64| rough(Duration::from_secs_f64(seconds));
    let within =
        if least < most { format!("{} to {}", rough(least), rough(most)) } else { rough(most) };
    lines.push(format!("-: not within {within}, the longest that is waited for a verdict"));
    lines.push(format!(
        "passes: shown to have less than +{}pp more errors, and no longer latencies",
        not_worse_by * 100.0
    ));
    lines.join("\n")
}

fn cell(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), |seconds| about(Duration::from_secs_f64(seconds)))
}

#[cfg(test)]
mod tests {
    use cutover_core::units::Share;

    use super::*;

    #[test]
    fn the_table_fits_and_times_fall_with_the_harm() {
        let wait = Wait::for_share(Share::from_permille(100), Duration::from_secs(3600));
        let found = Power::of(100.0, 0.005, &Settings::default(), &[wait]);
        let seconds: Vec<f64> =
            found.rows[0].rises.iter().map(|rise| rise.seconds.unwrap_or(f64::MAX)).collect();
        assert!(seconds.windows(2).all(|pair| pair[0] > pair[1]), "{seconds:?}");
        let text = power(&found);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.starts_with("100 requests/s with 0.50% errors\n"), "{text}");
        insta::assert_snapshot!(text);
    }
}
