//! Sequential A/B tests of conversions and amounts over whole runs.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use cutover_judge::conversions::{
    Amounts, Conversions, Difference, InvalidConversions, LEAST_USERS, MOST_SHARES, Users, Variant,
};

fn users(exposed: u64, converted: u64) -> Users {
    Users { exposed, converted }
}

fn after(treatment: (u64, u64), control: (u64, u64), share: f64, c: f64) -> Conversions {
    let mut conversions = Conversions::with_concentration(c);
    let (treatment, control) = (users(treatment.0, treatment.1), users(control.0, control.1));
    conversions.observe(treatment, control, share).unwrap();
    conversions
}

fn near(found: f64, known: f64) {
    assert!((found - known).abs() < 1e-9 * (1.0 + known.abs()), "{found} is not {known}");
}

/// Figures by mpmath: the closed form, and its roots at 50 digits.
#[test]
fn evidence_and_ratios_are_those_of_an_independent_computation() {
    let even = after((10_000, 660), (10_000, 540), 0.5, 100.0);
    near(even.log_e(), 4.265_852_222_978_95);
    near(even.p_value(), (-4.265_852_222_978_95_f64).exp());
    let ratio = even.rate_ratio(0.05).unwrap();
    near(ratio.estimate.unwrap(), 1.222_222_222_222_22);
    near(ratio.low, 1.022_679_299_148_97);
    near(ratio.high.unwrap(), 1.462_255_704_584_32);
    let uneven = after((1000, 95), (2000, 160), 0.3, 100.0);
    near(uneven.log_e(), 1.550_263_618_155_3);
    let ratio = uneven.rate_ratio(0.01).unwrap();
    near(ratio.estimate.unwrap(), 1.385_416_666_666_67);
    near(ratio.low, 0.871_045_016_127_723);
    near(ratio.high.unwrap(), 2.165_205_469_885_45);
}

#[test]
fn what_is_not_known_has_no_bound() {
    let none = Conversions::default().rate_ratio(0.05).unwrap();
    assert_eq!((none.estimate, none.low, none.high), (None, 0.0, None));
    let mut one_sided = Conversions::default();
    one_sided.observe(users(5000, 400), users(5000, 0), 0.5).unwrap();
    let ratio = one_sided.rate_ratio(0.05).unwrap();
    assert_eq!((ratio.estimate, ratio.high), (None, None));
    assert!(ratio.low > 3.0, "{}", ratio.low);
    let mut other = Conversions::default();
    other.observe(users(5000, 0), users(5000, 400), 0.5).unwrap();
    let mirrored = other.rate_ratio(0.05).unwrap();
    assert_eq!(mirrored.low, 0.0);
    near(mirrored.high.unwrap(), 1.0 / ratio.low);
    for alpha in [0.0, 1.0, -1.0, f64::NAN] {
        assert_eq!(other.rate_ratio(alpha), None);
    }
}

#[test]
fn the_p_value_and_the_interval_agree() {
    for converted in 100..260 {
        let conversions = after((3000, converted), (3000, 150), 0.5, 100.0);
        let ratio = conversions.rate_ratio(0.05).unwrap();
        let excludes_one = ratio.low > 1.0 || ratio.high.unwrap() < 1.0;
        assert_eq!(excludes_one, conversions.p_value() < 0.05, "{converted}");
    }
}

#[test]
fn the_p_value_never_grows_and_survives_a_restart() {
    let mut conversions = Conversions::default();
    let mut least = 1.0;
    for day in 0..40 {
        let more = if day < 20 { 60 } else { 20 };
        conversions.observe(users(1000, more), users(1000, 40), 0.5).unwrap();
        assert!(conversions.p_value() <= least);
        least = conversions.p_value();
        let stored = serde_json::to_string(&conversions).unwrap();
        conversions = serde_json::from_str(&stored).unwrap();
    }
    assert!(least < 0.01 && (-conversions.log_e()).exp() > least, "{least}");
    assert_eq!(conversions.treatment(), users(40_000, 1600));
    near(conversions.control().rate().unwrap(), 0.04);
}

#[test]
fn users_that_cannot_be_change_nothing() {
    let mut conversions = after((10, 5), (10, 5), 0.5, 100.0);
    let before = conversions.clone();
    for share in [0.0, 1.0, f64::NAN, -0.1] {
        let error = conversions.observe(users(1, 1), users(1, 1), share).unwrap_err();
        assert!(matches!(error, InvalidConversions::Share(_)));
    }
    let error = conversions.observe(users(0, 6), users(0, 0), 0.5);
    assert_eq!(error, Err(InvalidConversions::Converted));
    assert_eq!(conversions, before);
    let mut ramp = Conversions::default();
    for step in 1..=MOST_SHARES {
        let share = step as f64 / (MOST_SHARES + 2) as f64;
        ramp.observe(users(9, 1), users(9, 1), share).unwrap();
    }
    let before = ramp.clone();
    let error = ramp.observe(users(9, 1), users(9, 1), 0.999);
    assert_eq!(error, Err(InvalidConversions::TooManyShares));
    assert_eq!(ramp, before);
    let huge = ramp.observe(users(u64::MAX, u64::MAX), users(0, 0), 0.5);
    assert_eq!(huge, Err(InvalidConversions::Users));
    assert_eq!(ramp, before);
}

