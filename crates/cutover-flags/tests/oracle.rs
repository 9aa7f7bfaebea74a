//! Rules evaluated beside datalogic-rs, an independent JSONLogic engine, over the operators that
//! both define alike and operands of the types they are for. What differs by intent is listed at
//! the end.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use cutover_flags::{Bucketing, Context, Targeting};
use datalogic_rs::{Engine, EvaluationConfig, NanHandling};
use proptest::prelude::*;
use serde_json::Value;

const NOW: i64 = 1_790_000_000;

fn ours(rule: &str, context: &str) -> Value {
    let targeting = Targeting::compile(rule, "f", Bucketing::V3).unwrap();
    let context = Context::from_json(context.as_bytes()).unwrap();
    serde_json::from_str(&targeting.apply(&context, NOW).unwrap().to_string()).unwrap()
}

fn theirs(rule: &str, context: &str) -> Option<Value> {
    let config = EvaluationConfig::default()
        .with_loose_equality_errors(false)
        .with_arithmetic_nan_handling(NanHandling::ReturnNull);
    let engine = Engine::builder().with_config(config).build();
    engine.eval_str(rule, context).ok().map(|text| serde_json::from_str(&text).unwrap())
}

/// Whole floats are whole numbers.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64().unwrap()),
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

type Rule = BoxedStrategy<String>;

fn call(operator: &'static str, arguments: Vec<Rule>) -> Rule {
    arguments
        .prop_map(move |arguments| format!("{{\"{operator}\":[{}]}}", arguments.join(",")))
        .boxed()
}

fn one_of(rules: Vec<Rule>) -> Rule {
    prop::strategy::Union::new(rules).boxed()
}

fn words() -> Rule {
    prop::sample::select(vec!["a", "b", "pro", "x1", "10", "jürgen"])
        .prop_map(|word| format!("{word:?}"))
        .boxed()
}

