//! Tracks over restarts of both processes, and experiments of which the truth is known.

use cutover_core::served_flags::{Attribute, Track, Tracked};

use super::*;

fn env() -> Environment {
    "production".parse().unwrap()
}

fn exposure(at: u64, user: &str, variant: &str) -> Tracked {
    let attributes = [("plan".to_owned(), Attribute::Text("gold".to_owned()))].into();
    let (targeting_key, flag) = (user.to_owned(), "new".to_owned());
    let track = Track::Exposure { targeting_key, flag, variant: variant.to_owned(), attributes };
    Tracked { at: At(at), track }
}

fn outcome(at: u64, user: &str, value: Option<f64>) -> Tracked {
    let (targeting_key, name) = (user.to_owned(), "paid".to_owned());
    let track = Track::Outcome { targeting_key, name, value, flag: None, variant: None };
    Tracked { at: At(at), track }
}

fn split(on: u64, off: u64) -> BTreeMap<String, Split> {
    let weights = [("on".to_owned(), on), ("off".to_owned(), off)].into();
    [("new".to_owned(), Split { weights, default: Some("off".into()), picks: false })].into()
}

fn tracks(cursor: u64, tracks: Vec<Tracked>) -> Tracks {
    Tracks { epoch: 1, cursor, tracks, ..Tracks::default() }
}

fn asked() -> Question {
    Question { outcome: Some("paid".into()), ..Question::of("new") }
}

#[test]
fn what_was_read_is_there_after_a_restart_and_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = TrackLog::open(folder.path()).unwrap();
    assert_eq!(log.cursor(&env()).unwrap(), Cursor { epoch: None, after: 0 });
    let read = vec![
        outcome(5, "u1", None),
        exposure(10, "u1", "on"),
        exposure(11, "u2", "off"),
        exposure(12, "u1", "on"),
        outcome(20, "u1", Some(2.5)),
        outcome(30, "u1", Some(4.0)),
        outcome(40, "u2", None),
        outcome(50, "nobody", None),
    ];
    assert_eq!(log.keep(&env(), &tracks(8, read), &split(50, 50)).unwrap(), (0, false));
    drop(log);
    let log = TrackLog::open(folder.path()).unwrap();
    assert_eq!(log.cursor(&env()).unwrap(), Cursor { epoch: Some(1), after: 8 });
    let found = log.by_variant(&env(), "new", "paid", At(0)).unwrap();
    let on = Tally { users: 1, converted: 1, amount: 6.5 };
    let off = Tally { users: 1, converted: 1, amount: 0.0 };
    assert_eq!(found, [("on".to_owned(), on), ("off".to_owned(), off)].into());
    // Outcomes before the exposure, and those of others, count for nobody.
    assert!(
        log.by_variant(&env(), "new", "left", At(0)).unwrap().values().all(|it| it.converted == 0)
    );
    assert!(log.by_variant(&"other".parse().unwrap(), "new", "paid", At(0)).unwrap().is_empty());
    // The proxy started again, and forgot some before they were read.
    let after =
        Tracks { epoch: 2, cursor: 9, forgotten: 4, ..tracks(0, vec![outcome(60, "u2", None)]) };
    assert_eq!(log.keep(&env(), &after, &split(50, 50)).unwrap(), (4, true));
    let report = log.report(&env(), &asked(), At(100)).unwrap();
    let losses = Losses { forgotten: 4, restarts: 1, ..Losses::default() };
    assert_eq!((report.losses, report.outcomes), (losses, vec!["paid".to_owned()]));
}

#[test]
fn users_count_where_they_were_first_and_later_sides_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let log = TrackLog::open(folder.path()).unwrap();
    let read = vec![exposure(1, "u1", "off"), exposure(2, "u2", "off"), exposure(3, "u1", "on")];
    log.keep(&env(), &tracks(3, read), &split(10, 90)).unwrap();
    // A ramp goes on: who was off is on from now on.
    let read = vec![exposure(10, "u1", "on"), exposure(11, "u2", "on"), exposure(12, "u3", "on")];
    log.keep(&env(), &tracks(6, read), &split(50, 50)).unwrap();
    let users = |report: &ExperimentReport| -> Vec<(String, u64)> {
        report.variants.iter().map(|it| (it.variant.clone(), it.users)).collect()
    };
    let report = log.report(&env(), &asked(), At(20)).unwrap();
    assert_eq!(users(&report), [("off".into(), 2), ("on".into(), 1)]);
    assert_eq!((report.contaminated, report.strays, report.undealt), (2, 0, 0));
    // The stage alone.
    let since = Question { since: Some(At(10)), ..asked() };
    let report = log.report(&env(), &since, At(20)).unwrap();
    assert_eq!((users(&report), report.contaminated), (vec![("on".into(), 3)], 0));
}