/// A count of independent users who convert at this rate, for rates of a few percent.
fn converted(random: &mut fastrand::Rng, users: u64, rate: f64) -> u64 {
    // Gaps between converted users are geometric.
    let (mut at, mut count) = (0.0, 0);
    loop {
        at += ((1.0 - random.f64()).ln() / (-rate).ln_1p()).floor() + 1.0;
        if at > users as f64 {
            return count;
        }
        count += 1;
    }
}

/// Days of users split at a share of 1/2 by fair coins. The base rate drifts between 2 and 8 %.
fn day(random: &mut fastrand::Rng, day: u32, ratio: f64) -> (Users, Users) {
    let rate = 0.05 + 0.03 * f64::from(day).sin();
    let coins = (0..8).map(|_| u64::from(random.u64(..).count_ones())).sum::<u64>();
    let (ours, theirs) = (coins, 512 - coins);
    (
        users(ours, converted(random, ours, rate * ratio)),
        users(theirs, converted(random, theirs, rate)),
    )
}

#[test]
fn equal_rates_are_told_apart_in_less_than_the_promised_share_of_runs() {
    let mut random = fastrand::Rng::with_seed(21);
    let (mut alarms, mut missed) = (0, 0);
    for _ in 0..400 {
        let mut conversions = Conversions::default();
        let mut outside = false;
        for at in 0..60 {
            let (treatment, control) = day(&mut random, at, 1.0);
            conversions.observe(treatment, control, 0.5).unwrap();
            if at % 3 == 0 {
                let ratio = conversions.rate_ratio(0.05).unwrap();
                outside |= ratio.low > 1.0 || ratio.high.is_some_and(|high| high < 1.0);
            }
        }
        alarms += u32::from(conversions.p_value() < 0.05);
        missed += u32::from(outside);
    }
    // 20 of 400 is the promise; measured 1 to 2 % (a mixture gives some of it away).
    assert!(alarms <= 20 && missed <= 20, "{alarms} and {missed} of 400");
    assert!(alarms >= 1, "a test that never errs proves nothing");
}

#[test]
fn the_true_ratio_is_covered_and_a_difference_found() {
    let mut random = fastrand::Rng::with_seed(22);
    let (mut missed, mut found) = (0, 0);
    for _ in 0..200 {
        let mut conversions = Conversions::default();
        let mut outside = false;
        for at in 0..60 {
            let (treatment, control) = day(&mut random, at, 1.5);
            conversions.observe(treatment, control, 0.5).unwrap();
            if at % 3 == 0 {
                let ratio = conversions.rate_ratio(0.05).unwrap();
                outside |= ratio.low > 1.5 || ratio.high.is_some_and(|high| high < 1.5);
            }
        }
        missed += u32::from(outside);
        found += u32::from(conversions.p_value() < 0.05);
    }
    assert!(missed <= 10, "{missed} of 200");
    assert!(found >= 190, "{found} of 200");
}

/// Through a ramp from 5 % to 50 %: a comparison of raw rates would be confounded by the drift.
#[test]
fn a_ramp_with_a_drifting_rate_is_no_difference() {
    let mut random = fastrand::Rng::with_seed(23);
    let (mut alarms, mut missed, mut found) = (0, 0, 0);
    for _ in 0..200 {
        let mut equal = Conversions::default();
        let mut doubled = Conversions::default();
        for at in 0..60_u32 {
            let (share, rate) = if at < 30 { (0.05, 0.02) } else { (0.5, 0.06) };
            let ours = converted(&mut random, 500, share);
            let theirs = 500 - ours;
            let treatment = users(ours, converted(&mut random, ours, rate));
            let control = users(theirs, converted(&mut random, theirs, rate));
            equal.observe(treatment, control, share).unwrap();
            let treatment = users(ours, converted(&mut random, ours, rate * 2.0));
            doubled.observe(treatment, control, share).unwrap();
        }
        alarms += u32::from(equal.p_value() < 0.05);
        let ratio = doubled.rate_ratio(0.05).unwrap();
        missed += u32::from(ratio.low > 2.0 || ratio.high.unwrap() < 2.0);
        found += u32::from(ratio.low > 1.0);
    }
    assert!(alarms <= 10 && missed <= 10, "{alarms} and {missed} of 200");
    assert!(found >= 195, "{found} of 200");
}

fn normal(random: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}

/// Users who spend e^N(0, 1), of which the part known from before is `known` of 1.
fn spender(random: &mut fastrand::Rng, known: f64) -> (f64, f64) {
    let past = normal(random);
    let now = known * past + (1.0 - known * known).sqrt() * normal(random);
    (now.exp(), past.exp())
}

