//! Key figures of past rollouts, as a table of at most 80 columns.

use std::time::Duration;

use cutover_core::kpi::{Column, Kpis, Part, Report, Targets, Timeline, Times};
use cutover_core::units::Share;

use super::time::{minute, span};

/// Marks a target that is missed.
const MISSED: char = '✗';
/// Stands for what there is none of.
const NONE: &str = "-";

/// Characters of a name, unless one is longer.
const NAME: usize = 18;

/// What the words mean; the exact definitions are those of `cutover_core::kpi`.
const NOTES: &str = "\
deployed   rollouts that ended in this time, rollbacks aside. Those that go on
           or were superseded are left out of every figure.
success    those that ended as planned, a shadow or an experiment too; not those
           turned back, by itself or by a person.
deploy     mean time from begin to end of those that went live, waiting for
           people included. Shadow and A/B test are left out.
roll back  mean time of `cutover rollback`, and from turning back to its end.
no failed  of all ended rollouts with requests and known counts, those with none
request    failed or lost. Big bang has no target and is left out of sums.";

pub(crate) fn report(report: &Report) -> String {
    let since = minute(report.period.since);
    if report.apps.is_empty() {
        return format!("no rollouts yet since {since} UTC");
    }
    let mut lines = vec![format!("{since} to {} UTC", minute(report.period.until)), String::new()];
    lines.extend(table(report));
    lines.push(String::new());
    lines.extend(details(&report.total));
    lines.push(String::new());
    lines.extend(timeline(&report.timeline));
    lines.push(String::new());
    lines.extend(NOTES.lines().map(str::to_owned));
    lines.push(format!("{MISSED}          the target is missed"));
    lines.join("\n")
}

/// A line of the table: name, deployments, success, to deploy, to roll back, no failed request.
fn line(width: usize, name: &str, cells: [&str; 5]) -> String {
    let [deployments, success, deploy, back, clean] = cells;
    // The mark has a place of its own, so that numbers stand below each other.
    let padded = |cell: &str, width: usize| match cell.ends_with(MISSED) {
        true => format!("{cell:>width$}", width = width + 2),
        false => format!("{cell:>width$}  "),
    };
    let text = format!(
        "{name:<width$} {deployments:>8}{}{}{}{clean:>18}",
        padded(success, 9),
        padded(deploy, 9),
        padded(back, 9),
    );
    text.trim_end().to_owned()
}

fn table(report: &Report) -> Vec<String> {
    let Targets { success, to_deploy, to_roll_back, clean } = report.targets;
    let names = report.apps.iter().map(|app| app.subject.to_string().len());
    let width = names.max().unwrap_or(0).max(NAME);
    let head = ["deployed", "success", "deploy", "roll back", "no failed request"];
    let short = |limit: Duration| format!("≤ {}", humantime::format_duration(limit));
    let success = format!("≥ {}", percent(success));
    let (deploy, back) = (short(to_deploy), short(to_roll_back));
    let targets = ["", &success, &deploy, &back, &percent(clean)];
    let mut lines = vec![line(width, "", head), line(width, "target", targets)];
    for app in &report.apps {
        lines.push(row(width, &app.subject.to_string(), &app.all));
        let patterns = app.patterns.iter();
        lines.extend(patterns.map(|one| row(width, &format!("  {}", one.pattern), &one.kpis)));
    }
    if report.apps.len() > 1 {
        lines.push(row(width, "all", &report.total));
    }
    lines
}

fn row(width: usize, name: &str, kpis: &Kpis) -> String {
    let success = marked(part(kpis.success), kpis.success.met);
    let clean = match kpis.clean.of {
        0 if kpis.unknown > 0 => "unknown".to_owned(),
        0 => NONE.to_owned(),
        of => format!("{} of {of}  {:>6}", kpis.clean.good, part(kpis.clean)),
    };
    let cells = [
        &kpis.deployments.to_string(),
        &success,
        &mean(&kpis.to_deploy),
        &mean(&kpis.to_roll_back),
        &marked(clean, kpis.clean.met),
    ];
    line(width, name, cells.map(String::as_str))
}

fn marked(text: String, met: Option<bool>) -> String {
    if met == Some(false) { format!("{text} {MISSED}") } else { text }
}

/// Rounded down: 99.96 % is not all.
fn part(part: Part) -> String {
    let thousandths = (part.good * 1000).checked_div(part.of);
    let share = thousandths.map(|n| Share::from_permille(u32::try_from(n).unwrap_or(u32::MAX)));
    share.map_or(NONE.to_owned(), |share| share.to_string())
}

