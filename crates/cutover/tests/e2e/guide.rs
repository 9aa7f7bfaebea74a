//! The guide asks what matters, recommends what works, and its page is what it says.

use serde_json::Value;

use crate::harness::World;

#[test]
fn somebody_at_a_terminal_is_asked_only_what_can_change_the_outcome() {
    let world = World::new();
    // Side by side, users, aim, spare, traffic.
    let ran = world.on_terminal("guide", &["", "http", "3", "what?", "double", "1"]).expect_ok();
    let ran = ran.says("type a number from 1 to 3").says("take      canary");
    assert!(!ran.stdout.contains("Does the app ask for a feature flag?"), "{ran}");
    assert!(!ran.stdout.contains("assumed"), "everything was asked: {ran}");
    let ran = world.on_terminal("guide --side-by-side no --users none", &[]).expect_ok();
    assert!(ran.stdout.starts_with("\ntake      big-bang: "), "nothing is left to ask: {ran}");
    assert!(!world.state().exists(), "the guide needs no daemon");
}

#[test]
fn somebody_who_leaves_gets_no_recommendation() {
    let world = World::new();
    let ran = world.on_terminal("guide", &["1"]).expect_code(130);
    ran.says("the questions ended without an answer").says("--no-input takes the defaults");
}

#[test]
fn without_a_terminal_what_is_missing_is_assumed_and_said() {
    let world = World::new();
    let ran = world.run("guide --aim few-users --spare double").expect_ok();
    let ran = ran.says("take      canary").says("assumed   --side-by-side yes");
    let ran = ran.says("--traffic enough").says("cutover plan VERSION --pattern canary --diagram");
    assert!(!ran.stdout.contains("--aim"), "what was given is not assumed: {ran}");
    assert_eq!(ran.stderr, "");
    let on_terminal = world.on_terminal("guide --no-input", &[]).expect_ok();
    assert!(on_terminal.stdout.starts_with("take      rolling: "), "{on_terminal}");
    world.run("guide --aim few").expect_code(2).complains("few-users");
}

#[test]
fn every_pattern_it_recommends_is_one_that_validate_accepts() {
    let world = World::new();
    for (flags, pattern) in [
        ("--side-by-side no", "big-bang"),
        ("--users none --spare none", "rolling"),
        ("--aim instant-return --spare double", "blue-green"),
        ("--aim few-users --spare double", "canary"),
        ("--aim rehearse", "shadow"),
        ("--aim compare", "ab-testing"),
        ("--aim switch --flag yes", "feature-flag"),
    ] {
        let json = world.run(&format!("guide {flags} --json")).expect_ok().json();
        let found = &json["recommendation"];
        assert_eq!(found["pattern"], pattern, "{flags}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let listen = if flags.contains("none") { "" } else { "listen: 127.0.0.1:8080\n" };
        let yaml = text(&found["yaml"]);
        world.write_spec(&format!("app: shop\n{listen}release: {{ command: [serve] }}\n{yaml}"));
        world.run("validate").expect_ok().says(&format!("1 × {pattern}"));
        assert_eq!(json["next"], format!("cutover plan VERSION --pattern {pattern} --diagram"));
        let assumed = json["assumed"].as_object().unwrap();
        let given = |question: &String| flags.contains(&format!("--{question} "));
        assert!(!assumed.keys().any(given), "{json}");
        assert_eq!(json["answers"].as_object().unwrap().len(), 7);
    }
}

#[test]
fn the_page_in_docs_is_what_the_program_prints() {
    let world = World::new();
    let page = include_str!("../../../../docs/decision-guide.md");
    let ran = world.run("guide --markdown").expect_ok();
    assert!(ran.stdout == page, "cutover guide --markdown > docs/decision-guide.md");
    world.run("guide --markdown --aim switch").expect_code(2);
}