/// One run of users by turns, and the differences at looks every 100 users per variant.
fn looks(random: &mut fastrand::Rng, users: u32, known: f64, more: f64) -> Vec<Difference> {
    let mut amounts = Amounts::default();
    let mut looks = Vec::new();
    for user in 1..=users {
        let (amount, before) = spender(random, known);
        amounts.observe(Variant::Treatment, amount + more, before).unwrap();
        let (amount, before) = spender(random, known);
        amounts.observe(Variant::Control, amount, before).unwrap();
        if user % 100 == 0 {
            looks.push(amounts.difference(0.05).unwrap());
        }
    }
    looks
}

#[test]
fn the_true_difference_is_covered_at_all_looks() {
    let mut random = fastrand::Rng::with_seed(31);
    let mut missed = 0;
    for run in 0..300 {
        let known = if run % 2 == 0 { 0.8 } else { 0.0 };
        let more = if run % 3 == 0 { 0.5 } else { 0.0 };
        let looks = looks(&mut random, 1500, known, more);
        let outside = looks.iter().any(|look| look.low > more || look.high < more);
        missed += u32::from(outside);
    }
    // 15 of 300 is the promise.
    assert!(missed <= 15, "{missed} of 300");
}

#[test]
fn what_is_known_from_before_makes_the_interval_narrower() {
    let mut random = fastrand::Rng::with_seed(32);
    let width = |look: &Difference| look.high - look.low;
    let blind = looks(&mut random, 4000, 0.0, 0.1).pop().unwrap();
    let known = looks(&mut random, 4000, 0.9, 0.1).pop().unwrap();
    assert!(blind.explained < 0.01, "{}", blind.explained);
    assert!(known.explained > 0.5, "{}", known.explained);
    assert!(width(&known) < 0.75 * width(&blind), "{} {}", width(&known), width(&blind));
    assert!(known.low < 0.1 && 0.1 < known.high);
    // The same users without their past: the same difference, a wider interval.
    let mut random = fastrand::Rng::with_seed(33);
    let (mut with, mut without) = (Amounts::default(), Amounts::default());
    for user in 0..6000 {
        let variant = if user % 3 == 0 { Variant::Treatment } else { Variant::Control };
        let (amount, before) = spender(&mut random, 0.9);
        with.observe(variant, amount, before).unwrap();
        without.observe(variant, amount, 0.0).unwrap();
    }
    let (with, without) = (with.difference(0.05).unwrap(), without.difference(0.05).unwrap());
    assert_eq!(without.explained, 0.0);
    let expected = (1.0 - with.explained).sqrt();
    assert!((width(&with) / width(&without) - expected).abs() < 1e-9);
}

/// Figures by NumPy on the same 400 users.
#[test]
fn a_difference_is_that_of_an_independent_computation() {
    let mut amounts = Amounts::default();
    for user in 0..400_u32 {
        let before = f64::from(user * 37 % 101);
        let noise = f64::from(user * 53 % 89);
        let (variant, more) =
            if user % 2 == 0 { (Variant::Treatment, 7.5) } else { (Variant::Control, 0.0) };
        amounts.observe(variant, 0.5 * before + noise + more, before).unwrap();
    }
    let found = amounts.difference(0.05).unwrap();
    near(found.estimate, 7.018_449_236_448_013_6);
    near(found.low, -3.512_176_739_860_146_7);
    near(found.high, 17.549_075_212_756_172);
    near(found.explained, 0.226_988_121_207_721_94);
    let strict = amounts.difference(0.01).unwrap();
    near(strict.low, -5.863_855_595_249_058);
}

#[test]
fn too_few_users_or_equal_amounts_have_no_interval() {
    let mut amounts = Amounts::tuned_for(10_000);
    for _ in 0..LEAST_USERS {
        assert_eq!(amounts.difference(0.05), None);
        amounts.observe(Variant::Treatment, 5.0, 0.0).unwrap();
        amounts.observe(Variant::Control, 5.0, 1.0).unwrap();
    }
    assert_eq!(amounts.users(Variant::Treatment), LEAST_USERS);
    assert_eq!(amounts.difference(0.05), None);
    amounts.observe(Variant::Control, 6.0, 1.0).unwrap();
    assert!(amounts.difference(0.05).is_some());
    for alpha in [0.0, 1.0, f64::NAN] {
        assert_eq!(amounts.difference(alpha), None);
    }
    let before = amounts.clone();
    for wrong in [f64::NAN, f64::INFINITY, 1e300] {
        assert!(amounts.observe(Variant::Control, wrong, 0.0).is_err());
        assert!(amounts.observe(Variant::Control, 0.0, wrong).is_err());
    }
    assert_eq!(amounts, before);
    let stored = serde_json::to_string(&amounts).unwrap();
    assert!(stored.len() < 600, "{stored}");
    let back: Amounts = serde_json::from_str(&stored).unwrap();
    let (now, then) = (back.difference(0.05).unwrap(), amounts.difference(0.05).unwrap());
    near(now.low, then.low);
    near(now.high, then.high);
}
