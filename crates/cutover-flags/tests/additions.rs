//! Kill, prerequisites, segments, schedules and ramps: what users get, and that plain flagd gets
//! the same from what they compile to.

use cutover_flags::{
    Context, Definitions, Outcome, Problem, Rule, Selector, Source, compile_to_flagd,
};
use proptest::prelude::*;

const NOON: i64 = 1_800_000_000;

fn load(text: &str) -> (Definitions, Vec<Problem>) {
    let name = if text.trim_start().starts_with('{') { "f.json" } else { "f.yaml" };
    Definitions::load(&[Source::new(name, text)])
}

fn sound(text: &str) -> Definitions {
    let (definitions, problems) = load(text);
    assert!(!problems.iter().any(Problem::is_error), "{problems:?}");
    definitions
}

/// Variant and reason.
fn given(definitions: &Definitions, key: &str, context: &Context, now: i64) -> String {
    match definitions.get(&Selector::All).evaluate(key, context, now).outcome {
        Outcome::Variant(reason, variant) => format!("{} {}", variant.name(), reason.as_str()),
        Outcome::CodeDefault(reason) => format!("- {}", reason.as_str()),
        Outcome::Failed(code, details) => format!("{}: {details}", code.as_str()),
    }
}

fn user(number: u32) -> Context {
    Context::of_user(&format!("user-{number}"))
}

/// A flag with these additions, beside two others.
fn flag(additions: &str) -> String {
    format!(
        "metadata: {{cutover.bucketing: v3}}
segments:
  staff:
    include: [user-1, user-2]
    exclude: [user-2]
    rule: {{ends_with: [{{var: email}}, '@example.com']}}
  swiss: {{==: [{{var: country}}, CH]}}
flags:
  base: {{state: ENABLED, variants: {{on: true, off: false}}, defaultVariant: 'off', targeting: {{if: [{{segment: staff}}, 'on']}}}}
  dead: {{state: DISABLED, variants: {{on: true, off: false}}, defaultVariant: 'on'}}
  f:
    state: ENABLED
    variants: {{on: true, off: false, other: true}}
    defaultVariant: off
    targeting: {{if: [{{segment: swiss}}, other]}}
    cutover: {additions}
"
    )
}

fn swiss(number: u32) -> Context {
    user(number).with("country", cutover_flags::Value::text("CH"))
}

#[test]
fn a_killed_flag_is_off_whatever_its_rule_says() {
    let killed = sound(&flag("{kill: true, ramp: {variant: on, share: 100%}}"));
    assert_eq!(given(&killed, "f", &swiss(1), NOON), "off DISABLED");
    assert_eq!(
        given(&sound(&flag("{kill: false}")), "f", &swiss(1), NOON),
        "other TARGETING_MATCH"
    );
    let named = sound(&flag("{kill: true, off: other}"));
    assert_eq!(given(&named, "f", &user(1), NOON), "other DISABLED");
    let without = r#"{"flags":{"f":{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"a","cutover":{"kill":true}}}}"#;
    assert_eq!(given(&sound(without), "f", &user(1), NOON), "- DISABLED");
}

#[test]
fn segments_include_exclude_and_match() {
    let definitions = sound(&flag("{}"));
    let mail =
        |number: u32, mail: &str| user(number).with("email", cutover_flags::Value::text(mail));
    assert_eq!(given(&definitions, "base", &user(1), NOON), "on TARGETING_MATCH");
    assert_eq!(given(&definitions, "base", &user(3), NOON), "off DEFAULT");
    assert_eq!(given(&definitions, "base", &mail(3, "x@example.com"), NOON), "on TARGETING_MATCH");
    assert_eq!(given(&definitions, "base", &mail(2, "x@example.com"), NOON), "off DEFAULT");
}

