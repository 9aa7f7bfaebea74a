//! Tables of settings in pages hold every setting of their pattern, with the default that it has.

use cutover_core::patterns::Pattern;
use cutover_core::spec::schema;
use cutover_core::units::Span;
use serde_json::Value;

use crate::tree;

/// Where a pattern's page is.
fn page(pattern: Pattern) -> String {
    let name = match pattern {
        Pattern::FeatureFlag => "feature-toggle",
        other => other.as_str(),
    };
    format!("patterns/{name}.md")
}

/// The rows of the table `| setting | meaning | default |`: keys and defaults.
fn rows(page: &str) -> Vec<(String, String)> {
    let table = page.lines().skip_while(|line| *line != "| setting | meaning | default |").skip(2);
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [key, _, default] = cells.as_slice() else { panic!("three cells: {line}") };
        (key.trim_matches('`').to_owned(), default.to_string())
    };
    table.take_while(|line| line.starts_with('|')).map(row).collect()
}

/// What the schema says of a key like `judge.guard.errors`.
fn property<'a>(schema: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(schema, |here, key| {
        let found = &resolved(schema, here)["properties"][key];
        assert!(found.is_object(), "there is no setting {path}");
        found
    })
}

/// The definition that a property refers to, also where it is optional.
fn resolved<'a>(schema: &'a Value, here: &'a Value) -> &'a Value {
    let target = match &here["anyOf"] {
        Value::Array(any) => &any[0],
        _ => here,
    };
    match target["$ref"].as_str().and_then(|name| name.strip_prefix('#')) {
        Some(pointer) => schema.pointer(pointer).unwrap(),
        None => target,
    }
}

/// A default as pages write it.
fn words(default: &Value) -> String {
    match default {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Spans can be written in several ways.
fn same(one: &str, other: &str) -> bool {
    let span = |text: &str| text.parse::<Span>().ok().map(|span| span.0);
    one == other || span(one).is_some_and(|one| Some(one) == span(other))
}

#[test]
fn tables_hold_every_setting_with_its_default() {
    let schema = schema();
    for pattern in Pattern::ALL {
        let name = page(pattern);
        let rows = rows(&tree::read(&name));
        for (key, default) in &rows {
            let path = match key.contains('.') {
                true => key.clone(),
                false => format!("patterns.{pattern}.{key}"),
            };
            let real = words(&property(&schema, &path)["default"]);
            assert!(same(default, &real), "{name}: {key}: {default} in the page, {real} in truth");
        }
        let settings = property(&schema, &format!("patterns.{pattern}"));
        let known = resolved(&schema, settings)["properties"].as_object().unwrap();
        for key in known.keys() {
            assert!(rows.iter().any(|(row, _)| row == key), "{name} lacks the setting {key}");
        }
    }
}