fn some(words: &[&'static str]) -> Rule {
    prop::sample::select(words.to_vec()).prop_map(str::to_owned).boxed()
}

fn text(depth: u32) -> Rule {
    let var = some(&[r#"{"var":"plan"}"#, r#"{"var":["user.name"]}"#, r#"{"var":["no","d"]}"#]);
    if depth == 0 {
        return one_of(vec![words(), var]);
    }
    let deeper = || text(depth - 1);
    one_of(vec![
        var,
        call("cat", vec![deeper(), deeper()]),
        call("substr", vec![deeper(), some(&["-2", "0", "1", "2", "9"])]),
        call("substr", vec![deeper(), some(&["-2", "0", "1"]), some(&["0", "1", "3"])]),
        call("if", vec![truth(depth - 1), deeper(), deeper()]),
    ])
}

fn number(depth: u32) -> Rule {
    let literal = some(&["0", "1", "2", "7", "-3", "0.5", "2.25", "100"]);
    let var = some(&[r#"{"var":"age"}"#, r#"{"var":"ratio"}"#, r#"{"var":"list.1"}"#]);
    if depth == 0 {
        return one_of(vec![literal, var]);
    }
    let deeper = || number(depth - 1);
    one_of(vec![
        literal,
        call("+", vec![deeper(), deeper()]),
        call("-", vec![deeper(), deeper()]),
        call("-", vec![deeper()]),
        call("*", vec![deeper(), deeper()]),
        call("/", vec![deeper(), some(&["1", "2", "0.5", "-4"])]),
        call("%", vec![some(&["7", "-7", "{\"var\":\"age\"}"]), some(&["2", "3", "10"])]),
        call("min", vec![deeper(), deeper()]),
        call("max", vec![deeper(), deeper(), deeper()]),
        call(
            "reduce",
            vec![
                list(depth - 1),
                some(&[
                    r#"{"+":[{"var":"current"},{"var":"accumulator"}]}"#,
                    r#"{"max":[{"var":"current"},{"var":"accumulator"}]}"#,
                ]),
                some(&["0", "5"]),
            ],
        ),
        call("if", vec![truth(depth - 1), deeper(), deeper()]),
    ])
}

fn list(depth: u32) -> Rule {
    let literal = some(&["[]", "[1]", "[3,1,2]", r#"[0.5,-1]"#]);
    let var = some(&[r#"{"var":"list"}"#]);
    if depth == 0 {
        return one_of(vec![literal, var]);
    }
    let deeper = || list(depth - 1);
    let test = || {
        some(&[r#"{">":[{"var":""},1]}"#, r#"{"==":[{"var":""},3]}"#, r#"{"%":[{"var":""},2]}"#])
    };
    one_of(vec![
        literal,
        call("map", vec![deeper(), some(&[r#"{"*":[{"var":""},2]}"#, r#"{"-":[{"var":""}]}"#])]),
        call("filter", vec![deeper(), test()]),
        call("merge", vec![deeper(), deeper()]),
    ])
}

fn truth(depth: u32) -> Rule {
    let var = some(&[r#"{"var":"beta"}"#, r#"{"==":[{"var":"plan"},"pro"]}"#]);
    if depth == 0 {
        return var;
    }
    let (text, number, list) = (|| text(depth - 1), || number(depth - 1), || list(depth - 1));
    let deeper = || truth(depth - 1);
    let test = || some(&[r#"{">":[{"var":""},1]}"#, r#"{"==":[{"var":""},3]}"#]);
    let mut rules = vec![
        var,
        call("<", vec![number(), number(), number()]),
        call("<=", vec![number(), number(), number()]),
        call(
            "in",
            vec![
                text(),
                some(&[
                    r#"["a","b","pro"]"#,
                    "[]",
                    r#"["1","2","3","4","5","6","7","8","pro","a"]"#,
                ]),
            ],
        ),
        call("in", vec![words(), text()]),
        call("in", vec![number(), list()]),
        call("!", vec![deeper()]),
        call("!!", vec![text()]),
        call("!!", vec![list()]),
        call("and", vec![deeper(), deeper()]),
        call("or", vec![deeper(), deeper()]),
        call("some", vec![list(), test()]),
        call("none", vec![list(), test()]),
        call("all", vec![some(&["[1,2]", r#"{"var":"list"}"#]), test()]),
        call(
            "missing",
            vec![some(&["\"plan\"", "\"no\""]), some(&["\"user.name\"", "\"user.no\""])],
        ),
        call(
            "missing_some",
            vec![some(&["1", "2"]), some(&[r#"["plan","no"]"#, r#"["no","not"]"#])],
        ),
    ];
    for operator in ["==", "===", "!=", "!=="] {
        rules.push(call(operator, vec![text(), text()]));
        rules.push(call(operator, vec![number(), number()]));
    }
    for operator in ["<", "<=", ">", ">="] {
        rules.push(call(operator, vec![number(), number()]));
        rules.push(call(operator, vec![text(), text()]));
    }
    one_of(rules)
}

fn context() -> impl Strategy<Value = String> {
    let list = prop::collection::vec(-5_i32..50, 2..5);
    (words(), words(), -20_i32..90, prop::sample::select(vec![0.5, 1.25, -3.5, 8.0]), list, any::<bool>())
        .prop_map(|(plan, name, age, ratio, list, beta)| {
            format!(r#"{{"plan":{plan},"user":{{"name":{name}}},"age":{age},"ratio":{ratio:?},"list":{list:?},"beta":{beta}}}"#)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn sound_rules_give_the_same(rule in one_of(vec![truth(3), number(3), text(3), list(3)]), context in context()) {
        let theirs = theirs(&rule, &context);
        prop_assert!(theirs.is_some(), "{}", rule);
        prop_assert_eq!(plain(&ours(&rule, &context)), plain(&theirs.unwrap()), "{} of {}", rule, context);
    }
}

#[test]
fn what_differs_by_intent() {
    for (rule, here, there) in [
        // The reference implementation finds an empty object true.
        (r#"{"!!":[{"var":"object"}]}"#, "true", "false"),
        // A quotient by zero is no number, and no number is null.
        (r#"{"/":[1.5,0]}"#, "null", "1.7976931348623157e308"),
    ] {
        let context = r#"{"object":{}}"#;
        assert_eq!(ours(rule, context).to_string(), here, "{rule}");
        let there: Value = serde_json::from_str(there).unwrap();
        assert_eq!(theirs(rule, context), Some(there), "{rule}");
    }
}
