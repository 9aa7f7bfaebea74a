use proptest::prelude::*;

use super::*;
use crate::record::Why;

const DAY: u64 = 24 * 3_600_000;

fn counts(requests: u64, failed: u64, lost: u64) -> Option<Counters> {
    Some(Counters { requests, failed, lost, ..Counters::default() })
}

/// A rolling deployment of `shop` that went live in ten seconds, with 100 good requests.
fn good(ended: u64) -> Row {
    Row {
        subject: "shop".parse().unwrap(),
        pattern: Pattern::Rolling,
        rollback: false,
        begun: At(ended - 10_000),
        turned_back_at: None,
        end: End::Ended { at: At(ended), outcome: Outcome::Succeeded, went_live: true },
        counts: counts(100, 0, 0),
    }
}

/// One that turned back two seconds before its end.
fn bad(ended: u64, outcome: Outcome) -> Row {
    Row {
        turned_back_at: Some(At(ended - 2_000)),
        end: End::Ended { at: At(ended), outcome, went_live: false },
        ..good(ended)
    }
}

fn of(rows: &[Row]) -> Report {
    report(rows, Period { since: At(0), until: At(30 * DAY) }, Targets::default())
}

#[test]
fn nothing_is_neither_good_nor_bad() {
    let report = of(&[]);
    assert_eq!((report.total.success.share, report.total.success.met), (None, None));
    assert_eq!((report.total.clean.share, report.total.to_deploy.mean_ms), (None, None));
    assert!(report.apps.is_empty() && !report.misses());
}

#[test]
fn what_goes_on_or_was_taken_over_is_counted_and_left_out_of_every_figure() {
    let live = Row { end: End::Live, counts: counts(5, 5, 0), ..good(DAY) };
    let superseded = Row { end: End::Superseded { at: At(DAY) }, ..live.clone() };
    let report = of(&[live, superseded]);
    let none = Kpis { live: 1, superseded: 1, ..of(&[]).total };
    assert_eq!(report.total, none);
    assert!(report.timeline.columns.iter().all(|column| column.deployments == 0));
}

#[test]
fn every_way_to_end_has_its_count_and_only_one_is_a_success() {
    let report = of(&[
        good(DAY),
        bad(DAY, Outcome::RolledBack(Why::Verdict)),
        bad(DAY, Outcome::RolledBackDegraded(Why::CrashLoop)),
        bad(DAY, Outcome::RolledBack(Why::Aborted)),
        bad(DAY, Outcome::Stuck(Why::Deadline)),
    ]);
    let kpis = &report.total;
    assert_eq!((kpis.deployments, kpis.succeeded, kpis.turned_back), (5, 1, 2));
    assert_eq!((kpis.aborted, kpis.stuck), (1, 1));
    assert_eq!((kpis.success.share, kpis.success.met), (Some(0.2), Some(false)));
    assert!(report.misses());
}

#[test]
fn the_success_rate_meets_its_target_at_995_of_a_thousand() {
    let mut rows: Vec<Row> = (0..995).map(|_| good(DAY)).collect();
    rows.extend((0..5).map(|_| bad(DAY, Outcome::RolledBack(Why::Verdict))));
    assert_eq!(of(&rows).total.success.met, Some(true));
    rows.push(bad(DAY, Outcome::RolledBack(Why::Verdict)));
    assert_eq!(of(&rows).total.success.met, Some(false));
}

#[test]
fn the_time_to_deploy_is_that_of_what_went_live_and_not_of_what_lasts_as_asked() {
    let long = |pattern| Row { pattern, begun: At(0), ..good(14 * DAY) };
    let observed = Row {
        pattern: Pattern::Canary,
        end: End::Ended { at: At(DAY), outcome: Outcome::Succeeded, went_live: false },
        ..good(DAY)
    };
    let slow = Row { begun: At(DAY - 30_000), ..good(DAY) };
    let failed = bad(DAY, Outcome::RolledBack(Why::NotReady));
    let rows = [good(DAY), slow, failed, observed, long(Pattern::Shadow), long(Pattern::AbTesting)];
    let times = of(&rows).total.to_deploy;
    assert_eq!((times.count, times.mean_ms, times.longest_ms), (2, Some(20_000), Some(30_000)));
    assert_eq!(times.met, Some(true));
    let slow = Row { begun: At(DAY - 600_001), ..good(DAY) };
    assert_eq!(of(&[slow]).total.to_deploy.met, Some(false));
}

