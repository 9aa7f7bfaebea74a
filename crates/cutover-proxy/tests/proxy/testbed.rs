//! flagd's test bed over HTTP: its suites for providers, with a client of OFREP that is played here,
//! against a real proxy. It carries no licence and so is no part of this repository:
//! `CUTOVER_FLAGS_TESTBED` names a checkout of its folder; without it the test says so and ends.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use cutover_core::served_flags::{FlagPublication, FlagSource};
use serde_json::{Map, Value, json};

use crate::gherkin::{self, Scenario, Step};
use crate::served_flags::{post, publication};
use crate::support::{Proxy, free};

/// Scenarios by file, with their examples put in; those that flagd calls deprecated are left out.
const SUITES: [(&str, usize); 4] =
    [("evaluation", 23), ("disabled", 7), ("selector", 5), ("metadata", 4)];

#[test]
fn the_suites_for_providers_pass_over_http() {
    let Some(folder) = std::env::var_os("CUTOVER_FLAGS_TESTBED") else {
        eprintln!("skipped: CUTOVER_FLAGS_TESTBED does not name flagd's test bed");
        return;
    };
    let folder = Path::new(&folder);
    let proxy = Proxy::start();
    let listen = free();
    let publication =
        FlagPublication { sources: sources(&folder.join("flags")), ..publication(1, listen, "") };
    let state = proxy.serve_flags(&publication);
    // Broken on purpose.
    let broken = ["ref-to-nonexistent-evaluator-flag", "error-targeting-flag"];
    for problem in state.problems.iter().filter(|problem| problem.error) {
        assert!(broken.iter().any(|flag| problem.text.contains(flag)), "{}", problem.text);
    }
    for (suite, count) in SUITES {
        let text =
            std::fs::read_to_string(folder.join(format!("gherkin/{suite}.feature"))).unwrap();
        let wanted = |scenario: &Scenario| !scenario.tags.iter().any(|tag| tag == "@deprecated");
        let scenarios: Vec<_> = gherkin::read(&text).into_iter().filter(wanted).collect();
        for scenario in &scenarios {
            eprintln!("{suite}: {} {:?}", scenario.name, scenario.steps);
            let mut client = Client::new(listen);
            scenario.steps.iter().for_each(|step| client.step(step));
            assert!(client.checked, "the scenario checks nothing");
        }
        assert_eq!(scenarios.len(), count, "{suite}");
    }
}

/// The documents as flagd's own test server names them: all that are not for selectors in one.
fn sources(folder: &Path) -> Vec<FlagSource> {
    let mut files = BTreeMap::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        files.insert(file.file_name().into_string().unwrap(), document);
    }
    let mut all = json!({"flags": {}, "$evaluators": {}, "metadata": {}});
    let mut sources = vec![];
    let mut add = |name: String, mut document: Value| {
        document["metadata"]["cutover.bucketing"] = json!("v2");
        sources.push(FlagSource { name, text: document.to_string(), changes: None });
    };
    for (name, document) in files {
        if name.starts_with("selector-") {
            add(format!("rawflags/{name}"), document);
            continue;
        }
        for part in ["flags", "$evaluators"] {
            for (key, value) in document[part].as_object().into_iter().flatten() {
                all[part][key] = value.clone();
            }
        }
    }
    add("flags/allFlags.json".to_owned(), all);
    sources
}

/// What a client of OFREP knows in one scenario.
struct Client {
    listen: SocketAddr,
    selector: Option<String>,
    context: Map<String, Value>,
    /// Type, key and default of the flag.
    flag: (String, String, String),
    value: Value,
    reason: String,
    error: String,
    metadata: Value,
    checked: bool,
}

impl Client {
    fn new(listen: SocketAddr) -> Client {
        Client {
            listen,
            selector: None,
            context: Map::new(),
            flag: Default::default(),
            value: Value::Null,
            reason: String::new(),
            error: String::new(),
            metadata: Value::Null,
            checked: false,
        }
    }

    /// Asks, and reads the answer as the protocol has it.
    fn evaluate(&mut self) {
        let (kind, key, fallback) = &self.flag;
        let selector = self.selector.iter().map(|it| format!("flagd-selector: source={it}\r\n"));
        let headers: String = selector.collect();
        let body = json!({"context": self.context}).to_string();
        let path = format!("/ofrep/v1/evaluate/flags/{key}");
        let answer = post(self.listen, &path, &headers, &body);
        let mut said: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(said["key"], json!(key));
        let fallback = value_of(kind, fallback);
        let own = said.get_mut("value").map(Value::take);
        let failed = (answer.status != 200).then(|| said["errorCode"].as_str().unwrap().to_owned());
        let (value, error) = match (own, failed) {
            (_, Some(code)) => (fallback, code),
            (Some(value), None) if !is_of(kind, &value) => (fallback, "TYPE_MISMATCH".to_owned()),
            (Some(value), None) => (value, String::new()),
            (None, None) => (fallback, String::new()),
        };
        let reason = said["reason"].as_str().unwrap();
        self.reason = if error.is_empty() { reason } else { "ERROR" }.to_owned();
        (self.value, self.error, self.metadata) = (value, error, said["metadata"].take());
    }

    fn step(&mut self, step: &Step) {
        let quoted: Vec<&str> = step.quoted.iter().map(String::as_str).collect();
        self.checked |= step.words.contains("should be") || step.words.contains("metadata");
        match (step.words.as_str(), &quoted[..]) {
            ("a stable flagd provider" | "a metadata flagd provider", []) => {}
            ("an option … of type … with value …", ["cache", ..]) => {}
            ("an option … of type … with value …", ["selector", _, source]) => {
                self.selector = Some((*source).to_owned());
            }
            (words, [key, fallback]) if words.contains("-flag with key … and a ") => {
                let kind = words.trim_start_matches("a ").split("-flag").next().unwrap();
                self.flag = (kind.to_owned(), (*key).to_owned(), (*fallback).to_owned());
            }
            ("a context containing a key …, with type … and with value …", [key, kind, value]) =>
            {
                self.context.insert((*key).to_owned(), value_of(kind, value));
            }
            ("the flag was evaluated with details", []) => self.evaluate(),
            ("the resolved details value should be …", [value]) => {
                assert_eq!(self.value, value_of(&self.flag.0, value));
            }
            ("the reason should be …", [reason]) => assert_eq!(self.reason, *reason),
            ("the error-code should be …", [code]) => assert_eq!(self.error, *code),
            ("the resolved metadata should contain", []) => {
                assert!(step.table.len() > 1);
                for row in &step.table[1..] {
                    let [key, kind, value] = &row[..] else { panic!("{row:?}") };
                    assert_eq!(self.metadata[key], value_of(kind, value), "{key}");
                }
            }
            ("the resolved metadata is empty", []) => assert_eq!(self.metadata, json!({})),
            (words, quoted) => panic!("no such step: {words} {quoted:?}"),
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "Boolean" => value.is_boolean(),
        "String" => value.is_string(),
        "Integer" | "Float" => value.is_number(),
        _ => value.is_object(),
    }
}

fn value_of(kind: &str, text: &str) -> Value {
    match kind {
        "String" => json!(text),
        _ if text.is_empty() => json!(""),
        _ => serde_json::from_str(text).unwrap_or_else(|error| panic!("{kind} {text:?}: {error}")),
    }
}