#[test]
fn those_who_came_before_users_were_dealt_out_count_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let log = TrackLog::open(folder.path()).unwrap();
    let early = vec![exposure(1, "u1", "off"), exposure(2, "u2", "off")];
    log.keep(&env(), &tracks(2, early), &BTreeMap::new()).unwrap();
    let report = log.report(&env(), &asked(), At(5)).unwrap();
    assert_eq!((report.undealt, &report.sample_ratio), (2, &SampleRatioCheck::Unknown));
    assert!(matches!(report.verdict, Verdict::Untested { .. }));
    log.keep(&env(), &tracks(3, vec![exposure(10, "u1", "on")]), &split(50, 50)).unwrap();
    let report = log.report(&env(), &asked(), At(20)).unwrap();
    assert_eq!((report.undealt, report.contaminated), (1, 0));
    // A variant that had no share is a stray, not proof of a mismatch.
    log.keep(&env(), &tracks(4, vec![exposure(30, "u5", "on")]), &split(0, 100)).unwrap();
    let report = log.report(&env(), &asked(), At(40)).unwrap();
    assert_eq!(report.strays, 1);
    assert!(matches!(report.sample_ratio, SampleRatioCheck::Fits { .. }));
}

#[test]
fn age_and_room_are_bounded_and_what_goes_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let log = TrackLog::open(folder.path()).unwrap();
    let day = 24 * 60 * 60 * 1000;
    let old = vec![exposure(day, "u1", "on"), outcome(day, "u1", None), exposure(day, "u2", "on")];
    log.keep(&env(), &tracks(3, old), &split(50, 50)).unwrap();
    // One of them comes again.
    let new = vec![exposure(91 * day, "u2", "off"), outcome(91 * day, "u2", None)];
    log.keep(&env(), &tracks(5, new), &split(50, 50)).unwrap();
    log.tidy(At(92 * day), true).unwrap();
    let report = log.report(&env(), &asked(), At(92 * day)).unwrap();
    assert_eq!(report.variants.len(), 1);
    assert_eq!((report.variants[0].users, report.contaminated), (1, 1), "he was on first");
    assert_eq!((report.losses.dropped_users, report.losses.dropped_outcomes), (1, 1));
    // Too many: the oldest go first.
    let many = (0..20_000).map(|number| exposure(100 * day + number, &format!("m{number}"), "on"));
    log.keep(&env(), &tracks(9, many.collect()), &split(50, 50)).unwrap();
    let most = 1 << 20;
    log.with(|store| store.tidy(At(0), most)).unwrap();
    let left = log.report(&env(), &asked(), At(101 * day)).unwrap();
    assert!((1000..15_000).contains(&left.variants[0].users), "{}", left.variants[0].users);
    assert_eq!(left.last, Some(At(100 * day + 19_999)), "the newest are there");
    assert_eq!(left.losses.dropped_users + left.variants[0].users, 20_002);
}

/// Numbers as if by chance, the same every time.
struct Dice(u64);

