//! What commands say and how they end where no rollout is needed.

use crate::harness::World;

#[test]
fn every_problem_of_a_spec_is_said_with_its_place_and_a_suggestion() {
    let world = World::new();
    world.write_spec("app: shop\ninstancs: 3\nrelease:\n  command: [true]\n");
    let ran = world.run("validate").expect_code(3);
    let ran = ran.complains("cutover.yaml:2:1").complains("instances");
    assert_eq!(ran.stdout, "");
    let json = world.run("validate --json").expect_code(3).json();
    assert_eq!((&json["exit_code"], &json["outcome"]), (&3.into(), &"error".into()));
    assert_eq!(json["error"]["problems"][0]["place"][0], 2);
}

#[test]
fn a_spec_is_found_in_a_folder_above_and_named_as_it_is() {
    let world = World::new();
    world.spec().n(3).write();
    world.run("validate").expect_ok().says("cutover.yaml is valid: shop, 3 × rolling");
    let below = world.app().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    let output = world.command(&["validate"]).current_dir(&below).output().unwrap();
    crate::harness::Ran::of("validate", &output).expect_ok().says("/app/cutover.yaml is valid");
    world
        .run("validate --file nothing.yaml")
        .expect_code(2)
        .complains("there is no file nothing.yaml");
    assert!(!world.state().exists(), "validate needs no daemon");
}

#[test]
fn an_overlay_is_laid_over_for_its_environment_only() {
    let world = World::new();
    world.spec().n(2).write();
    crate::harness::write(&world.app().join("cutover.production.yaml"), "instances: 7\n");
    world.run("validate --env production").expect_ok().says("shop.production, 7 ×");
    world.run("validate").expect_ok().says("shop, 2 ×");
}

#[test]
fn names_that_do_not_exist_end_with_2_and_a_suggestion() {
    let world = World::new();
    world.run("deploy v1 --pattern cannary").expect_code(2).complains("did you mean canary?");
    world.run("deploy ../v1").expect_code(2).complains("version");
    world.run("deploy v1 --on-failure explode").expect_code(2).complains("rollback or hold");
    world.run("deploy v1").expect_code(2).complains("there is no cutover.yaml");
    world.run("abort").expect_code(2).complains("there is no app");
    world.run("promote --app shop").expect_code(2).complains("there is no app shop");
    world.run("nonsense").expect_code(2);
}

#[test]
fn commands_of_later_versions_say_so() {
    let world = World::new();
    world.run("proxy upgrade").expect_code(2).complains("not in this build");
}

#[test]
fn a_spec_for_another_platform_is_refused_as_not_in_this_build() {
    let world = World::new();
    world
        .write_spec("app: shop\nplatform: docker\nlisten: 127.0.0.1:1\nrelease: { image: shop }\n");
    world.run("deploy v1").expect_code(2).complains("platform docker is not in this build");
}

#[test]
fn completions_and_manual_pages_are_made_without_state() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        world.run(&format!("completions {shell}")).expect_ok().says("rollback");
    }
    world.run("man").expect_ok().says(".TH cutover");
    world.run("man --into pages").expect_ok();
    assert!(world.app().join("pages/cutover-deploy.1").is_file());
    assert!(!world.state().exists());
}

#[test]
fn text_that_is_piped_has_no_escape_codes() {
    let world = World::new();
    let ran = world.run("promote --app shop").expect_code(2);
    assert!(!ran.stderr.contains('\x1b'), "{ran}");
}

#[test]
fn as_root_a_spec_that_everybody_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root refuses such a spec; run the tests as root to switch it on");
        return;
    }
    let world = World::new();
    world.spec().write();
    let spec = world.app().join("cutover.yaml");
    std::fs::set_permissions(&spec, std::fs::Permissions::from_mode(0o666)).unwrap();
    world.run("validate").expect_code(4).complains("can be written by everybody");
    std::fs::set_permissions(&spec, std::fs::Permissions::from_mode(0o664)).unwrap();
    world.run("validate").expect_ok();
}
