//! flagd's test bed, run in process. It carries no licence and so is no part of this repository:
//! `CUTOVER_FLAGS_TESTBED` names a checkout of its folder; without it the tests say so and end.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test says what it did and panics"
)]

mod gherkin;

use std::collections::BTreeMap;
use std::path::PathBuf;

use cutover_flags::{Context, Definitions, Outcome, Selector, Source, Value, ValueType};
use gherkin::{Scenario, Step};
use serde_json::json;

fn testbed() -> Option<PathBuf> {
    let folder = std::env::var_os("CUTOVER_FLAGS_TESTBED").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: CUTOVER_FLAGS_TESTBED does not name flagd's test bed");
    }
    folder
}

/// The document, with bucketing set.
fn with_bucketing(mut document: serde_json::Value, bucketing: &str) -> Definitions {
    if document["metadata"].is_null() {
        document["metadata"] = json!({});
    }
    document["metadata"]["cutover.bucketing"] = json!(bucketing);
    let source = Source::new("testbed.json", &document.to_string());
    let (definitions, problems) = Definitions::load(&[source]);
    // Broken on purpose.
    let broken = ["ref-to-nonexistent-evaluator-flag", "error-targeting-flag"];
    let unexpected = |problem: &&cutover_flags::Problem| {
        problem.is_error() && !problem.flag.as_deref().is_some_and(|flag| broken.contains(&flag))
    };
    let unexpected: Vec<_> = problems.iter().filter(unexpected).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    definitions
}

fn read_json(path: PathBuf) -> serde_json::Value {
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// What a client of the flag sees.
#[derive(Default, Debug)]
struct Seen {
    value: serde_json::Value,
    reason: String,
    error: String,
    metadata: serde_json::Value,
}

/// Definitions by source; those of all sources together have no name.
type Sources = BTreeMap<String, Definitions>;

/// A client in one scenario.
struct World<'a> {
    sources: &'a Sources,
    source: String,
    context: Context,
    flag: (String, String, String),
    seen: Seen,
}

impl World<'_> {
    fn evaluate(&mut self) {
        let (kind, key, fallback) = &self.flag;
        let named = self.sources.get(&self.source);
        let definitions = named.unwrap_or_else(|| &self.sources[""]);
        let flags = definitions.get(&Selector::All);
        let evaluation = flags.evaluate(key, &self.context, 1_790_000_000);
        let fallback = value_of(kind, fallback);
        let wanted = match kind.as_str() {
            "Boolean" => ValueType::Boolean,
            "String" => ValueType::String,
            "Integer" | "Float" => ValueType::Number,
            _ => ValueType::Object,
        };
        let (value, reason, error) = match &evaluation.outcome {
            Outcome::Variant(_, variant) if variant.value_type() != wanted => {
                (fallback, "ERROR", "TYPE_MISMATCH")
            }
            Outcome::Variant(reason, variant) => {
                (serde_json::from_str(variant.json()).unwrap(), reason.as_str(), "")
            }
            Outcome::CodeDefault(reason) => (fallback, reason.as_str(), ""),
            Outcome::Failed(code, _) => (fallback, "ERROR", code.as_str()),
        };
        self.seen = Seen {
            value,
            reason: reason.to_owned(),
            error: error.to_owned(),
            metadata: serde_json::from_str(evaluation.metadata).unwrap(),
        };
    }

    fn step(&mut self, step: &Step) {
        let quoted: Vec<&str> = step.quoted.iter().map(String::as_str).collect();
        match (step.words.as_str(), &quoted[..]) {
            ("an evaluator" | "a stable flagd provider" | "a metadata flagd provider", []) => {}
            ("an option … of type … with value …", ["cache", ..]) => {}
            ("an option … of type … with value …", ["selector", _, source]) => {
                self.source = (*source).to_owned();
            }
            (words, [key, fallback]) if words.contains("-flag with key … and a ") => {
                let kind = words.trim_start_matches("a ").split("-flag").next().unwrap();
                self.flag = (kind.to_owned(), (*key).to_owned(), (*fallback).to_owned());
            }
            ("a context containing a key …, with type … and with value …", [key, kind, value]) =>
            {
                let value: Value = serde_json::from_value(value_of(kind, value)).unwrap();
                self.context = self.context.with(key, value);
            }
            ("a context containing a targeting key with value …", [key]) => {
                self.context = self.context.with("targetingKey", Value::text(key));
            }
            (
                "a context containing a nested property with outer key … and inner key …, with value …",
                [outer, inner, value],
            ) => {
                let nested = serde_json::from_value(json!({*inner: value})).unwrap();
                self.context = self.context.with(outer, nested);
            }
            ("the flag was evaluated with details", []) => self.evaluate(),
            ("the resolved details value should be …", [value]) => {
                assert_eq!(self.seen.value, value_of(&self.flag.0, value));
            }
            ("the reason should be …", [reason]) => assert_eq!(self.seen.reason, *reason),
            ("the error-code should be …", [code]) => assert_eq!(self.seen.error, *code),
            ("the resolved metadata should contain", []) => {
                assert!(step.table.len() > 1);
                for row in &step.table[1..] {
                    let [key, kind, value] = &row[..] else { panic!("{row:?}") };
                    assert_eq!(self.seen.metadata[key], value_of(kind, value), "{key}");
                }
            }
            ("the resolved metadata is empty", []) => assert_eq!(self.seen.metadata, json!({})),
            (words, quoted) => panic!("no such step: {words} {quoted:?}"),
        }
    }
}