#[test]
fn an_experiment_that_ended_as_planned_is_a_success() {
    let shadow = Row {
        pattern: Pattern::Shadow,
        end: End::Ended { at: At(DAY), outcome: Outcome::Succeeded, went_live: false },
        ..good(DAY)
    };
    let kpis = of(&[shadow]).total;
    assert_eq!((kpis.succeeded, kpis.success.share, kpis.to_deploy.count), (1, Some(1.0), 0));
}

#[test]
fn the_time_to_roll_back_is_that_of_rollbacks_and_of_turning_back() {
    let rollback = Row { rollback: true, begun: At(DAY - 4_000), ..good(DAY) };
    let report = of(&[rollback, bad(DAY, Outcome::RolledBackDegraded(Why::Verdict)), good(DAY)]);
    let kpis = &report.total;
    assert_eq!((kpis.rollbacks, kpis.rollbacks_succeeded, kpis.deployments), (1, 1, 2));
    let times = kpis.to_roll_back;
    assert_eq!((times.count, times.mean_ms, times.longest_ms), (2, Some(3_000), Some(4_000)));
    assert_eq!(times.met, Some(true));
    assert_eq!(kpis.to_deploy.count, 1, "a rollback is no deployment");
}

#[test]
fn a_rollback_that_itself_turned_back_counts_with_its_way_back_only() {
    let failed = bad(DAY, Outcome::RolledBack(Why::NotReady));
    let kpis = of(&[Row { rollback: true, ..failed }]).total;
    assert_eq!((kpis.rollbacks, kpis.rollbacks_succeeded, kpis.deployments), (1, 0, 0));
    assert_eq!((kpis.to_roll_back.count, kpis.to_roll_back.mean_ms), (1, Some(2_000)));
    assert_eq!(kpis.success.share, None);
}

#[test]
fn one_that_never_got_back_misses_the_target_however_fast_the_others_were() {
    let stuck = bad(DAY, Outcome::Stuck(Why::Aborted));
    let times = of(std::slice::from_ref(&stuck)).total.to_roll_back;
    assert_eq!((times.count, times.never, times.mean_ms, times.met), (0, 1, None, Some(false)));
    let times = of(&[stuck, bad(DAY, Outcome::RolledBack(Why::Hook))]).total.to_roll_back;
    assert_eq!((times.mean_ms, times.met), (Some(2_000), Some(false)));
}

#[test]
fn unknown_counts_and_no_requests_are_not_rollouts_without_a_failed_request() {
    let with = |counts| Row { counts, ..good(DAY) };
    let rows = [with(None), with(counts(0, 0, 0)), with(counts(100, 0, 0)), with(counts(9, 1, 0))];
    let kpis = of(&rows).total;
    assert_eq!((kpis.unknown, kpis.without_requests), (1, 1));
    assert_eq!((kpis.clean.of, kpis.clean.good), (2, 1));
    assert_eq!((kpis.clean.met, kpis.counts.requests), (Some(false), 109));
    let kpis = of(&[with(None), with(counts(0, 0, 0))]).total;
    assert_eq!((kpis.clean.share, kpis.clean.met), (None, None));
    let kpis = of(&[with(counts(100, 0, 1))]).total;
    assert_eq!(
        kpis.clean.met,
        Some(false),
        "a request lost in a dead instance failed for its user"
    );
    let cut = Counters { requests: 9, cut: 9, ..Counters::default() };
    assert_eq!(of(&[with(Some(cut))]).total.clean.met, Some(true), "the drain limit was asked for");
}

#[test]
fn turning_back_and_rolling_back_must_not_fail_a_request_either() {
    let turned = Row { counts: counts(9, 1, 0), ..bad(DAY, Outcome::RolledBack(Why::Verdict)) };
    let rollback = Row { counts: counts(9, 1, 0), rollback: true, ..good(DAY) };
    assert_eq!((of(&[turned, rollback]).total.clean.of), 2);
}