fn percent(share: f64) -> String {
    format!("{}%", (share * 1000.0).round() / 10.0)
}

fn mean(times: &Times) -> String {
    let text = match (times.mean_ms, times.never) {
        (Some(mean), _) => milliseconds(mean),
        (None, 0) => NONE.to_owned(),
        (None, _) => "never".to_owned(),
    };
    marked(text, times.met)
}

fn milliseconds(milliseconds: u64) -> String {
    span(Duration::from_millis(milliseconds))
}

/// What the table has no room for, over all.
fn details(kpis: &Kpis) -> Vec<String> {
    let Kpis { deployments, succeeded, turned_back, aborted, stuck, .. } = kpis;
    let longest = |times: &Times| times.longest_ms.map_or(NONE.to_owned(), milliseconds);
    let counts = &kpis.counts;
    let mut lines = vec![
        format!(
            "deployments  {deployments}: {succeeded} as planned, {turned_back} turned back by itself, \
             {aborted} by a person, {stuck} stuck"
        ),
        format!(
            "rollbacks    {} by `cutover rollback`, {} of them succeeded",
            kpis.rollbacks, kpis.rollbacks_succeeded
        ),
        format!(
            "longest      deploy {}, roll back {}",
            longest(&kpis.to_deploy),
            longest(&kpis.to_roll_back)
        ),
        format!(
            "requests     {} served, {} failed, {} lost, {} cut",
            counts.requests, counts.failed, counts.lost, counts.cut
        ),
    ];
    if kpis.without_requests + kpis.unknown > 0 {
        lines.push(format!(
            "not counted  {} without requests, {} with unknown counts",
            kpis.without_requests, kpis.unknown
        ));
    }
    if kpis.live + kpis.superseded > 0 {
        lines.push(format!("left out     {} going on, {} superseded", kpis.live, kpis.superseded));
    }
    lines
}

fn timeline(timeline: &Timeline) -> Vec<String> {
    let Some((first, last)) = timeline.columns.first().zip(timeline.columns.last()) else {
        return vec![];
    };
    let most = timeline.columns.iter().map(|column| column.deployments.max(column.rollbacks));
    let most = most.max().unwrap_or(0);
    let spark = |of: fn(&Column) -> u64| -> String {
        timeline.columns.iter().map(|column| bar(of(column), most)).collect()
    };
    let mut lines = vec![
        format!("{:<12} {}", format!("per {}", step(timeline.step_ms)), days(first, last)),
        format!(
            "deployed     {}  at most {most} a {}",
            spark(|column| column.deployments),
            step(timeline.step_ms)
        ),
        format!("not planned  {}", spark(|column| column.failed)),
    ];
    if timeline.columns.iter().any(|column| column.rollbacks > 0) {
        lines.push(format!("rolled back  {}", spark(|column| column.rollbacks)));
    }
    lines
}

fn days(first: &Column, last: &Column) -> String {
    format!("{} to {}", minute(first.begins), minute(last.begins))
}

fn step(milliseconds: u64) -> String {
    match milliseconds / 3_600_000 {
        1 => "hour".to_owned(),
        24 => "day".to_owned(),
        168 => "week".to_owned(),
        hours => format!("{} weeks", hours / 168),
    }
}

/// One of something is never invisible.
fn bar(count: u64, most: u64) -> char {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    match (count, most) {
        (0, _) | (_, 0) => '·',
        (count, most) => {
            let place = usize::try_from((count * 8).div_ceil(most)).unwrap_or(8);
            BARS.get(place.clamp(1, 8) - 1).copied().unwrap_or('█')
        }
    }
}

#[cfg(test)]
mod tests {
    use cutover_core::dataplane::Counters;
    use cutover_core::kpi::{self, End, Period, Row};
    use cutover_core::patterns::Pattern;
    use cutover_core::record::{Outcome, Why};
    use cutover_core::units::At;

    use super::*;

    const DAY: u64 = 86_400_000;
    const NOW: u64 = 1_795_457_600_123;
    const TABLE: &str = "\
2026-10-24 18:13 to 2026-11-23 18:13 UTC