#[test]
fn prerequisites_are_asked_first() {
    let base = sound(&flag("{requires: base}"));
    assert_eq!(given(&base, "f", &swiss(1), NOON), "other TARGETING_MATCH");
    assert_eq!(given(&base, "f", &user(1), NOON), "off DEFAULT");
    assert_eq!(given(&base, "f", &swiss(3), NOON), "off TARGETING_MATCH");
    let off = sound(&flag("{requires: [{flag: base, is: 'off'}]}"));
    assert_eq!(given(&off, "f", &swiss(1), NOON), "off TARGETING_MATCH");
    assert_eq!(given(&off, "f", &swiss(3), NOON), "other TARGETING_MATCH");
    let dead = sound(&flag("{requires: [base, dead]}"));
    assert_eq!(given(&dead, "f", &swiss(1), NOON), "off TARGETING_MATCH");
}

/// Flags of which each requires others.
fn chain(requires: &[(&str, &[&str])]) -> String {
    let flags: Vec<String> = requires
        .iter()
        .map(|(key, required)| {
            format!(
                r#""{key}":{{"state":"ENABLED","variants":{{"on":true,"off":false}},"defaultVariant":"on","cutover":{{"requires":{required:?}}}}}"#
            )
        })
        .collect();
    format!(r#"{{"metadata":{{"cutover.bucketing":"v3"}},"flags":{{{}}}}}"#, flags.join(","))
}

#[test]
fn cycles_are_named_and_leave_other_flags_alone() {
    let (definitions, problems) =
        load(&chain(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"]), ("d", &["c"]), ("e", &[])]));
    let cycles: Vec<_> = problems
        .iter()
        .filter(|problem| problem.rule == Rule::Cycle)
        .map(ToString::to_string)
        .collect();
    assert_eq!(cycles.len(), 4, "{problems:?}");
    assert!(cycles[0].contains("prerequisites form a cycle: a → b → c → a"), "{cycles:?}");
    for key in ["a", "b", "c", "d"] {
        assert!(given(&definitions, key, &user(1), NOON).starts_with("PARSE_ERROR"), "{key}");
    }
    assert_eq!(given(&definitions, "e", &user(1), NOON), "on STATIC");
    let (_, problems) = load(&chain(&[("a", &["a"])]));
    assert!(problems.iter().any(|problem| problem.message.ends_with("a → a")), "{problems:?}");
    let (_, problems) = load(&chain(&[("a", &["nobody"])]));
    assert!(problems.iter().any(|problem| problem.rule == Rule::UnknownReference), "{problems:?}");
}

#[test]
fn nested_prerequisites_grow_to_a_limit() {
    let keys: Vec<String> = (0..15).map(|number| format!("k{number}")).collect();
    let chained = |width: usize| {
        let requires: Vec<(&str, Vec<&str>)> = keys
            .iter()
            .enumerate()
            .map(|(at, key)| {
                (key.as_str(), vec![keys.get(at + 1).map_or("", String::as_str); width])
            })
            .map(|(key, required)| {
                (key, required.into_iter().filter(|key| !key.is_empty()).collect())
            })
            .collect();
        let requires: Vec<(&str, &[&str])> =
            requires.iter().map(|(key, required)| (*key, &required[..])).collect();
        load(&chain(&requires))
    };
    let (definitions, problems) = chained(1);
    assert!(!problems.iter().any(Problem::is_error), "{problems:?}");
    assert_eq!(given(&definitions, "k0", &user(1), NOON), "on DEFAULT");
    // Each requires the next one five times over: 5^14 copies.
    let (definitions, problems) = chained(5);
    assert!(problems.iter().any(|problem| problem.rule == Rule::TooLarge), "{problems:?}");
    assert_eq!(given(&definitions, "k14", &user(1), NOON), "on STATIC");
}

#[test]
fn prerequisites_keep_their_own_buckets() {
    let with = |by: &str, bucketing: &str| {
        format!(
            r#"{{"metadata":{{"cutover.bucketing":"{bucketing}"}},"flags":{{
            "base":{{"state":"ENABLED","variants":{{"on":true,"off":false}},"defaultVariant":"off","targeting":{{"fractional":[{by}["on",50],["off",50]]}}}},
            "f":{{"state":"ENABLED","variants":{{"on":true,"off":false}},"defaultVariant":"on","cutover":{{"requires":"base"}}}}}}}}"#
        )
    };
    let cat = r#"{"cat":[{"var":"$flagd.flagKey"},{"var":"targetingKey"}]},"#;
    for text in [with(cat, "v3"), with(cat, "v2"), with("", "v2")] {
        let definitions = sound(&text);
        let mut on = 0;
        for number in 0..200 {
            let base = given(&definitions, "base", &user(number), NOON);
            let both = given(&definitions, "f", &user(number), NOON);
            assert_eq!(base.starts_with("on"), both.starts_with("on"), "{number}: {base} {both}");
            on += u32::from(base.starts_with("on"));
        }
        assert!((70..130).contains(&on), "{on}");
        assert_eq!(
            given(&definitions, "f", &Context::empty(), NOON).starts_with("on"),
            given(&definitions, "base", &Context::empty(), NOON).starts_with("on")
        );
    }
    let (_, problems) = load(&with("", "v3"));
    assert!(
        problems.iter().any(|p| p.is_error() && p.message.contains("bucketing value")),
        "{problems:?}"
    );
}

