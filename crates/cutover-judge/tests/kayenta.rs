//! The Kayenta judge as a team that brings its configuration sees it.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeSet;

use cutover_judge::kayenta::{
    Classification, Direction, Grounds, InvalidSettings, Metric, MetricReport, Outcome, Percent,
    Report, Series, Settings, UNGROUPED, judge,
};

const STEADY: [f64; 8] = [10.0, 11.0, 9.0, 10.5, 9.5, 10.2, 9.8, 10.1];
const DOUBLED: [f64; 8] = [20.0, 22.0, 18.0, 21.0, 19.0, 20.4, 19.6, 20.2];
/// As [`STEADY`], a little otherwise, so that the two are not identical.
const ALIKE: [f64; 8] = [10.05, 10.9, 9.1, 10.4, 9.6, 10.3, 9.7, 10.0];
const NONE: [f64; 0] = [];

fn metric(json: &str) -> Metric {
    serde_json::from_str(json).unwrap()
}

/// One metric `m` with these settings.
fn one(json: &str, experiment: &[f64], control: &[f64]) -> (MetricReport, Report) {
    let settings =
        Settings { metrics: [("m".to_owned(), metric(json))].into(), ..Settings::default() };
    let report = judge(&settings, &[Series { name: "m", experiment, control }]);
    (report.metrics[0].clone(), report)
}

fn label(json: &str, experiment: &[f64], control: &[f64]) -> Classification {
    one(json, experiment, control).0.classification
}

/// Several metrics with their settings, each with a series.
fn run(settings: &str, series: &[(&str, &[f64])]) -> Report {
    let settings: Settings = serde_json::from_str(settings).unwrap();
    let series: Vec<Series<'_>> = series
        .iter()
        .map(|(name, experiment)| Series { name, experiment, control: &STEADY })
        .collect();
    judge(&settings, &series)
}

fn normal(random: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}

/// The share of comparisons of N(10, 2) with itself that are called high or low.
fn false_alarms(random: &mut fastrand::Rng, buckets: usize, runs: u32) -> f64 {
    let mut called = 0;
    for _ in 0..runs {
        let arm = |random: &mut fastrand::Rng| -> Vec<f64> {
            (0..buckets).map(|_| 10.0 + 2.0 * normal(random)).collect()
        };
        let (experiment, control) = (arm(random), arm(random));
        match label("{}", &experiment, &control) {
            Classification::High | Classification::Low => called += 1,
            Classification::Nodata => assert!(buckets < 5),
            other => assert!(buckets >= 5 && other == Classification::Pass, "{other:?}"),
        }
    }
    f64::from(called) / f64::from(runs)
}

#[test]
fn no_change_is_hardly_ever_called_one() {
    let mut random = fastrand::Rng::with_seed(1);
    for buckets in 1..5 {
        assert_eq!(false_alarms(&mut random, buckets, 500), 0.0, "{buckets} buckets");
    }
    let mut all = 0.0;
    for buckets in 5..=20 {
        let share = false_alarms(&mut random, buckets, 1000);
        // Of 1000 runs at 1 %, more than 20 happen once in 600 times.
        assert!(share <= 0.02, "{buckets} buckets: {share}");
        all += share / 16.0;
    }
    // The nominal 2 % less what the margin of a quarter of the shift takes; measured 0.3 %.
    assert!((0.001..0.01).contains(&all), "{all}");
}

