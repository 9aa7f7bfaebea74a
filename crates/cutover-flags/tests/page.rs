//! The documents on the page about flags are read without an error.

use cutover_flags::{Definitions, Format, Rule, Source, compile_to_flagd};

#[test]
fn the_documents_of_the_page_load() {
    let page = include_str!("../../../docs/flags.md");
    let mut count = 0;
    for (fence, format) in [("```json\n", Format::Json), ("```yaml\n", Format::Yaml)] {
        for block in page.split(fence).skip(1) {
            let text = block.split("```").next().unwrap().to_owned();
            // What clients send is none.
            if !text.contains("flags") {
                continue;
            }
            let source = Source { name: "flags.md".to_owned(), text, format, changes: None };
            let (_, problems) = Definitions::load(std::slice::from_ref(&source));
            assert!(problems.is_empty(), "{problems:?}");
            assert!(compile_to_flagd(&source).is_ok());
            count += 1;
        }
    }
    assert_eq!(count, 3);
}

#[test]
fn the_page_names_every_rule_of_the_linter() {
    let page = include_str!("../../../docs/flags.md");
    for rule in [
        Rule::Unreadable,
        Rule::Malformed,
        Rule::DuplicateKey,
        Rule::UnknownKey,
        Rule::UnknownReference,
        Rule::Cycle,
        Rule::UnknownOperator,
        Rule::UnsafeNumber,
        Rule::TooLarge,
        Rule::Conflict,
        Rule::UnreachableVariant,
        Rule::UnknownVariant,
        Rule::ZeroWeights,
        Rule::DefaultNeverUsed,
        Rule::Unused,
        Rule::ConstantCondition,
        Rule::AlwaysNull,
        Rule::MixedTypes,
        Rule::BucketingNotStored,
    ] {
        assert!(page.contains(&format!("`{}`", rule.name())), "{}", rule.name());
    }
}
