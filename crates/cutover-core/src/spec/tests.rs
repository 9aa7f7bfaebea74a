//! Specs good and bad, as people write them.

use super::{Problem, Source, Spec, parse};
use crate::patterns::Pattern;
use crate::units::{Share, Span};

const WHOLE: &str = include_str!("../../../../examples/cutover.yaml");

fn source(text: &str) -> Source {
    Source { name: "cutover.yaml".to_owned(), text: text.to_owned() }
}
fn problems(text: &str) -> Vec<Problem> {
    parse(&source(text), &[]).unwrap_err()
}
fn told(text: &str) -> String {
    let told = |p: Problem| match &p.help {
        Some(help) => format!("{p} ({help})"),
        None => p.to_string(),
    };
    problems(text).into_iter().map(told).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_uses_every_key_and_is_good() {
    let spec = parse(&source(WHOLE), &[]).unwrap();
    assert_eq!(spec.app.as_str(), "shop");
    assert_eq!(spec.patterns.canary.bake, Span::secs(120));
    let again: Spec = serde_json::from_value(serde_json::to_value(&spec).unwrap()).unwrap();
    assert_eq!(again, spec, "a spec survives the journal");
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_what_was_meant() {
    let text = "app: shop\nrelease:\n  command: [serve]\n  enviroment: { A: b }\n";
    insta::assert_snapshot!(told(text), @r#"
    cutover.yaml:4:3: unknown key `enviroment` (did you mean `env`?)
    "#);
}

#[test]
fn a_wrong_type_is_told_with_its_place() {
    let text = "app: shop\ninstances: many\nrelease: { command: [serve] }\n";
    insta::assert_snapshot!(told(text), @r#"
    cutover.yaml:2:12: expected a whole number
    "#);
}

#[test]
fn an_unknown_pattern_is_told_with_what_was_meant() {
    let text = "app: shop\nlisten: 127.0.0.1:80\npattern: canery\nrelease: { command: [serve] }\n";
    insta::assert_snapshot!(told(text), @r#"
    cutover.yaml:3:10: unknown value `canery` (did you mean `canary`?)
    "#);
}

#[test]
fn shares_outside_0_to_100_are_told_with_their_place() {
    let text = "app: shop\nrelease: { command: [serve] }\npatterns:\n  canary: { steps: [150%] }\n";
    insta::assert_snapshot!(told(text), @r#"
    cutover.yaml:4:21: "150%" is not a share: write a percentage from 0% to 100% in steps of 0.1%
    "#);
}

#[test]
fn everything_that_makes_no_sense_is_told_at_once() {
    let text = "app: shop\ninstances: 0\npattern: canary\nrelease: { command: [] }\n\
                patterns: { canary: { steps: [50%, 5%] } }\n";
    insta::assert_snapshot!(told(text), @r#"
    cutover.yaml:2:12: `instances` must be from 1 to 1000 (to stop an app use `cutover down`)
    cutover.yaml:3:10: an app without `listen` has no traffic to share (use `pattern: rolling` or `big-bang`, or say where users reach it: `listen: 127.0.0.1:8080`)
    cutover.yaml:4:21: `release` has no command (add `command: ["./serve", "--port", "{port}"]`)
    cutover.yaml:5:30: `canary.steps` must grow, from above 0% to at most 100% (write them like `[5%, 25%, 50%]`)
    "#);
}

#[test]
fn reserved_keys_are_told_as_such() {
    let text = "app: shop\ntls: {}\nrelease: { command: [serve] }\n";
    insta::assert_snapshot!(told(text), @r#"
    cutover.yaml:2:1: `tls` is reserved for a later version (remove it: this build has nothing behind it)
    "#);
}

#[test]
fn an_overlay_replaces_what_it_names_and_keeps_the_rest() {
    let base = source(WHOLE);
    let overlay = source("instances: 8\nrelease: { env: { MODE: loud, MORE: x } }\n");
    let spec = parse(&base, &[overlay]).unwrap();
    assert_eq!(spec.instances, 8);
    assert_eq!(spec.release.env.get("MODE").map(String::as_str), Some("loud"));
    assert_eq!(spec.pattern, Pattern::Rolling);
    let bad = source("instancez: 8\n");
    let problems = parse(&base, &[bad]).unwrap_err();
    assert_eq!(problems[0].place, Some((1, 1)));
}

#[test]
fn bad_input_never_panics() {
    for text in
        ["", "[]", "app", "{", "a: &a [*a, *a]", "app: shop\napp: shop\n", "\u{0}", "- - - -"]
    {
        assert!(!problems(text).is_empty(), "{text:?}");
    }
    assert!(problems(&format!("app: {}", "x".repeat(300_000)))[0].message.contains("larger"));
}

#[test]
fn defaults_are_what_the_docs_say() {
    let spec = parse(&source("app: shop\nrelease: { command: [serve] }\n"), &[]).unwrap();
    assert_eq!((spec.instances, spec.pattern), (1, Pattern::Rolling));
    assert_eq!(spec.drain.requests, Span::secs(30));
    assert_eq!(spec.judge, None);
    assert_eq!(super::Judge::default().guard.errors, Share::from_permille(10));
}

#[test]
fn metrics_have_the_defaults_that_the_docs_say() {
    let text = "app: shop\nrelease: { command: [serve] }\njudge:\n  metrics:\n    \
                - { name: smoke, command: [./check.sh], max: 0.5 }\n";
    let spec = parse(&source(text), &[]).unwrap();
    let metric = &spec.judge.unwrap().metrics[0];
    assert_eq!((metric.interval, metric.deadline), (Span::secs(15), Span::secs(10)));
    assert_eq!((metric.min, metric.max), (None, Some(0.5)));
    assert_eq!((metric.failures, metric.required, metric.is_counted()), (3, true, false));
}

#[test]
fn a_judge_without_metrics_is_stored_as_before() {
    let judge = serde_json::to_value(super::Judge::default()).unwrap();
    assert_eq!(judge.get("metrics"), None);
}