#[test]
fn schedules_have_their_time() {
    let definitions = sound(&flag(
        "{schedule: [{from: 2027-01-15T08:00:00Z, until: 1800000010, variant: on}, {until: 1799999999, variant: other}]}",
    ));
    for (now, expected) in [
        (NOON - 2, "other TARGETING_MATCH"),
        (NOON - 1, "off DEFAULT"),
        (NOON, "on TARGETING_MATCH"),
        (NOON + 9, "on TARGETING_MATCH"),
        (NOON + 10, "off DEFAULT"),
    ] {
        assert_eq!(given(&definitions, "f", &user(1), now), expected, "{now}");
    }
    assert_eq!(given(&definitions, "f", &swiss(1), NOON + 10), "other TARGETING_MATCH");
}

#[test]
fn a_ramp_follows_the_rule_and_needs_a_user() {
    let half = sound(&flag("{ramp: {variant: on, share: 50%}}"));
    assert_eq!(given(&half, "f", &swiss(1), NOON), "other TARGETING_MATCH");
    assert_eq!(given(&half, "f", &Context::empty(), NOON), "off DEFAULT");
    let count = (0..4000).filter(|n| given(&half, "f", &user(*n), NOON).starts_with("on")).count();
    assert!((1850..2150).contains(&count), "{count}");
    for (share, expected) in [("0%", "off TARGETING_MATCH"), ("100%", "on TARGETING_MATCH")] {
        let definitions = sound(&flag(&format!("{{ramp: {{variant: on, share: {share}}}}}")));
        assert!((0..200).all(|n| given(&definitions, "f", &user(n), NOON) == expected));
    }
    for bad in [
        "{ramp: {variant: on, share: 101%}}",
        "{ramp: {variant: on, share: 0.5}}",
        "{ramp: {variant: nope, share: 5%}}",
        "{ramp: {variant: on}}",
        "{ramp: {variant: on, from: 5, until: 5}}",
        "{ramp: {split: {on: 0}, share: 5%}}",
        "{ramp: {variant: on, share: 5%, sed: x}}",
        "{schedule: [{variant: on}]}",
        "{schedule: [{from: tomorrow, variant: on}]}",
        "{kil: true}",
    ] {
        let (definitions, problems) = load(&flag(bad));
        assert!(problems.iter().any(Problem::is_error), "{bad}");
        assert!(given(&definitions, "f", &user(1), NOON).starts_with("PARSE_ERROR"), "{bad}");
        assert_eq!(given(&definitions, "base", &user(1), NOON), "on TARGETING_MATCH", "{bad}");
    }
}

