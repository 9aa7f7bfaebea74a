//! A first spec: from a folder of each kind to a plan, and to an app that runs.

use std::fs;
use std::path::Path;

use crate::harness::{PROGRAM, World, get_tcp, write};

/// Copies the files of one fixture into the world's folder.
fn take(world: &World, fixture: &Path) {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let to = to.join(path.file_name().unwrap());
            if path.is_dir() {
                copy(&path, &to);
            } else {
                fs::copy(&path, &to).unwrap();
            }
        }
    }
    copy(fixture, &world.app());
}

fn spec(world: &World) -> String {
    fs::read_to_string(world.app().join("cutover.yaml")).unwrap()
}

#[test]
fn each_kind_of_project_gets_from_init_to_a_plan() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/init");
    for fixture in fs::read_dir(fixtures).unwrap() {
        let fixture = fixture.unwrap().path();
        let world = World::new();
        take(&world, &fixture);
        world
            .run("init --no-input")
            .expect_ok()
            .says("wrote cutover.yaml: ")
            .says("cutover plan v1");
        world.run("validate").expect_ok().says("cutover.yaml is valid: ");
        // What the caller has to give is named in `pass`.
        let plan = ["plan", "v1", "--json"];
        let output = world.command(&plan).env("API_KEY", "k").env("TOKEN", "t").output().unwrap();
        let json = crate::harness::Ran::of("plan", &output).expect_ok().json();
        assert_eq!(json["plan"]["pattern"], "rolling", "{}", fixture.display());
        world.run("down --all").expect_ok();
    }
}

#[test]
fn what_init_says_next_leads_to_an_app_that_answers() {
    let world = World::new();
    let line = format!("web: {PROGRAM} demo-app --port $PORT --version here\n");
    write(&world.app().join("Procfile"), &line);
    let listen = format!("init --listen {} --app shop --health /health", world.address());
    let json = world.run(&format!("{listen} --json")).expect_ok().json();
    assert_eq!((&json["app"], &json["from"]), (&"shop".into(), &"Procfile".into()));
    for line in json["next"].as_array().unwrap() {
        let line = line.as_str().unwrap().replacen("cutover", PROGRAM, 1);
        let mut command = world.command(&[]);
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", &line]).current_dir(world.app()).env_clear();
        shell.envs(
            command
                .stdin(std::process::Stdio::null())
                .get_envs()
                .filter_map(|(k, v)| Some((k, v?))),
        );
        let output = shell.output().unwrap();
        crate::harness::Ran::of(&line, &output).expect_ok();
    }
    assert_eq!(get_tcp(&world.address(), "/").unwrap().status, 200);
    assert!(world.app().join("releases/v1/Procfile").is_file());
}

#[test]
fn a_file_that_is_there_is_not_touched_unless_asked() {
    let world = World::new();
    world.write_spec("mine");
    let ran = world.run("init").expect_code(4).complains("cutover.yaml exists");
    let ran = ran.complains("unchanged: cutover.yaml is as before").complains("init --force");
    assert_eq!((ran.stdout.as_str(), spec(&world).as_str()), ("", "mine"));
    world.run("init --force").expect_ok();
    world.run("validate").expect_ok();
    let entries = fs::read_dir(world.app()).unwrap().count();
    assert_eq!(entries, 1, "nothing else is left in the folder");
}

#[test]
fn flags_say_it_all_for_scripts() {
    let world = World::new();
    let command = "serve --name \"my 'shop': #1\" {port}";
    let arguments = [
        "init",
        "--app",
        "shop",
        "--command",
        command,
        "--listen",
        "none",
        "--instances",
        "5",
        "--pattern",
        "big-bang",
        "--file",
        "other.yaml",
    ];
    let output = world.command(&arguments).output().unwrap();
    crate::harness::Ran::of("init", &output)
        .expect_ok()
        .says("wrote other.yaml: shop, 5 × big-bang");
    let json = world.run("validate --file other.yaml --json").expect_ok().json();
    let words: Vec<&str> = json["spec"]["release"]["command"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|w| w.as_str())
        .collect();
    assert_eq!(words, ["serve", "--name", "my 'shop': #1", "{port}"]);
    assert_eq!(json["spec"]["listen"], serde_json::Value::Null);
    assert_eq!(json["spec"]["release"]["directory"], "releases/{version}");
}

#[test]
fn what_would_not_be_valid_is_not_written() {
    let world = World::new();
    let ran = world.run("init --listen none --pattern canary").expect_code(3);
    ran.complains("without `listen`").complains("unchanged: nothing was written");
    world.run("init --app Shop!").expect_code(3).complains("app name");
    world.run("init --listen nowhere").expect_code(2).complains("127.0.0.1:8080");
    world.run("init --health up").expect_code(2).complains("/health");
    world.run("init --instances 0").expect_code(2);
    world.run("init --from nothing").expect_code(2).complains("there is no file nothing");
    assert_eq!(fs::read_dir(world.app()).unwrap().count(), 0);
}

#[test]
fn somebody_at_a_terminal_is_asked_with_what_was_found() {
    let world = World::new();
    write(&world.app().join("Procfile"), "web: serve $PORT\n");
    // Name, command, address, health, instances, pattern.
    let typed = ["Shop", "shop", "", "nowhere", "9090", "/up", "3", "canary"];
    let ran = world.on_terminal("init", &typed).expect_ok();
    let ran =
        ran.says("Found Procfile").says("app name \"Shop\" is not valid").says("[serve {port}]");
    ran.says("wrote cutover.yaml: shop, 3 × canary, from Procfile");
    let json = world.run("validate --json").expect_ok().json();
    assert_eq!(json["spec"]["listen"], "127.0.0.1:9090");
    assert_eq!(json["spec"]["health"]["path"], "/up");
}

#[test]
fn the_guide_can_be_asked_on_the_way() {
    let world = World::new();
    // Everything as found; then the guide: side by side, aim, spare, traffic.
    let typed = ["", "", "", "", "", "guide", "", "instant-return", "double", ""];
    let ran = world.on_terminal("init", &typed).expect_ok();
    let ran = ran.says("How much room is there").says("take      blue-green");
    assert!(!ran.stdout.contains("How does the app get its work?"), "known already: {ran}");
    world.run("validate").expect_ok().says("2 × blue-green");
    assert!(spec(&world).contains("keep: 1h"), "the answers make the settings");
}

#[test]
fn somebody_who_leaves_has_no_file() {
    let world = World::new();
    let ran = world.on_terminal("init", &["shop"]).expect_code(130);
    ran.says("nothing was written");
    assert_eq!(fs::read_dir(world.app()).unwrap().count(), 0);
}