                   deployed  success     deploy  roll back   no failed request
target                       ≥ 99.5%      ≤ 10m       ≤ 5m                100%
shop                     12    83.3% ✗   11.5 s      1.5 s    12 of 12    100%
  big-bang                1     100%      4.1 s          -      0 of 1      0%
  rolling                11    81.8% ✗   12.3 s      1.5 s    12 of 12    100%
shop.production           1     100%    11m 40s ✗        -             unknown
  blue-green              1     100%    11m 40s ✗        -             unknown
all                      13    84.6% ✗   1m 14s      1.5 s    12 of 12    100%

deployments  13: 11 as planned, 1 turned back by itself, 1 by a person, 0 stuck
rollbacks    1 by `cutover rollback`, 1 of them succeeded
longest      deploy 11m 40s, roll back 2.8 s
requests     12009 served, 2 failed, 0 lost, 0 cut
not counted  0 without requests, 1 with unknown counts

per day      2026-10-24 00:00 to 2026-11-23 00:00
deployed     ······▃··▃▃·▃··▃··▃··▃··▃··█·▃▃  at most 3 a day
not planned  ···························▆···
rolled back  ····························▃··

";

    fn row(subject: &str, pattern: Pattern, days_ago: u64, took: u64) -> Row {
        let ended = NOW - days_ago * DAY;
        Row {
            subject: subject.parse().unwrap(),
            pattern,
            rollback: false,
            begun: At(ended - took),
            turned_back_at: None,
            end: End::Ended { at: At(ended), outcome: Outcome::Succeeded, went_live: true },
            counts: Some(Counters { requests: 1000, ..Counters::default() }),
        }
    }

    fn turned_back(row: Row, why: Why, back: u64) -> Row {
        let End::Ended { at, .. } = row.end else { panic!("it ended") };
        let end = End::Ended { at, outcome: Outcome::RolledBack(why), went_live: false };
        Row { turned_back_at: Some(At(at.0 - back)), end, ..row }
    }

    fn rendered(rows: &[Row]) -> String {
        let period = Period { since: At(NOW - 30 * DAY), until: At(NOW) };
        report(&kpi::report(rows, period, Targets::default()))
    }

    #[test]
    fn nothing_is_no_hundred_percent() {
        assert_eq!(rendered(&[]), "no rollouts yet since 2026-10-24 18:13 UTC");
        let text = rendered(&[Row { end: End::Live, ..row("shop", Pattern::Canary, 0, 0) }]);
        let row =
            "\n  canary                  0        -          -          -                   -\n";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("1 going on, 0 superseded") && !text.contains("100% "), "{text}");
    }

    #[test]
    fn the_table_reads_well_within_80_columns() {
        let mut rows: Vec<Row> =
            (0..9).map(|day| row("shop", Pattern::Rolling, day * 3, 12_300)).collect();
        rows.push(turned_back(row("shop", Pattern::Rolling, 3, 9_000), Why::Verdict, 1_200));
        rows.push(turned_back(row("shop", Pattern::Rolling, 3, 9_000), Why::Aborted, 400));
        rows.push(Row { rollback: true, ..row("shop", Pattern::Rolling, 2, 2_800) });
        rows.push(Row { counts: None, ..row("shop.production", Pattern::BlueGreen, 1, 700_000) });
        let failed = Some(Counters { requests: 9, failed: 2, ..Counters::default() });
        rows.push(Row { counts: failed, ..row("shop", Pattern::BigBang, 20, 4_100) });
        let text = rendered(&rows);
        let (table, notes) = text.split_once("deployed   rollouts that ended").unwrap();
        assert_eq!(table, TABLE, "\n{text}");
        assert!(notes.ends_with("the target is missed"));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn a_share_is_rounded_down_and_a_missed_target_marked() {
        let mut rows: Vec<Row> =
            (0..2999).map(|_| row("shop", Pattern::Rolling, 1, 1_000)).collect();
        let failed = Some(Counters { requests: 9, failed: 1, ..Counters::default() });
        rows.push(Row { counts: failed, ..row("shop", Pattern::Rolling, 1, 1_000) });
        let text = rendered(&rows);
        assert!(text.contains("2999 of 3000   99.9% ✗"), "{text}");
        let stuck = turned_back(row("shop", Pattern::Rolling, 1, 1_000), Why::Aborted, 5);
        let end =
            End::Ended { at: At(NOW), outcome: Outcome::Stuck(Why::Aborted), went_live: false };
        assert!(rendered(&[Row { end, ..stuck }]).contains("never ✗"));
    }

    #[test]
    fn one_of_many_is_seen() {
        assert_eq!((bar(0, 5), bar(1, 1000), bar(1000, 1000), bar(1, 2)), ('·', '▁', '█', '▄'));
    }
}
