//! Real folders, one for each kind of project.

use std::path::{Path, PathBuf};

use cutover_core::spec::{Source, Spec, parse};
use proptest::prelude::*;

use super::detect::{self, Found};
use super::draft::Draft;
use super::yaml;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/init")
}

fn parsed(text: &str) -> Spec {
    let source = Source { name: "cutover.yaml".into(), text: text.to_owned() };
    parse(&source, &[]).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

#[test]
fn what_each_kind_of_project_leads_to() {
    let mut names: Vec<_> =
        std::fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        let folder = fixtures().join(&name);
        let draft = Draft::of(detect::folder(&folder).found, &folder);
        let text = yaml::text(&draft);
        let spec = parsed(&text);
        assert_eq!(spec.release.command, draft.command);
        let name = name.to_string_lossy().into_owned();
        insta::assert_snapshot!(name, format!("{text}\n--- build\n{}", draft.build.join("\n")));
    }
}

#[test]
fn a_file_can_be_named() {
    let named = |file: &str| detect::file(&fixtures().join(file));
    assert_eq!(named("compose/compose.yaml").unwrap().name.as_deref(), Some("web"));
    assert_eq!(named("express/package.json").unwrap().from, "package.json");
    assert!(named("nothing/Procfile").unwrap_err().message.contains("there is no file"));
    let refused = named("express/server.js").unwrap_err();
    assert!(refused.help[0].contains("Cargo.toml"), "{refused:?}");
}

#[test]
fn a_service_without_a_command_takes_the_one_of_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        cutover_files::write_atomic(&folder.path().join(name), text.as_bytes()).unwrap();
    };
    write(
        "compose.yaml",
        "services: { web: { build: ., ports: [\"9000:3000\"], environment: { A: 1 } } }\n",
    );
    write("package.json", "{ \"scripts\": { \"start\": \"node app.js\" } }");
    let found = detect::file(&folder.path().join("compose.yaml")).unwrap();
    assert_eq!(found.command, ["node", "app.js"]);
    assert_eq!(found.listen.unwrap().to_string(), "127.0.0.1:9000");
    assert_eq!(found.env["A"], "1");
    assert!(found.doubts[0].contains("from package.json"), "{:?}", found.doubts);
    // Left to itself, init takes the source, and names the other file.
    let detected = detect::folder(folder.path());
    assert_eq!(detected.found.unwrap().from, "package.json");
    assert_eq!(detected.others, ["compose.yaml"]);
}

#[test]
fn a_file_that_cannot_be_read_is_passed_over_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        cutover_files::write_atomic(&folder.path().join(name), text.as_bytes()).unwrap();
    };
    write("package.json", "{ not json");
    write("Procfile", "nothing here\n");
    write("go.mod", "module x/shop\n");
    write("main.go", "package main");
    let detected = detect::folder(folder.path());
    assert_eq!(detected.found.unwrap().name.as_deref(), Some("shop"));
    assert_eq!(detected.refused.len(), 1);
    assert!(detected.refused[0].contains("package.json"), "{:?}", detected.refused);
}

proptest! {
    #[test]
    fn any_words_come_back_from_the_file(
        command in prop::collection::vec(any::<String>(), 1..6),
        env in prop::collection::btree_map("[A-Z][A-Z0-9_]{0,8}", any::<String>(), 0..4),
        path in "/\\PC{0,12}",
    ) {
        let found = Found {
            command: command.clone(),
            env: env.clone(),
            directory: ".".into(),
            health: Some(detect::Probe::at(path.clone())),
            notes: command.clone(),
            ..Found::default()
        };
        let spec = parsed(&yaml::text(&Draft::of(Some(found), Path::new("/x/shop"))));
        prop_assert_eq!(spec.release.command, command);
        prop_assert_eq!(spec.release.env, env);
        prop_assert_eq!(spec.health.unwrap().path, path);
    }
}
