//! What every operator gives, case by case: rule, context, result.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use cutover_flags::{Bucketing, Context, Targeting};

const NOW: i64 = 1_790_000_000;

fn given(rule: &str, context: &str, bucketing: Bucketing) -> String {
    let targeting = Targeting::compile(rule, "flag", bucketing).unwrap();
    let context = Context::from_json(context.as_bytes()).unwrap();
    targeting.apply(&context, NOW).unwrap().to_string()
}

#[track_caller]
fn check(cases: &[(&str, &str, &str)]) {
    for (rule, context, expected) in cases {
        assert_eq!(given(rule, context, Bucketing::V3), *expected, "{rule} of {context}");
    }
}

#[test]
fn variables() {
    let deep = r#"{"a":{"b":[{"c":5}]},"n":null,"e":"","list":[1,2],"1":"one"}"#;
    check(&[
        (r#"{"var":"a.b.0.c"}"#, deep, "5"),
        (r#"{"var":["a.b.0.c"]}"#, deep, "5"),
        (r#"{"var":"a.b.00.c"}"#, deep, "null"),
        (r#"{"var":"a.b.1.c"}"#, deep, "null"),
        (r#"{"var":"list.1"}"#, deep, "2"),
        (r#"{"var":"list.-1"}"#, deep, "null"),
        (r#"{"var":1}"#, deep, "\"one\""),
        (r#"{"var":["missing","d"]}"#, deep, "\"d\""),
        (r#"{"var":["n","d"]}"#, deep, "\"d\""),
        (r#"{"var":["e","d"]}"#, deep, "\"\""),
        (r#"{"var":["missing",{"var":"list.0"}]}"#, deep, "1"),
        (r#"{"var":{"cat":["li","st"]}}"#, deep, "[1,2]"),
        (r#"{"var":{"var":"where"}}"#, r#"{"where":"x.y","x":{"y":3}}"#, "3"),
        (
            r#"{"var":""}"#,
            r#"{"a":1}"#,
            r#"{"a":1,"$flagd":{"flagKey":"flag","timestamp":1790000000}}"#,
        ),
        (r#"{"var":"$flagd.flagKey"}"#, "{}", "\"flag\""),
        (r#"{"var":"$flagd.timestamp"}"#, r#"{"$flagd":{"timestamp":1}}"#, "1790000000"),
        (r#"{"var":"$flagd"}"#, "{}", r#"{"flagKey":"flag","timestamp":1790000000}"#),
        (r#"{"var":"$flagd.other"}"#, "{}", "null"),
        (r#"{"missing":["a","n","e","list","x.y"]}"#, deep, r#"["n","e","x.y"]"#),
        (r#"{"missing":{"merge":["a",["x"]]}}"#, deep, r#"["x"]"#),
        (r#"{"missing":"x"}"#, deep, r#"["x"]"#),
        (r#"{"missing":[]}"#, deep, "[]"),
        (r#"{"missing_some":[1,["a","x"]]}"#, deep, "[]"),
        (r#"{"missing_some":[2,["a","x","y"]]}"#, deep, r#"["x","y"]"#),
        (r#"{"missing_some":[1,"a"]}"#, deep, r#"[]"#),
    ]);
}

#[test]
fn conditions() {
    check(&[
        (r#"{"if":[{"var":"a"},"yes","no"]}"#, r#"{"a":1}"#, "\"yes\""),
        (r#"{"if":[{"var":"a"},"yes","no"]}"#, "{}", "\"no\""),
        (r#"{"if":[{"var":"a"},"yes"]}"#, "{}", "null"),
        (r#"{"if":[{"var":"a"},1,{"var":"b"},2,3]}"#, r#"{"b":true}"#, "2"),
        (r#"{"if":[{"var":"a"},1,{"var":"b"},2,3]}"#, "{}", "3"),
        (r#"{"if":[]}"#, "{}", "null"),
        (r#"{"if":[7]}"#, "{}", "7"),
        (r#"{"?:":[{"var":"a"},"yes","no"]}"#, r#"{"a":[]}"#, "\"no\""),
        (r#"{"and":[{"var":"a"},"b"]}"#, r#"{"a":1}"#, "\"b\""),
        (r#"{"and":[{"var":"a"},"b"]}"#, r#"{"a":0}"#, "0"),
        (r#"{"or":[{"var":"a"},"b"]}"#, r#"{"a":0}"#, "\"b\""),
        (r#"{"or":[{"var":"a"},{"var":"b"}]}"#, r#"{"b":""}"#, "\"\""),
        (r#"{"or":[]}"#, "{}", "null"),
        (r#"{"!":{"var":"a"}}"#, r#"{"a":[]}"#, "true"),
        (r#"{"!":[{"var":"a"}]}"#, r#"{"a":"0"}"#, "false"),
        (r#"{"!!":[{"var":"a"}]}"#, r#"{"a":{}}"#, "true"),
        (r#"{"!!":[{"var":"a"}]}"#, "{}", "false"),
    ]);
}

#[test]
fn comparisons() {
    let context = r#"{"one":1,"text":"1","list":["a"],"yes":true,"nothing":null,"b":"b"}"#;
    check(&[
        (r#"{"==":[{"var":"one"},{"var":"text"}]}"#, context, "true"),
        (r#"{"==":[{"var":"yes"},1]}"#, context, "true"),
        (r#"{"==":[{"var":"list"},"a"]}"#, context, "true"),
        (r#"{"==":[{"var":"nothing"},0]}"#, context, "false"),
        (r#"{"==":[{"var":"nothing"},{"var":"gone"}]}"#, context, "true"),
        (r#"{"===":[{"var":"one"},{"var":"text"}]}"#, context, "false"),
        (r#"{"===":[{"var":"one"},1.0]}"#, context, "true"),
        (r#"{"===":[{"var":"list"},["a"]]}"#, context, "true"),
        (r#"{"!=":[{"var":"one"},"2"]}"#, context, "true"),
        (r#"{"!=":[{"var":"one"},"1"]}"#, context, "false"),
        (r#"{"!==":[{"var":"one"},"1"]}"#, context, "true"),
        (r#"{"<":[{"var":"one"},2]}"#, context, "true"),
        (r#"{"<":[{"var":"b"},"c"]}"#, context, "true"),
        (r#"{"<":[{"var":"b"},1]}"#, context, "false"),
        (r#"{"<":[0,{"var":"one"},2]}"#, context, "true"),
        (r#"{"<":[1,{"var":"one"},2]}"#, context, "false"),
        (r#"{"<=":[1,{"var":"one"},1]}"#, context, "true"),
        (r#"{"<=":[{"var":"text"},"05"]}"#, context, "false"),
        (r#"{">":[2,{"var":"one"}]}"#, context, "true"),
        (r#"{">":[{"var":"one"},{"var":"nothing"}]}"#, context, "true"),
        (r#"{">=":[{"var":"one"},"1"]}"#, context, "true"),
        (r#"{">=":[3,{"var":"one"},2]}"#, context, "false"),
        (r#"{"<":[{"var":"one"}]}"#, context, "false"),
        (r#"{"<":[]}"#, context, "false"),
        (r#"{"max":[{"var":"one"},3,"2"]}"#, context, "3"),
        (r#"{"min":[{"var":"one"},3,-2.5]}"#, context, "-2.5"),
        (r#"{"min":[{"var":"b"},3]}"#, context, "null"),
        (r#"{"max":[]}"#, context, "null"),
    ]);
}

#[test]
fn arithmetic() {
    let context = r#"{"a":7,"text":" 3.5 ","word":"x","zero":0}"#;
    check(&[
        (r#"{"+":[{"var":"a"},1,"2"]}"#, context, "10"),
        (r#"{"+":[{"var":"text"}]}"#, context, "3.5"),
        (r#"{"+":{"var":"text"}}"#, context, "3.5"),
        (r#"{"+":[]}"#, context, "0"),
        (r#"{"+":[{"var":"a"},{"var":"word"}]}"#, context, "null"),
        (r#"{"-":[{"var":"a"},10]}"#, context, "-3"),
        (r#"{"-":[{"var":"a"}]}"#, context, "-7"),
        (r#"{"-":{"var":"a"}}"#, context, "-7"),
        (r#"{"*":[{"var":"a"},0.5,2]}"#, context, "7"),
        (r#"{"/":[{"var":"a"},2]}"#, context, "3.5"),
        (r#"{"/":[{"var":"a"},{"var":"zero"}]}"#, context, "null"),
        (r#"{"%":[{"var":"a"},4]}"#, context, "3"),
        (r#"{"%":[{"-":{"var":"a"}},4]}"#, context, "-3"),
        (r#"{"%":[{"var":"a"},0]}"#, context, "null"),
        (r#"{"+":[0.1,{"var":"zero"},0.2]}"#, context, "0.30000000000000004"),
        (
            r#"{"*":[{"var":"a"},9007199254740991,9007199254740991]}"#,
            context,
            "5.679074689022466e+32",
        ),
        (r#"{"<":[{"+":[{"var":"word"}]},5]}"#, context, "false"),
    ]);
}

#[test]
fn lists() {
    let context = r#"{"n":[1,2,3,4],"people":[{"n":"a","x":1},{"n":"b","x":0}],"no":[]}"#;
    check(&[
        (r#"{"map":[{"var":"n"},{"*":[{"var":""},2]}]}"#, context, "[2,4,6,8]"),
        (r#"{"map":[{"var":"people"},{"var":"n"}]}"#, context, r#"["a","b"]"#),
        (r#"{"map":[{"var":"gone"},1]}"#, context, "[]"),
        (r#"{"map":[{"var":"n"},{"var":"people"}]}"#, context, "[null,null,null,null]"),
        (r#"{"filter":[{"var":"n"},{"%":[{"var":""},2]}]}"#, context, "[1,3]"),
        (r#"{"filter":[{"var":"people"},{"var":"x"}]}"#, context, r#"[{"n":"a","x":1}]"#),
        (
            r#"{"reduce":[{"var":"n"},{"+":[{"var":"current"},{"var":"accumulator"}]},0]}"#,
            context,
            "10",
        ),
        (
            r#"{"reduce":[{"var":"people"},{"cat":[{"var":"accumulator"},{"var":"current.n"}]},"x"]}"#,
            context,
            "\"xab\"",
        ),
        (r#"{"reduce":[{"var":"gone"},{"var":"current"},7]}"#, context, "7"),
        (r#"{"all":[{"var":"n"},{">":[{"var":""},0]}]}"#, context, "true"),
        (r#"{"all":[{"var":"n"},{">":[{"var":""},1]}]}"#, context, "false"),
        (r#"{"all":[{"var":"no"},true]}"#, context, "false"),
        (r#"{"some":[{"var":"n"},{"==":[{"var":""},3]}]}"#, context, "true"),
        (r#"{"some":[{"var":"no"},true]}"#, context, "false"),
        (r#"{"none":[{"var":"n"},{"==":[{"var":""},5]}]}"#, context, "true"),
        (r#"{"none":[{"var":"n"},{"==":[{"var":""},4]}]}"#, context, "false"),
        (r#"{"none":[{"var":"no"},true]}"#, context, "true"),
        (r#"{"merge":[{"var":"n"},5,[6,[7]]]}"#, context, "[1,2,3,4,5,6,[7]]"),
        (r#"{"merge":[]}"#, context, "[]"),
        (r#"[1,{"var":"n.0"},[{"var":"n.1"}]]"#, context, "[1,1,[2]]"),
        (r#"{"in":[3,{"var":"n"}]}"#, context, "true"),
        (r#"{"in":["3",{"var":"n"}]}"#, context, "false"),
        (
            r#"{"in":[{"var":"people.0.n"},["1","2","3","4","5","6","7","8","9","a"]]}"#,
            context,
            "true",
        ),
        (r#"{"in":[{"var":"n.0"},["1","2","3","4","5","6","7","8","9","a"]]}"#, context, "false"),
        (r#"{"in":[{"var":"people.0.n"},"xay"]}"#, context, "true"),
        (r#"{"in":["x",{"var":"gone"}]}"#, context, "false"),
    ]);
}

#[test]
fn texts() {
    let context = r#"{"a":"jsonlogic","n":12.0,"t":true,"u":"äöü🎈x","version":"1.2.3-rc.1"}"#;
    check(&[
        (r#"{"cat":["I love ",{"var":"a"},"!"]}"#, context, "\"I love jsonlogic!\""),
        (r#"{"cat":[{"var":"n"},{"var":"t"},{"var":"gone"}]}"#, context, "\"12true\""),
        (r#"{"cat":{"var":"a"}}"#, context, "\"jsonlogic\""),
        (r#"{"cat":[{"var":"$flagd.flagKey"},"-",{"var":"a"}]}"#, context, "\"flag-jsonlogic\""),
        (r#"{"substr":[{"var":"a"},4]}"#, context, "\"logic\""),
        (r#"{"substr":[{"var":"a"},-5]}"#, context, "\"logic\""),
        (r#"{"substr":[{"var":"a"},1,3]}"#, context, "\"son\""),
        (r#"{"substr":[{"var":"a"},4,-2]}"#, context, "\"log\""),
        (r#"{"substr":[{"var":"a"},-50,2]}"#, context, "\"js\""),
        (r#"{"substr":[{"var":"u"},2,2]}"#, context, "\"ü🎈\""),
        (r#"{"substr":[{"var":"a"},50]}"#, context, "\"\""),
        (r#"{"log":{"var":"a"}}"#, context, "\"jsonlogic\""),
        (r#"{"starts_with":[{"var":"a"},"json"]}"#, context, "true"),
        (r#"{"starts_with":[{"var":"a"},"logic"]}"#, context, "false"),
        (r#"{"starts_with":[{"var":"n"},"1"]}"#, context, "null"),
        (r#"{"starts_with":[{"var":"a"}]}"#, context, "null"),
        (r#"{"starts_with":[{"var":"a"},"j","s"]}"#, context, "null"),
        (r#"{"ends_with":[{"var":"a"},"logic"]}"#, context, "true"),
        (r#"{"ends_with":[{"var":"a"},"json"]}"#, context, "false"),
        (r#"{"ends_with":[{"var":"a"},null]}"#, context, "null"),
    ]);
}

#[test]
fn versions() {
    let context = r#"{"v":"1.2.3","pre":"v1.2.3-rc.1","n":1.2,"bad":"1.2.3.4"}"#;
    for (rule, expected) in [
        (r#"[{"var":"v"},"=","1.2.3+build"]"#, "true"),
        (r#"[{"var":"v"},"!=","1.2.3"]"#, "false"),
        (r#"[{"var":"pre"},"<",{"var":"v"}]"#, "true"),
        (r#"[{"var":"v"},"<=","1.2.3"]"#, "true"),
        (r#"[{"var":"v"},">","1.2"]"#, "true"),
        (r#"[{"var":"v"},">=","2"]"#, "false"),
        (r#"[{"var":"v"},"^","1.9"]"#, "true"),
        (r#"[{"var":"v"},"~","1.9"]"#, "false"),
        (r#"[{"var":"v"},"~","1.2.9"]"#, "true"),
        (r#"[{"var":"n"},"=","1.2.0"]"#, "true"),
        (r#"[{"var":"bad"},"=","1.2.3"]"#, "null"),
        (r#"[{"var":"gone"},"=","1.2.3"]"#, "null"),
        (r#"[{"var":"v"},"==","1.2.3"]"#, "null"),
        (r#"[{"var":"v"},{"cat":["="]},"1.2.3"]"#, "true"),
        (r#"[{"var":"v"},"="]"#, "null"),
        (r#"[{"var":"v"},"=","x"]"#, "null"),
    ] {
        check(&[(&format!(r#"{{"sem_ver":{rule}}}"#), context, expected)]);
    }
}

#[test]
fn fractions() {
    let user = r#"{"targetingKey":"jon@company.com","email":"a@b.c","n":3,"pair":["x",1]}"#;
    let both = |rule: &str, context: &str| {
        (given(rule, context, Bucketing::V2), given(rule, context, Bucketing::V3))
    };
    let same = |value: &str| (value.to_owned(), value.to_owned());
    let halves = |by: &str| format!(r#"{{"fractional":[{by},["a",50],["b",50]]}}"#);
    // The same user, other sides: the hashes differ.
    assert_eq!(both(r#"{"fractional":[["a",1],["b"]]}"#, "{}"), same("null"));
    assert_eq!(both(r#"{"fractional":[["a",1],["b"]]}"#, r#"{"targetingKey":""}"#), same("null"));
    assert_eq!(both(r#"{"fractional":[["a",1],["b"]]}"#, r#"{"targetingKey":5}"#), same("null"));
    assert_eq!(both(&halves(r#"{"var":"gone"}"#), user), same("null"));
    assert_eq!(both(r#"{"fractional":[["only",1]]}"#, user), same("\"only\""));
    assert_eq!(both(r#"{"fractional":[["a",0],["b",-5],["c",3]]}"#, user), same("\"c\""));
    assert_eq!(both(r#"{"fractional":[["a",0],["b",0]]}"#, user), same("null"));
    assert_eq!(both(r#"{"fractional":[["a",2147483647],["b",1]]}"#, user), same("null"));
    assert_eq!(both(r#"{"fractional":[["a",1.5]]}"#, user), same("null"));
    assert_eq!(both(r#"{"fractional":[["a",2.0]]}"#, user), same("\"a\""));
    assert_eq!(both(r#"{"fractional":[["a","1"]]}"#, user), same("null"));
    assert_eq!(both(r#"{"fractional":[[]]}"#, user), same("null"));
    assert_eq!(both(r#"{"fractional":[]}"#, user), same("null"));
    assert_eq!(both(r#"{"fractional":["x","y"]}"#, user), same("null"));
    assert_eq!(both(r#"{"fractional":[[true,1]]}"#, user), same("true"));
    assert_eq!(both(r#"{"fractional":[[null,1]]}"#, user), same("null"));
    assert_eq!(both(r#"{"fractional":[["a",{"var":"n"}]]}"#, user), same("\"a\""));
    assert_eq!(both(r#"{"fractional":[["a",{"var":"email"}]]}"#, user), same("null"));
    assert_eq!(both(r#"{"fractional":[{"var":"pair"}]}"#, user), same("\"x\""));
    // A number is a bucketing value in v3 only.
    assert_eq!(given(&halves(r#"{"var":"n"}"#), user, Bucketing::V2), "null");
    assert_ne!(given(&halves(r#"{"var":"n"}"#), user, Bucketing::V3), "null");
    // A text that is put together hashes as one that was sent.
    let name = r#"{"targetingKey":"u","flaga@b.c":1,"name":"flaga@b.c-3","email":"a@b.c","n":3}"#;
    let many = |by: &str| {
        format!(r#"{{"fractional":[{by},["a"],["b"],["c"],["d"],["e"],["f"],["g"],["h"]]}}"#)
    };
    let joined = many(r#"{"cat":[{"var":"$flagd.flagKey"},{"var":"email"},"-",{"var":"n"}]}"#);
    assert_eq!(both(&joined, name), both(&many(r#"{"var":"name"}"#), name));
}

#[test]
fn buckets_are_those_of_other_engines() {
    const EIGHT: &str = r#"["a"],["b"],["c"],["d"],["e"],["f"],["g"],["h"]"#;
    let by_default = format!(r#"{{"fractional":[{EIGHT}]}}"#);
    let by_value = format!(r#"{{"fractional":[{{"var":"v"}},{EIGHT}]}}"#);
    let long = "x".repeat(40);
    // From Python's flagd core 2.0.0.
    for (user, expected) in [("user-1", "c"), ("user-2", "f"), ("jürgen", "d"), (&*long, "a")] {
        let context = format!(r#"{{"targetingKey":"{user}"}}"#);
        assert_eq!(given(&by_default, &context, Bucketing::V3), format!("{expected:?}"), "{user}");
    }
    for (value, expected) in [
        (r#""user-1""#, "c"),
        ("7", "d"),
        ("-5", "a"),
        ("7.0", "d"),
        ("2.5", "d"),
        ("0.1", "a"),
        ("1e300", "f"),
        ("65504.5", "f"),
        ("9007199254740993", "g"),
        ("18446744073709551615", "d"),
        ("true", "b"),
        (r#"{"b":1,"aa":[1.5,null],"a":"ü"}"#, "d"),
        (r#""🎈""#, "e"),
    ] {
        let context = format!(r#"{{"v":{value}}}"#);
        assert_eq!(given(&by_value, &context, Bucketing::V3), format!("{expected:?}"), "{value}");
    }
    // From JavaScript's flagd core 4.0.1.
    for (user, expected) in [("user-1", "f"), ("user-2", "a"), (&*long, "a")] {
        let context = format!(r#"{{"targetingKey":"{user}"}}"#);
        assert_eq!(given(&by_default, &context, Bucketing::V2), format!("{expected:?}"), "{user}");
    }
    for (value, expected) in [("user-1", "h"), ("abc", "f"), ("10", "e")] {
        let context = format!(r#"{{"v":"{value}"}}"#);
        assert_eq!(given(&by_value, &context, Bucketing::V2), format!("{expected:?}"), "{value}");
    }
}

#[test]
fn unknown_operators_are_refused_and_objects_are_values() {
    let error = Targeting::compile(r#"{"if":[false,{"nope":1}]}"#, "f", Bucketing::V3);
    assert_eq!(
        error.unwrap_err().to_string(),
        "rule:1:14: error: flag \"f\": the operator `nope` does not exist [unknown-operator]"
    );
    check(&[
        (r#"{"a":1,"b":{"var":"x"}}"#, "{}", r#"{"a":1,"b":{"var":"x"}}"#),
        ("{}", "{}", "{}"),
    ]);
}

#[test]
fn work_has_an_end() {
    let list: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
    let context = format!(r#"{{"l":[{}]}}"#, list.join(","));
    let context = Context::from_json(context.as_bytes()).unwrap();
    for rule in [
        r#"{"map":[{"var":"l"},{"map":[[1,2,3,4,5,6,7,8,9,10],{"reduce":[[1,2,3,4,5,6,7,8,9,10],{"+":[1,{"var":"accumulator"}]},0]}]}]}"#,
        r#"{"reduce":[{"var":"l"},{"cat":[{"var":"accumulator"},{"var":"accumulator"}]},"x"]}"#,
        r#"{"reduce":[{"var":"l"},[{"var":"accumulator"}],1]}"#,
        r#"{"reduce":[{"var":"l"},[{"var":"accumulator"},{"var":"accumulator"}],1]}"#,
        r#"{"reduce":[{"var":"l"},{"merge":[{"var":"accumulator"},{"var":"accumulator"}]},[1]]}"#,
    ] {
        let targeting = Targeting::compile(rule, "f", Bucketing::V3).unwrap();
        assert!(targeting.apply(&context, NOW).is_err(), "{rule}");
    }
}
