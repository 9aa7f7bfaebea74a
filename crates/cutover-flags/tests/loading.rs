//! Documents: what is read, what is told, and that one broken flag takes nothing down.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use cutover_flags::ofrep::{Compat, body_etag, refuse};
use cutover_flags::{Context, Definitions, FlagSet, Outcome, Problem, Rule, Selector, Source};
use proptest::prelude::*;

const NOW: i64 = 1_790_000_000;

fn load(documents: &[(&str, &str)]) -> (Definitions, Vec<Problem>) {
    let sources: Vec<Source> =
        documents.iter().map(|(name, text)| Source::new(name, text)).collect();
    Definitions::load(&sources)
}

fn one(set: &FlagSet, key: &str, context: &str, compat: Compat) -> (u16, String) {
    let context = Context::from_json(context.as_bytes()).unwrap();
    let mut out = vec![];
    let (status, _) = set.answer(key, &context, NOW, compat, &mut out);
    (status, String::from_utf8(out).unwrap())
}

const MANY: &str = r#"{
  "$schema": "https://flagd.dev/schema/v0/flags.json",
  "metadata": {"flagSetId": "shop", "version": "7", "owner": "set", "cutover.bucketing": "v3"},
  "$evaluators": {"swiss": {"==": [{"var": "country"}, "CH"]}},
  "flags": {
    "plain": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
    "float": {"state": "ENABLED", "variants": {"ten": 10.0, "one": 1e0}, "defaultVariant": "ten", "metadata": {"owner": "me", "n": 1.50}},
    "object": {"state": "ENABLED", "variants": {"o": {"b": [1.0, 2], "a": "ü\n"}}, "defaultVariant": "o"},
    "disabled": {"state": "DISABLED", "variants": {"on": true}, "defaultVariant": "on"},
    "code": {"state": "ENABLED", "variants": {"on": true}},
    "rule": {"state": "ENABLED", "variants": {"true": 1, "false": 2}, "defaultVariant": "false", "targeting": {"$ref": "swiss"}},
    "bad/ref": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on", "targeting": {"if": [{"$ref": "nope"}, "on"]}},
    "bad-op": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on", "targeting": {"iff": [true, "on"]}},
    "big": {"state": "ENABLED", "variants": {"on": 9007199254740993}, "defaultVariant": "on"},
    "no-state": {"variants": {"on": true}},
    "no-variants": {"state": "ENABLED", "variants": {}},
    "no-default": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "off"},
    "text": 7,
    "unknown": {"state": "ENABLED", "variants": {"on": true}, "targeting": {"if": [{"var": "x"}, {"var": "x"}, "on"]}}
  }
}"#;