impl Dice {
    /// Below one; splitmix64.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Users dealt out evenly of whom these parts convert; `dealt` of those who should see `on` do.
fn cohort(users: u64, off: f64, on: f64, dealt: f64, dice: &mut Dice) -> Cohort {
    let mut cohort = Cohort {
        variants: vec!["off".into(), "on".into()],
        splits: split(50, 50).into_values().collect(),
        segments: vec!["gold".into(), "tin".into()],
        has_amounts: true,
        people: vec![],
    };
    for number in 0..users {
        let is_on = dice.roll() < 0.5;
        if is_on && dice.roll() > dealt {
            continue;
        }
        let before = dice.roll();
        let has = dice.roll() < if is_on { on } else { off };
        cohort.people.push(Person {
            variant: usize::from(is_on),
            at: At(number * 1000),
            split: Some(0),
            contaminated: false,
            segment: Some(usize::from(dice.roll() < 0.3)),
            before: Some(before),
            converted: has.then(|| At(number * 1000 + 50_000)),
            amount: if has { 1.0 } else { 0.0 } + 5.0 * before + dice.roll(),
        });
    }
    cohort
}

const LATE: At = At(u64::MAX / 4);

#[test]
fn a_true_difference_is_found_with_its_size() {
    let cohort = cohort(20_000, 0.10, 0.15, 1.0, &mut Dice(1));
    let question = Question { by: Some("plan".into()), before: Some("past".into()), ..asked() };
    let report = analyse(&cohort, &question, LATE);
    let different = Verdict::Different { better: vec!["on".into()], worse: vec![] };
    assert_eq!(report.verdict, different);
    assert!(matches!(report.sample_ratio, SampleRatioCheck::Fits { p } if p > 0.01));
    let [off, on] = &report.variants[..] else { panic!("{:?}", report.variants) };
    assert_eq!((off.variant.as_str(), off.lift), ("off", None));
    let lift = on.lift.unwrap();
    assert!(lift.interval.low > 0.2 && lift.interval.low < 0.5, "{lift:?}");
    assert!(lift.interval.high.unwrap() > 0.5 && lift.p < 1e-6, "{lift:?}");
    // What they did before explains most of the amounts, and the rest shows the difference.
    let amount = on.amount.unwrap();
    assert!(amount.explained > 0.8 && amount.users > 19_000, "{amount:?}");
    assert!(amount.interval.low > 0.0 && amount.interval.high.unwrap() < 0.15, "{amount:?}");
    let mut unknown = cohort;
    unknown.people.iter_mut().for_each(|person| person.before = None);
    let plain = analyse(&unknown, &asked(), LATE).variants[1].amount.unwrap();
    let width = |it: &Difference| it.interval.high.unwrap() - it.interval.low;
    assert!(width(&plain) > 2.0 * width(&amount), "without the past it is wider");
    // Segments: all users, wider intervals.
    let [tin, gold] = &report.segments[..] else { panic!("{:?}", report.segments) };
    assert_eq!((tin.value.as_deref(), gold.value.as_deref()), (Some("gold"), Some("tin")));
    let users = |segment: &Segment| segment.variants.iter().map(|it| it.users).sum::<u64>();
    assert_eq!(users(tin) + users(gold), 20_000);
    assert!(tin.variants[1].lift.unwrap().interval.low < lift.interval.low);
}

#[test]
fn a_wrong_sample_ratio_leaves_no_verdict() {
    // One in ten of those who should see it never says so.
    let cohort = cohort(20_000, 0.10, 0.20, 0.9, &mut Dice(2));
    let report = analyse(&cohort, &asked(), LATE);
    assert!(matches!(report.sample_ratio, SampleRatioCheck::Mismatch { p } if p < 0.001));
    assert_eq!(report.verdict, Verdict::Invalid);
    // Unless that was how they were to be dealt.
    let shares = Some([("on".to_owned(), 0.45), ("off".to_owned(), 0.5)].into());
    let report = analyse(&cohort, &Question { shares, ..asked() }, LATE);
    assert!(matches!(report.verdict, Verdict::Different { .. }), "{:?}", report.verdict);
}

/// Without a difference none is told, however often one looks: the least p-value of all looks counts.
/// Prints the figures; `cargo test -p cutover-engine --lib a_and_a -- --nocapture`.
#[test]
fn a_and_a_differ_no_more_often_than_said() {
    const EXPERIMENTS: u64 = 1000;
    let (mut told, mut mismatches, mut missed) = (0, 0, 0);
    for seed in 0..EXPERIMENTS {
        let cohort = cohort(2000, 0.1, 0.1, 1.0, &mut Dice(1000 + seed));
        let report = analyse(&cohort, &asked(), LATE);
        let lift = report.variants[1].lift;
        told += u64::from(lift.is_none_or(|lift| lift.p < 0.05));
        let high = lift.and_then(|lift| lift.interval.high);
        let holds = lift.is_some_and(|lift| lift.interval.low <= 0.0);
        missed += u64::from(!holds || high.is_some_and(|high| high < 0.0));
        mismatches += u64::from(matches!(report.sample_ratio, SampleRatioCheck::Mismatch { .. }));
    }
    let percent = |count: u64| count as f64 * 100.0 / EXPERIMENTS as f64;
    println!(
        "A/A: of {EXPERIMENTS} experiments with 2,000 users each, looked at after every conversion, a \
         difference was told in {:.1} % (at most 5 %), the interval at the end missed 0 in {:.1} %, \
         the sample ratio was wrong in {:.1} % (at most 0.1 %)",
        percent(told),
        percent(missed),
        percent(mismatches)
    );
    // Two standard errors above what is promised.
    assert!(percent(told) <= 6.4 && percent(mismatches) <= 0.3 && percent(missed) <= 6.4);
}
