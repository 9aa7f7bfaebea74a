//! Any bytes as a document, in both formats: it loads or is refused, and all answers are JSON.

#![no_main]

use cutover_flags::ofrep::Compat;
use cutover_flags::{Context, Definitions, Format, Selector, Source, compile_to_flagd};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let context = Context::of_user("user").with("a", cutover_flags::Value::text("b"));
    for format in [Format::Json, Format::Yaml] {
        let source = Source { name: "fuzz".to_owned(), text: text.to_owned(), format, changes: None };
        let (definitions, problems) = Definitions::load(std::slice::from_ref(&source));
        let set = definitions.get(&Selector::All);
        let mut out = vec![];
        set.bulk(&context, 1_790_000_000, Compat::default(), "", &mut out);
        assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
        for key in set.keys() {
            let evaluated = set.evaluate(key, &context, 1_790_000_000).outcome.to_string();
            let explained = set.explain(key, &context, 1_790_000_000).expect("the flag exists");
            assert_eq!(evaluated, explained.outcome);
        }
        // What becomes plain stays plain, and loses no flag.
        if let Ok(plain) = compile_to_flagd(&source) {
            let again = Source { name: "plain".to_owned(), text: plain, format: Format::Json, changes: None };
            let (again, _) = Definitions::load(&[again]);
            assert_eq!(again.get(&Selector::All).keys().len(), set.keys().len());
        }
        let _ = problems;
    }
});