#[test]
fn a_ramp_in_time_grows_and_is_rolled_back_last_in_first_out() {
    let ramp = |more: &str| {
        sound(&flag(&format!(
            "{{ramp: {{variant: on, from: {NOON}, until: {}, seed: s1{more}}}}}",
            NOON + 1000
        )))
    };
    let on = |definitions: &Definitions, now: i64| -> Vec<u32> {
        (0..1000).filter(|n| given(definitions, "f", &user(*n), now).starts_with("on")).collect()
    };
    let growing = ramp("");
    assert!(on(&growing, NOON - 100_000).is_empty() && on(&growing, NOON).is_empty());
    assert!((430..570).contains(&on(&growing, NOON + 500).len()));
    assert_eq!(on(&growing, NOON + 1000).len(), 1000);
    assert_eq!(on(&growing, NOON + 3_000_000_000).len(), 1000);
    let turned = ramp(&format!(", rolled-back: {}", NOON + 600));
    assert_eq!(on(&turned, NOON + 599), on(&growing, NOON + 599));
    // As long after the turn as before it, the same users are on.
    assert_eq!(on(&turned, NOON + 600 + 250), on(&growing, NOON + 600 - 250));
    assert!(on(&turned, NOON + 1200).is_empty() && on(&turned, NOON + 10_000).is_empty());
    let late = ramp(&format!(", rolled-back: {}", NOON + 5000));
    assert_eq!(on(&late, NOON + 4999).len(), 1000);
    assert_eq!(on(&late, NOON + 5400), on(&growing, NOON + 600));
}

#[test]
fn what_is_compiled_is_plain_and_gives_the_same() {
    let text = flag(
        "{requires: base, schedule: [{until: 1799999999, variant: other}], ramp: {split: {on: 1, other: 2}, from: 1800000000, until: 1800001000}}",
    );
    let plain = compile_to_flagd(&Source::new("f.yaml", &text)).unwrap();
    for ours in ["\"cutover\"", "segment", "$ref", "$evaluators"] {
        assert!(!plain.contains(ours), "{ours}: {plain}");
    }
    let (before, after) = (sound(&text), sound(&plain));
    for now in [NOON - 10, NOON, NOON + 300, NOON + 700, NOON + 2000] {
        for number in 0..300 {
            for context in [user(number), swiss(number)] {
                for key in ["f", "base", "dead"] {
                    let (one, other) =
                        (given(&before, key, &context, now), given(&after, key, &context, now));
                    assert_eq!(one, other, "{key} {number} {now}");
                }
            }
        }
    }
    let killed = compile_to_flagd(&Source::new("f.yaml", &flag("{kill: true}"))).unwrap();
    assert_eq!(given(&sound(&killed), "f", &user(1), NOON), "off DISABLED");
    assert!(compile_to_flagd(&Source::new("f.yaml", &flag("{kil: 1}"))).is_err());
    // What is plain already stays as it is, numbers included.
    assert_eq!(compile_to_flagd(&Source::new("f.json", &plain)).unwrap(), plain);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// While the share grows nobody leaves, whatever the seed, and loading again changes nothing.
    #[test]
    fn nobody_leaves_while_a_share_grows(
        mut shares in proptest::collection::vec(0_u32..=100_000, 2..5),
        seed in "[a-z0-9]{0,12}",
        split in proptest::bool::ANY,
    ) {
        shares.sort_unstable();
        let kind = if split { "split: {on: 2, other: 1}" } else { "variant: on" };
        let mut before: Vec<String> = vec![];
        for share in shares {
            let share = format!("{}.{:03}%", share / 1000, share % 1000);
            let text = flag(&format!("{{ramp: {{{kind}, share: {share}, seed: 's{seed}'}}}}"));
            let (one, again) = (sound(&text), sound(&text));
            let now: Vec<String> = (0..200).map(|n| given(&one, "f", &user(n), NOON)).collect();
            let repeated: Vec<String> = (0..200).map(|n| given(&again, "f", &user(n), NOON)).collect();
            prop_assert_eq!(&now, &repeated);
            for (old, new) in before.iter().zip(&now) {
                prop_assert!(old.starts_with("off") || old == new, "{} became {}", old, new);
            }
            before = now;
        }
    }

    /// The same in time.
    #[test]
    fn nobody_leaves_while_time_passes(
        mut times in proptest::collection::vec(-100_i64..1100, 2..6),
        length in 1_i64..100_000,
        split in proptest::bool::ANY,
    ) {
        times.sort_unstable();
        let kind = if split { "split: {on: 2, other: 1}" } else { "variant: on" };
        let until = NOON + length;
        let text = flag(&format!("{{ramp: {{{kind}, from: {NOON}, until: {until}}}}}"));
        let definitions = sound(&text);
        let mut before: Vec<String> = vec![];
        for time in times {
            let at = NOON + time * length / 1000;
            let now: Vec<String> = (0..200).map(|n| given(&definitions, "f", &user(n), at)).collect();
            for (old, new) in before.iter().zip(&now) {
                prop_assert!(old.starts_with("off") || old == new, "{} became {}", old, new);
            }
            before = now;
        }
    }
}