#[test]
fn answers_are_those_of_the_protocol() {
    let (definitions, _) = load(&[("many.json", MANY)]);
    let set = definitions.get(&Selector::All);
    let compat = Compat::default();
    let meta = r#""metadata":{"flagSetId":"shop","version":"7","owner":"set"}"#;
    for (key, context, status, expected) in [
        ("plain", "{}", 200, format!(r#"{{"key":"plain","reason":"STATIC","variant":"on","value":true,{meta}}}"#)),
        ("float", "{}", 200, r#"{"key":"float","reason":"STATIC","variant":"ten","value":10.0,"metadata":{"flagSetId":"shop","version":"7","owner":"me","n":1.50}}"#.to_owned()),
        ("object", "{}", 200, format!(r#"{{"key":"object","reason":"STATIC","variant":"o","value":{{"b":[1.0,2],"a":"ü\n"}},{meta}}}"#)),
        ("disabled", "{}", 200, format!(r#"{{"key":"disabled","reason":"DISABLED","variant":"",{meta}}}"#)),
        ("code", "{}", 200, format!(r#"{{"key":"code","reason":"DEFAULT","variant":"",{meta}}}"#)),
        ("rule", r#"{"country":"CH"}"#, 200, format!(r#"{{"key":"rule","reason":"TARGETING_MATCH","variant":"true","value":1,{meta}}}"#)),
        ("bad/ref", "{}", 400, format!(r#"{{"key":"bad/ref","reason":"ERROR","errorCode":"PARSE_ERROR","errorDetails":"the $ref \"nope\" does not exist",{meta}}}"#)),
        ("unknown", r#"{"x":"y\"z"}"#, 400, format!(r#"{{"key":"unknown","reason":"ERROR","errorCode":"GENERAL","errorDetails":"the rule names the variant \"y\\\"z\", which does not exist",{meta}}}"#)),
        ("unknown", r#"{"x":[1]}"#, 400, format!(r#"{{"key":"unknown","reason":"ERROR","errorCode":"GENERAL","errorDetails":"the rule gives no name of a variant",{meta}}}"#)),
        ("gone\"", "{}", 404, r#"{"key":"gone\"","reason":"ERROR","errorCode":"FLAG_NOT_FOUND","errorDetails":"there is no flag with this key","metadata":{}}"#.to_owned()),
    ] {
        assert_eq!(one(set, key, context, compat), (status, expected), "{key}");
    }
    let strict = Compat { empty_variant: false };
    let (_, body) = one(set, "disabled", "{}", strict);
    assert_eq!(body, format!(r#"{{"key":"disabled","reason":"DISABLED",{meta}}}"#));
    let mut out = vec![];
    let error = Context::from_request(b"[").unwrap_err();
    assert_eq!(refuse(None, &error, &mut out), 400);
    let body: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(body["errorCode"], "INVALID_CONTEXT");
}

#[test]
fn a_bulk_answer_has_every_flag_and_the_same_answers() {
    let (definitions, _) = load(&[("many.json", MANY)]);
    let set = definitions.get(&Selector::All);
    let context = r#"{"targetingKey":"u","country":"CH"}"#;
    let parsed = Context::from_json(context.as_bytes()).unwrap();
    let mut out = vec![];
    let extra = r#""eventStreams":[]"#;
    set.bulk(&parsed, NOW, Compat::default(), extra, &mut out);
    let body: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let flags = body["flags"].as_array().unwrap();
    assert_eq!(flags.len(), 14);
    for (flag, key) in flags.iter().zip(set.keys()) {
        let (_, single) = one(set, key, context, Compat::default());
        assert_eq!(*flag, serde_json::from_str::<serde_json::Value>(&single).unwrap());
    }
    assert_eq!(body["metadata"]["flagSetId"], "shop");
    assert_eq!(body["eventStreams"], serde_json::json!([]));
}

#[test]
fn broken_flags_are_told_with_their_place() {
    let (_, problems) = load(&[("many.json", MANY)]);
    let told: Vec<String> =
        problems.iter().filter(|problem| problem.is_error()).map(ToString::to_string).collect();
    for expected in [
        "many.json:12:108: error: flag \"bad/ref\": the $ref \"nope\" does not exist [unknown-reference]",
        "many.json:13:99: error: flag \"bad-op\": the operator `iff` does not exist [unknown-operator]",
        "many.json:14:52: error: flag \"big\": the number 9007199254740993 is beyond 2^53 - 1 (9007199254740991), where clients begin to lose digits [unsafe-number]",
        "many.json:15:5: error: flag \"no-state\": the flag has no `state` [malformed]",
        "many.json:16:53: error: flag \"no-variants\": `variants` is an object with at least one entry [malformed]",
        "many.json:17:84: error: flag \"no-default\": the default variant \"off\" does not exist [unknown-reference]",
        "many.json:18:13: error: flag \"text\": a flag is an object, not a number [malformed]",
    ] {
        assert!(told.iter().any(|told| told == expected), "{expected}\n{told:#?}");
    }
    assert_eq!(told.len(), 7, "{told:#?}");
}

#[test]
fn unreadable_documents_say_where() {
    for (name, text, expected) in [
        ("a.json", "{\"flags\": {\n  \"x\": nope}}", "a.json:2:8: error: a value should be here"),
        ("a.yaml", "flags:\n  x: [1\n", "a.yaml:2:6: error: unclosed bracket"),
        ("a.json", "[]", "a.json:1:1: error: a document is an object, not an array"),
        ("a.json", "", "a.json:1:1: error: the document ends"),
        ("a.json", "{}", "a.json:1:1: error: the document has no `flags`"),
    ] {
        let (definitions, problems) = load(&[(name, text)]);
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|told| told.starts_with(expected)), "{expected}\n{told:#?}");
        assert_eq!(definitions.get(&Selector::All).keys().len(), 0);
    }
    let large = " ".repeat(cutover_flags::LARGEST_DOCUMENT + 1);
    let (_, problems) = load(&[("a.json", &large)]);
    assert!(problems[0].message.contains("at most"), "{problems:?}");
}

fn rules(problems: &[Problem], flag: &str) -> Vec<Rule> {
    problems
        .iter()
        .filter(|problem| problem.flag.as_deref() == Some(flag))
        .map(|p| p.rule)
        .collect()
}

#[test]
fn the_linter_sees_what_works_and_is_odd() {
    let text = r#"{
  "$evaluators": {"unused": {"var": "x"}},
  "extra": 1,
  "flags": {
    "fine": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off", "targeting": {"if": [{"var": "x"}, "on"]}},
    "unreachable": {"state": "ENABLED", "variants": {"a": 1, "b": 2, "c": 3}, "defaultVariant": "a", "targeting": {"if": [{"var": "x"}, "b"]}},
    "zero": {"state": "ENABLED", "variants": {"a": 1}, "defaultVariant": "a", "targeting": {"fractional": [["a", 0]]}},
    "never": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off", "targeting": {"if": [{"var": "x"}, "on", "on"]}},
    "typo": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off", "targeting": {"if": [{"var": "x"}, "onn", {"var": "y"}, "on"]}},
    "constant": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off", "targeting": {"if": [{"==": [1, 2]}, "off", {"var": "y"}, "on"]}},
    "null": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off", "targeting": {"if": [{"sem_ver": [{"var": "v"}, "==", "1.0.0"]}, "on", {"var": "y"}, "on"]}},
    "mixed": {"state": "ENABLED", "variants": {"a": 1, "b": "x"}, "defaultVariant": "a", "targeting": {"if": [{"var": "x"}, "b"]}},
    "key": {"state": "ENABLED", "variants": {"a": 1}, "defaultVariant": "a", "defaultvariant": "a"},
    "twice": {"state": "ENABLED", "variants": {"a": 1}, "defaultVariant": "a"},
    "twice": {"state": "ENABLED", "variants": {"a": 2}, "defaultVariant": "a"}
  }
}"#;
    let (definitions, problems) = load(&[("lint.json", text)]);
    assert!(!problems.iter().any(Problem::is_error), "{problems:#?}");
    for (flag, expected) in [
        ("fine", vec![]),
        ("unreachable", vec![Rule::UnreachableVariant]),
        ("zero", vec![Rule::ZeroWeights]),
        ("never", vec![Rule::DefaultNeverUsed]),
        ("typo", vec![Rule::UnknownVariant]),
        ("constant", vec![Rule::ConstantCondition]),
        ("null", vec![Rule::AlwaysNull, Rule::ConstantCondition]),
        ("mixed", vec![Rule::MixedTypes]),
        ("key", vec![Rule::UnknownKey]),
    ] {
        assert_eq!(rules(&problems, flag), expected, "{flag}: {problems:#?}");
    }
    let document: Vec<Rule> = problems
        .iter()
        .filter(|problem| problem.flag.is_none())
        .map(|problem| problem.rule)
        .collect();
    for rule in [Rule::Unused, Rule::UnknownKey, Rule::DuplicateKey, Rule::BucketingNotStored] {
        assert!(document.contains(&rule), "{rule:?}: {document:?}");
    }
    let set = definitions.get(&Selector::All);
    assert!(one(set, "twice", "{}", Compat::default()).1.contains("\"value\":2"));
}

#[test]
fn sets_and_sources_can_be_chosen() {
    let document = |set: &str, variant: &str| {
        format!(
            r#"{{"metadata":{{{set}"cutover.bucketing":"v3"}},"flags":{{"f":{{"state":"ENABLED","variants":{{"a":"a","b":"b","c":"c"}},"defaultVariant":"{variant}"}}}}}}"#
        )
    };
    let (a, b, c) = (
        document(r#""flagSetId":"x","#, "a"),
        document(r#""flagSetId":"y","#, "b"),
        document("", "c"),
    );
    let (definitions, problems) = load(&[("1.json", &a), ("2.json", &b), ("3.json", &c)]);
    assert!(problems.is_empty(), "{problems:?}");
    let given = |selector: &str| {
        let set = definitions.get(&selector.parse().unwrap());
        match set.evaluate("f", &Context::empty(), NOW).outcome {
            Outcome::Variant(_, variant) => variant.name().to_owned(),
            Outcome::CodeDefault(_) => "-".to_owned(),
            Outcome::Failed(code, _) => code.as_str().to_owned(),
        }
    };
    for (selector, expected) in [
        ("flagSetId=x", "a"),
        ("flagSetId=y", "b"),
        ("flagSetId=", "c"),
        ("source=1.json", "a"),
        ("2.json", "b"),
        ("", "c"),
        ("flagSetId=z", "FLAG_NOT_FOUND"),
    ] {
        assert_eq!(given(selector), expected, "{selector}");
    }
    let (definitions, problems) =
        load(&[("1.json", &a), ("2.json", &document(r#""flagSetId":"x","#, "b"))]);
    assert_eq!(problems.len(), 1);
    assert_eq!(
        problems[0].to_string(),
        "2.json:1:65: warning: flag \"f\": 1.json defines this flag too; the one here counts [conflict]"
    );
    assert_eq!(definitions.get(&Selector::Set("x".into())).keys().len(), 1);
}

#[test]
fn tags_cover_documents_and_the_whole_context() {
    let clock = r#"{"metadata":{"cutover.bucketing":"v3"},"flags":{"f":{"state":"ENABLED","variants":{"a":1},"targeting":{"if":[{">":[{"var":"$flagd.timestamp"},5]},"a"]}}}}"#;
    let plain = MANY.replace("\"7\"", "\"8\"");
    let tag = |text: &str, context: &str, compat| {
        let (definitions, _) = load(&[("f.json", text)]);
        let context = Context::from_json(context.as_bytes()).unwrap();
        definitions.get(&Selector::All).etag(&context, compat, "")
    };
    let (compat, strict) = (Compat::default(), Compat { empty_variant: false });
    let base = tag(MANY, r#"{"targetingKey":"u","a":1,"b":2}"#, compat).unwrap();
    assert_eq!(tag(MANY, r#"{"b":2.0,"a":1,"targetingKey":"u"}"#, compat).unwrap(), base);
    for (text, context, compat) in [
        (MANY, r#"{"targetingKey":"u","a":1,"b":3}"#, compat),
        (MANY, r#"{"targetingKey":"u","a":1}"#, compat),
        (MANY, r#"{"targetingKey":"u","a":1,"b":2}"#, strict),
        (&*plain, r#"{"targetingKey":"u","a":1,"b":2}"#, compat),
    ] {
        assert_ne!(tag(text, context, compat).unwrap(), base, "{context}");
    }
    assert_eq!(tag(clock, "{}", compat), None);
    assert!(
        base.is_in(base.as_str()) && base.is_in(&format!("\"x\", W/{base}")) && base.is_in("*")
    );
    assert!(!base.is_in("\"x\""));
    assert_ne!(body_etag(b"a"), body_etag(b"b"));
}

#[test]
fn explanations_follow_the_evaluation() {
    let text = r#"{"metadata":{"cutover.bucketing":"v3"},"flags":{"f":{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"a","targeting":
      {"if":[{"==":[{"var":"plan"},"pro"]},{"fractional":[["a",50],["b",50]]},{"<":[1,2]},"b"]}}}}"#;
    let (definitions, _) = load(&[("f.json", text)]);
    let set = definitions.get(&Selector::All);
    let context = Context::from_json(br#"{"targetingKey":"u1","plan":"pro"}"#).unwrap();
    let explained = set.explain("f", &context, NOW).unwrap().to_string();
    for part in [
        "f: ",
        "{\"==\":[{\"var\":\"plan\"},\"pro\"]} → true",
        "{\"var\":\"plan\"} → \"pro\"",
        " of 100, in entry ",
    ] {
        assert!(explained.contains(part), "{part}: {explained}");
    }
    assert!(!explained.contains("\"<\"") || explained.matches("\"<\"").count() == 1, "{explained}");
    assert!(set.explain("g", &context, NOW).is_none());
}

fn json(depth: u32) -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        any::<i64>().prop_map(|whole| whole.to_string()),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| format!("{f:?}")),
        "[a-z$./]{0,6}".prop_map(|text| format!("{text:?}")),
        Just("\"targetingKey\"".to_owned()),
        Just("\"$flagd.timestamp\"".to_owned()),
    ];
    leaf.prop_recursive(depth, 40, 5, |inner| {
        let operator = prop::sample::select(vec![
            "var",
            "missing",
            "missing_some",
            "if",
            "==",
            "===",
            "!=",
            "!",
            "!!",
            "or",
            "and",
            "<",
            ">=",
            "max",
            "min",
            "+",
            "-",
            "*",
            "/",
            "%",
            "map",
            "reduce",
            "filter",
            "all",
            "none",
            "some",
            "merge",
            "in",
            "cat",
            "substr",
            "log",
            "fractional",
            "starts_with",
            "sem_ver",
            "a",
            "$ref",
            "segment",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|items| format!("[{}]", items.join(","))),
            (operator, prop::collection::vec(inner, 0..5))
                .prop_map(|(operator, items)| format!("{{\"{operator}\":[{}]}}", items.join(","))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the rule and the context, an evaluation ends, the explanation agrees with it, and
    /// every answer is JSON.
    #[test]
    fn any_rule_and_context_are_evaluated(rule in json(5), context in json(3), bucketing in prop::sample::select(vec!["v2", "v3"])) {
        let text = format!(
            r#"{{"metadata":{{"cutover.bucketing":"{bucketing}"}},"segments":{{"a":{rule}}},"$evaluators":{{"a":true}},"flags":{{"f":{{"state":"ENABLED","variants":{{"true":1,"false":2,"a":3}},"targeting":{{"if":[{rule},"a",{rule}]}}}}}}}}"#
        );
        let (definitions, _) = load(&[("f.json", &text)]);
        let context = format!(r#"{{"targetingKey":"u","a":{context}}}"#);
        let Ok(context) = Context::from_json(context.as_bytes()) else { return Ok(()) };
        let set = definitions.get(&Selector::All);
        let mut out = vec![];
        set.bulk(&context, NOW, Compat::default(), "", &mut out);
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
        let evaluation = set.evaluate("f", &context, NOW);
        let explanation = set.explain("f", &context, NOW).unwrap();
        prop_assert_eq!(evaluation.outcome.to_string(), explanation.outcome);
        prop_assert!(set.etag(&context, Compat::default(), "").is_some() || set.reads_clock());
    }

    /// Worked out at once or step by step, a rule gives the same.
    #[test]
    fn working_out_in_advance_changes_nothing(rule in json(5), context in json(3)) {
        use cutover_flags::{Bucketing, Targeting};
        let context = format!(r#"{{"targetingKey":"u","a":{context}}}"#);
        let Ok(context) = Context::from_json(context.as_bytes()) else { return Ok(()) };
        let Ok(targeting) = Targeting::compile(&rule, "f", Bucketing::V3) else { return Ok(()) };
        let plain = Targeting::compile_plainly(&rule, "f", Bucketing::V3).unwrap();
        let (one, other) = (targeting.apply(&context, NOW), plain.apply(&context, NOW));
        let text = |value: Result<cutover_flags::Value, _>| value.map(|value| value.to_string());
        prop_assert_eq!(text(one), text(other));
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in any::<String>()) {
        let _ = Context::from_json(&bytes);
        let _ = Context::from_request(&bytes);
        let lossy = String::from_utf8_lossy(&bytes);
        for name in ["a.json", "a.yaml"] {
            let _ = load(&[(name, &lossy)]);
            let _ = load(&[(name, &text)]);
        }
        let _ = text.parse::<Selector>();
    }

    /// Documents that are nearly right.
    #[test]
    fn damaged_documents_never_panic(at in 0_usize..2000, with in any::<char>(), yaml in any::<bool>()) {
        let mut letters: Vec<char> = MANY.chars().collect();
        let at = at % letters.len();
        letters[at] = with;
        let damaged: String = letters.into_iter().collect();
        let (definitions, problems) = load(&[(if yaml { "a.yaml" } else { "a.json" }, &damaged)]);
        let set = definitions.get(&Selector::All);
        prop_assert!(set.keys().len() > 5 || !problems.is_empty());
        let mut out = vec![];
        set.bulk(&Context::empty(), NOW, Compat::default(), "", &mut out);
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
    }
}

#[test]
fn the_deepest_documents_fit_the_stack() {
    for (open, close) in [("{\"!\":", "}"), ("[", "]"), ("{\"cat\":[", "]}"), ("{\"if\":[1,", "]}")]
    {
        for depth in [20, 40, 60, 62, 100, 120, 10_000] {
            let rule = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let text = format!(
                r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{"a":1}},"targeting":{{"!":[{rule}]}}}}}}}}"#
            );
            for name in ["a.json", "a.yaml"] {
                let (definitions, _) = load(&[(name, &text)]);
                let set = definitions.get(&Selector::All);
                let _ = set.evaluate("f", &Context::empty(), NOW);
                let _ = set.explain("f", &Context::empty(), NOW);
            }
        }
    }
}
