//! Any bytes as a request, for rules of every kind.

#![no_main]

use std::sync::LazyLock;

use cutover_flags::ofrep::Compat;
use cutover_flags::{Context, Definitions, Selector, Source};
use libfuzzer_sys::fuzz_target;

static DEFINITIONS: LazyLock<Definitions> = LazyLock::new(|| {
    let rules = [
        r#"{"fractional":[{"var":"a"},["x",1],["y",{"var":"b"}]]}"#,
        r#"{"if":[{"sem_ver":[{"var":"a"},{"var":"b"},{"var":"c"}]},"x","y"]}"#,
        r#"{"cat":[{"var":"a"},{"substr":[{"var":"b"},{"var":"c"},{"var":"d"}]}]}"#,
        r#"{"reduce":[{"var":"a"},{"merge":[{"var":"current"},{"var":"accumulator"}]},[]]}"#,
        r#"{"in":[{"var":{"var":"a"}},{"var":"b"}]}"#,
        r#"{"==":[{"var":"a"},{"var":"b"}]}"#,
        r#"{"missing":{"var":"a"}}"#,
        r#"{"max":{"var":""}}"#,
    ];
    let flags: Vec<String> = rules
        .iter()
        .enumerate()
        .map(|(at, rule)| {
            format!(
                r#""f{at}":{{"state":"ENABLED","variants":{{"x":1,"y":2,"true":3}},"targeting":{rule}}}"#
            )
        })
        .collect();
    let text = format!(r#"{{"flags":{{{}}}}}"#, flags.join(","));
    let (definitions, problems) = Definitions::load(&[Source::new("fuzz.json", &text)]);
    assert!(problems.iter().all(|problem| !problem.is_error()), "{problems:?}");
    definitions
});

fuzz_target!(|bytes: &[u8]| {
    let contexts = [Context::from_request(bytes), Context::from_json(bytes)];
    for context in contexts.into_iter().flatten() {
        let set = DEFINITIONS.get(&Selector::All);
        let mut out = vec![];
        set.bulk(&context, 1_790_000_000, Compat::default(), "", &mut out);
        assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
        let tag = set.etag(&context, Compat::default(), "");
        assert_eq!(tag.is_none(), set.reads_clock());
    }
});