#[test]
fn big_bang_has_no_target_and_stays_out_of_sums() {
    let bang = Row { pattern: Pattern::BigBang, counts: counts(9, 3, 0), ..good(DAY) };
    let report = of(&[bang, good(DAY)]);
    let app = &report.apps[0];
    let patterns: Vec<Pattern> = app.patterns.iter().map(|one| one.pattern).collect();
    assert_eq!(patterns, [Pattern::BigBang, Pattern::Rolling]);
    let clean = app.patterns[0].kpis.clean;
    assert_eq!((clean.share, clean.target, clean.met), (Some(0.0), None, None));
    assert_eq!((app.all.clean.of, app.all.clean.met), (1, Some(true)));
    assert_eq!((report.total.clean.of, report.total.clean.met), (1, Some(true)));
    assert!(!report.misses());
}

#[test]
fn an_app_can_miss_what_the_sum_meets() {
    let other =
        Row { subject: "shop.production".parse().unwrap(), begun: At(DAY - 700_000), ..good(DAY) };
    let report = of(&[good(DAY), other]);
    let names: Vec<String> = report.apps.iter().map(|app| app.subject.to_string()).collect();
    assert_eq!(names, ["shop", "shop.production"]);
    assert_eq!(report.total.to_deploy.met, Some(true));
    assert!(report.apps[1].all.misses() && report.misses());
}

#[test]
fn only_what_ended_within_the_period_counts() {
    let period = Period { since: At(10 * DAY), until: At(20 * DAY) };
    let rows: Vec<Row> = [9, 10, 15, 20, 21].map(|day| good(day * DAY)).into();
    assert_eq!(report(&rows, period, Targets::default()).total.deployments, 3);
}

fn columns(days: u64) -> Timeline {
    let until = At(20_000 * DAY + 5 * 3_600_000);
    let period = Period { since: At(until.0 - days * DAY), until };
    report(&[], period, Targets::default()).timeline
}

#[test]
fn columns_are_hours_days_weeks_or_quarters_and_begin_where_these_do() {
    for (days, step, most) in [(1, DAY / 24, 25), (30, DAY, 31), (365, 7 * DAY, 53)] {
        let timeline = columns(days);
        assert_eq!((timeline.step_ms, timeline.columns.len()), (step, most), "{days} days");
    }
    assert_eq!(columns(365).columns[0].begins.0 / DAY % 7, 4, "on a Monday");
    assert_eq!(columns(365 * 5).step_ms, 91 * DAY);
    let all = report(&[], Period { since: At(0), until: At(20_000 * DAY) }, Targets::default());
    assert!((30..=60).contains(&all.timeline.columns.len()), "{}", all.timeline.columns.len());
}

#[test]
fn each_end_is_in_the_column_of_its_time() {
    let period = Period { since: At(5 * DAY + 1), until: At(8 * DAY) };
    let rollback = Row { rollback: true, ..good(6 * DAY) };
    let failed = bad(6 * DAY + 1, Outcome::RolledBack(Why::Verdict));
    let rows = [good(6 * DAY - 1), good(6 * DAY), failed, rollback, good(8 * DAY)];
    let hours = report(&rows, period, Targets::default()).timeline;
    assert_eq!(hours.step_ms, DAY, "72 hours have no room");
    let counted: Vec<_> =
        hours.columns.iter().map(|one| (one.deployments, one.failed, one.rollbacks)).collect();
    assert_eq!(counted, [(1, 0, 0), (2, 1, 1), (0, 0, 0), (1, 0, 0)]);
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let why = || prop_oneof![Just(Why::Aborted), Just(Why::Verdict), Just(Why::Deadline)];
    prop_oneof![
        Just(Outcome::Succeeded),
        why().prop_map(Outcome::RolledBack),
        why().prop_map(Outcome::RolledBackDegraded),
        why().prop_map(Outcome::Stuck),
    ]
}

