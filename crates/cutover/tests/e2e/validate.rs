//! Everything that is wrong with a spec is told in one run.

use crate::harness::{World, write};

const WRONG: &str = "\
app: shop
instances: many
platfrom: local
listen: 127.0.0.1:8080
release: { command: [serve], env: { A: [] } }
patterns:
  canary: { steps: [5%, 250%], stiky: cookie }
";

#[test]
fn all_problems_are_told_at_once_each_with_its_place() {
    let world = World::new();
    world.write_spec(WRONG);
    let ran = world.run("validate").expect_code(3);
    assert_eq!(ran.stdout, "");
    let expected = "\
error: cutover.yaml is not valid: 5 problems
  cutover.yaml:2:12: expected a whole number
  cutover.yaml:3:1: unknown key `platfrom`
    help: did you mean `platform`?
  cutover.yaml:5:40: expected a text
  cutover.yaml:7:25: \"250%\" is not a share: write a percentage from 0% to 100% in steps of 0.1%
  cutover.yaml:7:32: unknown key `stiky`
    help: did you mean `sticky`?
unchanged: nothing was sent to the daemon
";
    assert_eq!(ran.stderr, expected);
    // The same for a command that needs the spec.
    assert_eq!(world.run("deploy v1").expect_code(3).stderr, expected);
    assert!(!world.state().exists(), "no daemon was started for it");
}

#[test]
fn as_json_every_problem_is_an_object() {
    let world = World::new();
    world.write_spec(WRONG);
    let json = world.run("validate --json").expect_code(3).json();
    let problems = json["error"]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 5);
    let typo = &problems[1];
    assert_eq!(
        (&typo["file"], &typo["place"]),
        (&"cutover.yaml".into(), &serde_json::json!([3, 1]))
    );
    assert_eq!(typo["message"], "unknown key `platfrom`");
    assert_eq!(typo["help"], "did you mean `platform`?");
}

#[test]
fn an_overlay_and_settings_are_looked_at_in_the_same_run() {
    let world = World::new();
    world.write_spec("app: shop\nrelease: { command: [serve] }\ninstances: none\n");
    let overlay = world.app().join("cutover.production.yaml");
    write(&overlay, "drain: { requests: 1s, stopp: 1s }\n");
    let line = "validate --env production --set patterns.rolling.batch=two --set pattern=bluegreen";
    let ran = world.run(line).expect_code(3);
    let ran = ran.complains("cutover.yaml:3:12: expected a whole number");
    let ran = ran.complains("cutover.production.yaml:1:24: unknown key `stopp`");
    let ran = ran.complains("  --set patterns.rolling.batch: expected a whole number\n");
    let ran = ran.complains("  --set pattern: unknown value `bluegreen`\n");
    ran.complains("did you mean `blue-green`?").complains("4 problems");
    // Without the overlay its mistakes are none.
    let ran = world.run("validate").expect_code(3);
    assert!(!ran.stderr.contains("stopp"), "{ran}");
}

#[test]
fn a_file_full_of_mistakes_is_cut_and_a_deep_one_refused() {
    let world = World::new();
    let keys: String = (0..2000).map(|n| format!("key{n}: 1\n")).collect();
    world.write_spec(&keys);
    let ran = world.run("validate").expect_code(3).complains("more than 50 problems");
    let ran = ran.complains("cutover.yaml: and 1952 more problems");
    assert!(ran.stderr.lines().count() < 110, "{ran}");
    world.write_spec(&"[".repeat(200_000));
    world.run("validate").expect_code(3).complains("nested more than 64 deep");
    world.write_spec("app: [\n");
    world.run("validate").expect_code(3).complains("cutover.yaml:1:6");
}

#[test]
fn an_overlay_changes_no_text_of_the_spec_below_it() {
    let world = World::new();
    let spec = "app: shop\nrelease: { command: [true, 1.10], env: { PORT_BASE: 8080, ON: yes } }\n";
    world.write_spec(spec);
    let json = world.run("validate --set instances=3 --json").expect_ok().json();
    let release = &json["spec"]["release"];
    assert_eq!(release["command"], serde_json::json!(["true", "1.10"]));
    assert_eq!(release["env"], serde_json::json!({"PORT_BASE": "8080", "ON": "yes"}));
}