#[test]
fn a_strong_shift_is_high_or_low_by_direction() {
    assert_eq!(label("{}", &DOUBLED, &STEADY), Classification::High);
    assert_eq!(label("{}", &STEADY, &DOUBLED), Classification::Low);
    let only = |direction, experiment, control| {
        label(&format!(r#"{{"direction": "{direction}"}}"#), experiment, control)
    };
    assert_eq!(only("increase", &DOUBLED, &STEADY), Classification::High);
    assert_eq!(only("increase", &STEADY, &DOUBLED), Classification::Pass);
    assert_eq!(only("decrease", &STEADY, &DOUBLED), Classification::Low);
    assert_eq!(only("decrease", &DOUBLED, &STEADY), Classification::Pass);
    assert_eq!(label("{}", &ALIKE, &STEADY), Classification::Pass);
    let (metric, report) = one("{}", &DOUBLED, &STEADY);
    assert!(metric.reason.starts_with("higher than the control by 10."), "{}", metric.reason);
    assert_eq!((report.outcome, report.score), (Outcome::Fail, 0.0));
    assert_eq!(report.grounds, Grounds::Score);
}

#[test]
fn a_change_must_be_as_large_as_the_settings_say() {
    let sized = |json: &str| label(&format!(r#"{{"effect-size": {json}}}"#), &DOUBLED, &STEADY);
    assert_eq!(sized(r#"{"allowed-increase": 1.9}"#), Classification::High);
    assert_eq!(sized(r#"{"allowed-increase": 2.1}"#), Classification::Pass);
    assert_eq!(sized(r#"{"measure": "cles", "allowed-increase": 1.0}"#), Classification::High);
    let low = |json: &str| label(&format!(r#"{{"effect-size": {json}}}"#), &STEADY, &DOUBLED);
    assert_eq!(low(r#"{"allowed-decrease": 0.6}"#), Classification::Low);
    assert_eq!(low(r#"{"allowed-decrease": 0.4}"#), Classification::Pass);
    // The ratio of means is unknown where a mean is zero: then only the shift counts.
    let (metric, _) = one(r#"{"effect-size": {"allowed-increase": 9}}"#, &DOUBLED, &[0.0; 8]);
    assert_eq!(metric.classification, Classification::High);
    assert_eq!(metric.comparison.unwrap().effect, None);
}

#[test]
fn critical_metrics_fail_the_run_by_a_change_of_the_critical_size() {
    let of = |size: &str| {
        let json = format!(r#"{{"critical": true, "effect-size": {size}}}"#);
        let (metric, report) = one(&json, &DOUBLED, &STEADY);
        assert_eq!(metric.classification, Classification::High);
        (metric.critical_failure, report.grounds)
    };
    assert_eq!(of("{}"), (true, Grounds::CriticalMetric));
    assert_eq!(of(r#"{"critical-increase": 1.5}"#), (true, Grounds::CriticalMetric));
    assert_eq!(of(r#"{"critical-increase": 3.0}"#), (false, Grounds::Score));
    // One of many: the others' scores do not matter, nor a threshold of zero.
    let report = run(
        r#"{"metrics": {"a": {}, "b": {}, "c": {"critical": true}}, "pass": 0, "marginal": 0}"#,
        &[("a", &ALIKE), ("b", &ALIKE), ("c", &DOUBLED)],
    );
    assert_eq!((report.score, report.outcome), (0.0, Outcome::Fail));
    assert!(report.reason.starts_with("critical metric `c` is higher"), "{}", report.reason);
}

#[test]
fn missing_values_and_empty_arms() {
    let mut holes = STEADY.to_vec();
    holes.extend([f64::NAN; 30]);
    let (metric, _) = one("{}", &holes, &ALIKE);
    assert_eq!((metric.classification, metric.experiment.count), (Classification::Pass, 8));
    assert_eq!(label(r#"{"nan-strategy": "replace"}"#, &holes, &ALIKE), Classification::Low);
    for (experiment, control) in [(&NONE[..], &STEADY[..]), (&STEADY, &NONE), (&NONE, &NONE)] {
        assert_eq!(label("{}", experiment, control), Classification::Nodata);
        let must = r#"{"must-have-data": true}"#;
        assert_eq!(label(must, experiment, control), Classification::NodataFail);
        let replace = r#"{"nan-strategy": "replace"}"#;
        assert_eq!(label(replace, experiment, control), Classification::Nodata);
        let critical = r#"{"must-have-data": true, "critical": true}"#;
        let (metric, report) = one(critical, experiment, control);
        assert_eq!(metric.classification, Classification::Nodata);
        assert!(metric.critical_failure);
        assert_eq!(report.grounds, Grounds::WantOfData);
        assert!(report.reason.starts_with("no data for critical metric `m`"), "{}", report.reason);
    }
    assert_eq!(label("{}", &[f64::NAN; 20], &STEADY), Classification::Nodata);
    // Too few after outliers are dropped: the fences move with five values.
    let few = [1.0, 1.0, 1.0, 1.0, 900.0];
    assert_eq!(one("{}", &few, &STEADY).0.experiment.count, 5);
    let remove = r#"{"outliers": {"strategy": "remove"}}"#;
    assert_eq!(label(remove, &few, &STEADY), Classification::Nodata);
    assert_eq!(label("{}", &DOUBLED[..4], &STEADY), Classification::Nodata);
}

#[test]
fn equal_and_constant_arms() {
    let shuffled: Vec<f64> = STEADY.iter().rev().copied().collect();
    assert_eq!(label("{}", &shuffled, &STEADY), Classification::Pass);
    assert_eq!(label("{}", &[3.0; 7], &[3.0; 9]), Classification::Pass);
    assert_eq!(label("{}", &[0.0; 7], &[0.0; 9]), Classification::Pass);
    assert_eq!(label("{}", &[4.0; 7], &[3.0; 9]), Classification::High);
    // A ratio of negative means is above 1 where the experiment is lower.
    assert_eq!(label("{}", &[-4.0; 7], &[-3.0; 9]), Classification::Pass);
    let cles = r#"{"effect-size": {"measure": "cles"}}"#;
    assert_eq!(label(cles, &[-4.0; 7], &[-3.0; 9]), Classification::Low);
    assert_eq!(label("{}", &[5.0; 7], &[0.0; 9]), Classification::High);
    assert_eq!(label("{}", &[0.0; 7], &[5.0; 9]), Classification::Low);
    assert_eq!(one("{}", &[4.0; 7], &[3.0; 9]), one("{}", &[4.0; 7], &[3.0; 9]));
    // The spread of constant arms is not to be taken for the arms' values.
    let (metric, _) = one("{}", &[4.0; 7], &[3.0; 9]);
    assert_eq!((metric.experiment.min, metric.experiment.max), (Some(4.0), Some(4.0)));
}

#[test]
fn what_cannot_be_compared_is_an_error_and_no_pass() {
    // Constants so near zero that no spread fits between them: all values are tied.
    let (least, next) = ([f64::from_bits(1); 6], [f64::from_bits(2); 6]);
    let (metric, report) = one("{}", &next, &least);
    assert_eq!(metric.classification, Classification::Error);
    assert!(metric.reason.contains("all values are tied"));
    assert_eq!((report.outcome, report.grounds), (Outcome::Fail, Grounds::WantOfData));
    let infinite = [1.0, 2.0, 3.0, 4.0, f64::INFINITY];
    assert_eq!(label("{}", &infinite, &STEADY), Classification::Error);
    let (up, down) = ([0.0, 1.0, 2.0, 3.0, f64::MAX], [f64::MIN, 0.0, 1.0, 2.0, 3.0]);
    assert_eq!(label("{}", &up, &down), Classification::Error);
    assert_eq!(label("{}", &vec![1.0; 100_001], &STEADY), Classification::Error);
    // One error among metrics that were compared counts for nothing, unless it is critical.
    let three = |c: &str| {
        let settings = format!(r#"{{"metrics": {{"a": {{}}, "b": {{}}, "c": {c}}}}}"#);
        run(&settings, &[("a", &ALIKE), ("b", &ALIKE), ("c", &infinite)])
    };
    assert_eq!((three("{}").score, three("{}").outcome), (100.0, Outcome::Pass));
    let critical = three(r#"{"critical": true}"#);
    assert_eq!((critical.score, critical.grounds), (0.0, Grounds::WantOfData));
}

#[test]
fn groups_weigh_what_the_settings_say() {
    let settings = r#"{"metrics": {
        "a": {"groups": ["errors"]}, "b": {"groups": ["errors"]}, "c": {"groups": ["errors"]},
        "d": {"groups": ["latency", "all"]}, "e": {"groups": ["all"]}, "f": {}},
        "group-weights": {"errors": 55}}"#;
    let report = run(
        settings,
        &[
            ("a", &ALIKE),
            ("b", &ALIKE),
            ("c", &DOUBLED),
            ("d", &DOUBLED),
            ("e", &ALIKE),
            ("f", &ALIKE),
        ],
    );
    let groups: Vec<(&str, f64, f64)> = report
        .groups
        .iter()
        .map(|group| (group.name.as_str(), group.score.unwrap(), group.weight))
        .collect();
    assert_eq!(groups[0], ("all", 50.0, 15.0));
    assert_eq!((groups[1].0, groups[1].2), ("errors", 55.0));
    assert_eq!(groups[2], ("latency", 0.0, 15.0));
    assert_eq!(groups[3], (UNGROUPED, 100.0, 15.0));
    // 55·2/3 + 15·(1/2 + 0 + 1)
    assert_eq!((report.score, report.outcome), (59.17, Outcome::Fail));
    assert_eq!(report.grounds, Grounds::Score);
    assert!(report.reason.contains("2 of 6 high"), "{}", report.reason);
}

#[test]
fn thresholds_are_inclusive() {
    let of = |pass: f64, marginal: f64| {
        let settings = Settings {
            metrics: [("a", "{}"), ("b", "{}"), ("c", "{}"), ("d", "{}")]
                .map(|(name, json)| (name.to_owned(), metric(json)))
                .into(),
            pass: Percent::try_from(pass).unwrap(),
            marginal: Percent::try_from(marginal).unwrap(),
            ..Settings::default()
        };
        let series = [("a", &DOUBLED), ("b", &ALIKE), ("c", &ALIKE), ("d", &ALIKE)];
        let series = series.map(|(name, experiment)| Series { name, experiment, control: &STEADY });
        judge(&settings, &series).outcome
    };
    assert_eq!(of(75.0, 50.0), Outcome::Pass);
    assert_eq!(of(75.01, 75.0), Outcome::Marginal);
    assert_eq!(of(95.0, 75.01), Outcome::Fail);
}

#[test]
fn groups_without_data_do_not_lower_the_score_until_half_the_metrics_lack_it() {
    let settings = r#"{"metrics": {"a": {"groups": ["x"]}, "b": {"groups": ["x"]},
        "c": {"groups": ["y"]}}}"#;
    let third = run(settings, &[("a", &ALIKE), ("b", &ALIKE), ("c", &NONE)]);
    assert_eq!((third.score, third.outcome), (100.0, Outcome::Pass));
    assert_eq!((third.groups[1].score, third.groups[1].tally.nodata), (None, 1));
    let two = run(settings, &[("a", &ALIKE), ("b", &NONE), ("c", &NONE)]);
    assert_eq!((two.score, two.outcome, two.grounds), (0.0, Outcome::Fail, Grounds::WantOfData));
    assert_eq!(two.reason, "no data for 2 of 3 metrics");
    // Exactly half; and the missing one is not even sent.
    let half = r#"{"metrics": {"a": {}, "b": {}}, "pass": 0, "marginal": 0}"#;
    let half = run(half, &[("a", &ALIKE)]);
    assert_eq!((half.outcome, half.grounds), (Outcome::Fail, Grounds::WantOfData));
    assert_eq!(half.metrics[1].reason, "there is no such series");
}

#[test]
fn a_score_that_only_lacks_data_says_so() {
    let settings = r#"{"metrics": {"a": {}, "b": {}, "c": {"must-have-data": true}},
        "marginal": 60}"#;
    let lacking = run(settings, &[("a", &ALIKE), ("b", &ALIKE), ("c", &NONE)]);
    assert_eq!((lacking.score, lacking.outcome), (66.67, Outcome::Marginal));
    assert_eq!(lacking.grounds, Grounds::WantOfData);
    assert!(lacking.reason.contains("data is missing"), "{}", lacking.reason);
    let bad = run(settings, &[("a", &ALIKE), ("b", &DOUBLED), ("c", &NONE)]);
    assert_eq!(bad.grounds, Grounds::Score);
}

#[test]
fn muted_and_unknown_metrics_are_reported_but_score_nothing() {
    let settings = r#"{"metrics": {"a": {}, "b": {"muted": true, "critical": true}}}"#;
    let report = run(settings, &[("a", &ALIKE), ("b", &DOUBLED), ("z", &DOUBLED)]);
    assert_eq!((report.score, report.outcome), (100.0, Outcome::Pass));
    let labels: Vec<_> = report
        .metrics
        .iter()
        .map(|metric| (metric.name.as_str(), metric.classification, metric.scored))
        .collect();
    assert_eq!(
        labels,
        [
            ("a", Classification::Pass, true),
            ("b", Classification::High, false),
            ("z", Classification::Error, false),
        ]
    );
    let twice = run(r#"{"metrics": {"a": {}}}"#, &[("a", &ALIKE), ("a", &ALIKE)]);
    assert_eq!(twice.metrics[0].classification, Classification::Error);
    assert_eq!(twice.outcome, Outcome::Fail);
}

#[test]
fn wrong_settings_compare_nothing() {
    let report = judge(&Settings::default(), &[]);
    assert_eq!((report.outcome, report.grounds), (Outcome::Fail, Grounds::Settings));
    let muted = Metric { muted: true, ..Metric::default() };
    let settings = Settings { metrics: [("a".to_owned(), muted)].into(), ..Settings::default() };
    assert_eq!(settings.check(), Err(InvalidSettings::NoMetrics));
    assert_eq!(judge(&settings, &[]).grounds, Grounds::Settings);
    let direction = Direction::Increase;
    let groups = BTreeSet::from(["g".to_owned()]);
    let metric = Metric { direction, groups, ..Metric::default() };
    let mut settings =
        Settings { metrics: [("a".to_owned(), metric)].into(), ..Settings::default() };
    settings.group_weights.insert("g".to_owned(), Percent::try_from(40.0).unwrap());
    let report = judge(&settings, &[]);
    assert!(report.reason.contains("add up to 40 instead of 100"), "{}", report.reason);
}

#[test]
fn a_report_can_be_stored() {
    let (_, report) = one(r#"{"critical": true}"#, &DOUBLED, &STEADY);
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains(r#""grounds":"critical-metric""#), "{text}");
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}