fn any_end() -> impl Strategy<Value = End> {
    let at = || (0..60 * DAY).prop_map(At);
    prop_oneof![
        Just(End::Live),
        at().prop_map(|at| End::Superseded { at }),
        (at(), any_outcome(), any::<bool>()).prop_map(|(at, outcome, went_live)| End::Ended {
            at,
            outcome,
            went_live
        }),
    ]
}

prop_compose! {
    fn any_row()(
        app in prop_oneof![Just("shop"), Just("shop.production"), Just("api")],
        pattern in proptest::sample::select(&Pattern::ALL),
        rollback in any::<bool>(),
        begun in 0..60 * DAY,
        turned in proptest::option::of(0..60 * DAY),
        end in any_end(),
        counts in proptest::option::of((0..3_u64, 0..2_u64, 0..2_u64)),
    ) -> Row {
        let counts = counts.map(|(requests, failed, lost)| {
            let requests = requests + failed + lost;
            Counters { requests, failed, lost, ..Counters::default() }
        });
        let subject = app.parse().unwrap();
        let turned_back_at = turned.map(At);
        Row { subject, pattern, rollback, begun: At(begun), turned_back_at, end, counts }
    }
}

fn sound(kpis: &Kpis) -> Result<(), TestCaseError> {
    for part in [kpis.success, kpis.clean] {
        prop_assert!(part.good <= part.of);
        prop_assert_eq!(part.share.is_some(), part.of > 0);
        prop_assert!(part.share.is_none_or(|share| (0.0..=1.0).contains(&share)));
    }
    for times in [kpis.to_deploy, kpis.to_roll_back] {
        prop_assert_eq!(times.mean_ms.is_some(), times.count > 0);
        prop_assert!(times.mean_ms <= times.longest_ms);
    }
    let ends = kpis.succeeded + kpis.turned_back + kpis.aborted + kpis.stuck;
    prop_assert_eq!(kpis.deployments, ends);
    prop_assert!(kpis.to_deploy.count <= kpis.succeeded);
    prop_assert!(kpis.rollbacks_succeeded <= kpis.rollbacks);
    let measured = kpis.clean.of + kpis.without_requests + kpis.unknown;
    prop_assert!(measured <= kpis.deployments + kpis.rollbacks);
    Ok(())
}

proptest! {
    #[test]
    fn shares_are_shares_and_parts_add_up(
        rows in proptest::collection::vec(any_row(), 0..40),
        since in 0..60 * DAY,
        length in 0..60 * DAY,
    ) {
        let period = Period { since: At(since), until: At(since + length) };
        let report = report(&rows, period, Targets::default());
        let apps: Vec<&Kpis> = report.apps.iter().map(|app| &app.all).collect();
        let patterns: Vec<&Kpis> =
            report.apps.iter().flat_map(|app| app.patterns.iter().map(|one| &one.kpis)).collect();
        for kpis in apps.iter().chain(&patterns).chain(&[&report.total]) {
            sound(kpis)?;
        }
        let figures: [fn(&Kpis) -> u64; 10] = [
            |k| k.deployments, |k| k.succeeded, |k| k.turned_back, |k| k.aborted, |k| k.stuck,
            |k| k.rollbacks, |k| k.live, |k| k.superseded, |k| k.to_roll_back.count,
            |k| k.counts.requests,
        ];
        for figure in figures {
            let sum = |of: &[&Kpis]| of.iter().map(|kpis| figure(kpis)).sum::<u64>();
            prop_assert_eq!(figure(&report.total), sum(&apps));
            prop_assert_eq!(figure(&report.total), sum(&patterns));
        }
        let columns = &report.timeline.columns;
        prop_assert!((1..=60).contains(&columns.len()));
        prop_assert!(columns.iter().all(|column| column.failed <= column.deployments));
        let sum = |of: fn(&Column) -> u64| columns.iter().map(of).sum::<u64>();
        prop_assert_eq!(sum(|c| c.deployments), report.total.deployments);
        prop_assert_eq!(sum(|c| c.failed), report.total.deployments - report.total.succeeded);
        prop_assert_eq!(sum(|c| c.rollbacks), report.total.rollbacks);
    }
}