fn value_of(kind: &str, text: &str) -> serde_json::Value {
    match kind {
        "String" => json!(text),
        _ if text.is_empty() => json!(""),
        _ => serde_json::from_str(text).unwrap_or_else(|error| panic!("{kind} {text:?}: {error}")),
    }
}

/// Runs the scenarios of a folder; how many there were.
fn run(folder: PathBuf, sources: &Sources, wanted: impl Fn(&Scenario) -> bool) -> usize {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut count = 0;
    for file in files {
        let scenarios = gherkin::read(&std::fs::read_to_string(&file).unwrap());
        for scenario in scenarios.iter().filter(|scenario| wanted(scenario)) {
            println!("{}: {} {:?}", file.display(), scenario.name, scenario.steps);
            let mut world = World {
                sources,
                source: String::new(),
                context: Context::empty(),
                flag: Default::default(),
                seen: Seen::default(),
            };
            scenario.steps.iter().for_each(|step| world.step(step));
            count += 1;
        }
    }
    count
}

fn evaluator(bucketing: &str, left_out: &[&str]) -> Option<usize> {
    let folder = testbed()?.join("evaluator");
    let document = read_json(folder.join("flags/testkit-flags.json"));
    let sources = Sources::from([(String::new(), with_bucketing(document, bucketing))]);
    Some(run(folder.join("gherkin"), &sources, |scenario| {
        !scenario.tags.iter().any(|tag| left_out.contains(&tag.as_str()))
    }))
}

#[test]
fn the_evaluator_suite_passes_with_v2() {
    if let Some(count) = evaluator("v2", &["@fractional-v1"]) {
        assert_eq!(count, 125);
    }
}

#[test]
fn the_evaluator_suite_passes_with_v3() {
    if let Some(count) = evaluator("v3", &["@fractional-v1", "@fractional-v2"]) {
        assert_eq!(count, 104);
    }
}

/// The suite for providers, whose clients are played by the test.
#[test]
fn the_provider_suite_passes() {
    let Some(folder) = testbed() else { return };
    let mut merged = json!({"flags": {}, "$evaluators": {}});
    let mut files: Vec<_> =
        std::fs::read_dir(folder.join("flags")).unwrap().map(|entry| entry.unwrap()).collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    let mut sources = Sources::new();
    for file in files {
        let name = file.file_name().into_string().unwrap();
        let document = read_json(file.path());
        if name.starts_with("selector-") {
            sources.insert(format!("rawflags/{name}"), with_bucketing(document, "v2"));
            continue;
        }
        for part in ["flags", "$evaluators"] {
            for (key, value) in document[part].as_object().into_iter().flatten() {
                merged[part][key] = value.clone();
            }
        }
    }
    sources.insert(String::new(), with_bucketing(merged, "v2"));
    let count = run(folder.join("gherkin"), &sources, |scenario| {
        !scenario.tags.iter().any(|tag| tag == "@deprecated")
    });
    assert_eq!(count, 39);
}