#[test]
fn a_seed_decides_who_comes_first() {
    let on = |seed: &str| -> Vec<u32> {
        let text = flag(&format!("{{ramp: {{variant: on, share: 20%, seed: {seed}}}}}"));
        let definitions = sound(&text);
        (0..500).filter(|n| given(&definitions, "f", &user(*n), NOON).starts_with("on")).collect()
    };
    assert_eq!(on("a"), on("a"));
    assert_ne!(on("a"), on("b"));
}

#[test]
fn other_documents_are_told_apart() {
    let Outcome::Failed(..) =
        sound(&flag("{}")).get(&Selector::NoSet).evaluate("x", &user(1), 0).outcome
    else {
        panic!("there is no flag x");
    };
}

#[test]
fn a_ramp_behind_a_deep_rule_does_not_grow_without_end() {
    let chain = |value: &str, depth: usize| {
        let open = format!(r#"{{"if":[{{"var":"x"}},{value},"#).repeat(depth);
        let rule = format!("{open}null{}", "]}".repeat(depth));
        format!(
            r#"{{"metadata":{{"cutover.bucketing":"v3"}},"flags":{{"f":{{"state":"ENABLED","variants":{{"on":true,"off":false}},"defaultVariant":"off","targeting":{rule},"cutover":{{"ramp":{{"variant":"on","share":"100%"}}}}}}}}}}"#
        )
    };
    let with_x = user(1).with("x", cutover_flags::Value::Bool(true));
    for value in [r#""off""#, r#"{"var":"y"}"#] {
        let definitions = sound(&chain(value, 50));
        assert_eq!(given(&definitions, "f", &user(1), NOON), "on TARGETING_MATCH", "{value}");
        let expected = if value == r#""off""# { "off" } else { "on" };
        assert!(given(&definitions, "f", &with_x, NOON).starts_with(expected), "{value}");
    }
}

#[test]
fn large_documents_take_a_moment_and_no_more() {
    let start = std::time::Instant::now();
    let many: Vec<String> = (0..20_000).map(|n| format!(r#""e{n}":{{"var":"x{n}"}}"#)).collect();
    let flags: Vec<String> = (0..20_000)
        .map(|n| format!(r#""f{n}":{{"state":"ENABLED","variants":{{"on":true}},"targeting":{{"if":[{{"$ref":"e{n}"}},"on"]}}}}"#))
        .collect();
    let metadata: Vec<String> = (0..20_000).map(|n| format!(r#""m{n}":{n}"#)).collect();
    let text = format!(
        r#"{{"metadata":{{{}}},"$evaluators":{{{}}},"flags":{{{}}}}}"#,
        metadata.join(","),
        many.join(","),
        flags.join(",")
    );
    let (definitions, problems) = load(&text);
    assert_eq!(definitions.get(&Selector::All).keys().len(), 20_000);
    assert!(problems.iter().any(|problem| problem.rule == Rule::TooLarge));
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
