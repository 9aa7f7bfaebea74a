//! `Cargo.toml`: the program that a package builds.

use toml::{Table, Value};

use super::project::health_path;
use super::{Found, Probe, Project};
use crate::failure::Failure;

/// Crates that serve HTTP.
const SERVERS: [&str; 12] = [
    "actix-web",
    "axum",
    "gotham",
    "hyper",
    "ntex",
    "poem",
    "rocket",
    "rouille",
    "salvo",
    "tide",
    "tiny_http",
    "warp",
];

pub(super) fn read(project: &Project, file: &str) -> Result<Option<Found>, Failure> {
    let manifest = parse(project, file)?;
    let Some((folder, manifest)) = package(project, manifest) else { return Ok(None) };
    let Some(binaries) = binaries(project, &folder, &manifest) else { return Ok(None) };
    let Some(binary) = binaries.first() else { return Ok(None) };
    let mut found = Found {
        from: file.to_owned(),
        name: Some(binary.clone()),
        command: vec![format!("./releases/{{version}}/{binary}")],
        directory: ".".to_owned(),
        build: vec![
            format!("cargo build --release --bin {binary}"),
            format!("install -D target/release/{binary} releases/v1/{binary}"),
        ],
        ..Found::default()
    };
    if binaries.len() > 1 {
        let others = binaries[1..].join(", ");
        found.notes.push(format!("{file} builds {others}, too; this is the spec of {binary}"));
    }
    if !serves(&manifest) {
        found.notes.push(
            "no crate that serves HTTP is among the dependencies: without users, remove `listen`"
                .to_owned(),
        );
    }
    if let Some(source) = source(project, &folder, &binary_source(&manifest, binary)) {
        found.health = health_path(&source).map(Probe::at);
        if !source.contains("PORT") {
            found.doubts.push(format!("{binary} does not seem to read the variable PORT: it must listen on the port that is there"
            ));
        }
    }
    Ok(Some(found))
}

fn parse(project: &Project, file: &str) -> Result<Table, Failure> {
    project.text(file)?.parse().map_err(|error: toml::de::Error| project.unreadable(file, &error))
}

/// The package of this manifest, or the first member of its workspace that is a program.
fn package(project: &Project, manifest: Table) -> Option<(String, Table)> {
    if manifest.contains_key("package") {
        return Some((String::new(), manifest));
    }
    let members = manifest.get("workspace")?.get("members")?.as_array()?;
    let folders = members.iter().filter_map(Value::as_str).flat_map(|member| {
        match member.strip_suffix("/*") {
            Some(parent) => {
                project.folders(parent).into_iter().map(|name| format!("{parent}/{name}")).collect()
            }
            None => vec![member.to_owned()],
        }
    });
    folders.map(|folder| format!("{folder}/")).find_map(|folder| {
        let manifest = parse(project, &format!("{folder}Cargo.toml")).ok()?;
        binaries(project, &folder, &manifest)?.first()?;
        Some((folder, manifest))
    })
}

/// What a package builds, the one that `cargo run` takes first.
fn binaries(project: &Project, folder: &str, manifest: &Table) -> Option<Vec<String>> {
    let package = manifest.get("package")?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let listed = manifest.get("bin").and_then(Value::as_array).into_iter().flatten();
    let mut names: Vec<String> = listed.filter_map(|bin| text(bin.get("name"))).collect();
    let own = text(package.get("name"))?;
    let main = project.has(&format!("{folder}src/main.rs"));
    if main && names.is_empty() {
        names.push(own);
    }
    let default = text(package.get("default-run"));
    names.sort_by_key(|name| default.as_ref() != Some(name));
    Some(names)
}

fn serves(manifest: &Table) -> bool {
    let dependencies = manifest.get("dependencies").and_then(Value::as_table);
    dependencies.is_some_and(|table| table.keys().any(|name| SERVERS.contains(&name.as_str())))
}

fn binary_source(manifest: &Table, binary: &str) -> String {
    let listed = manifest.get("bin").and_then(Value::as_array).into_iter().flatten();
    let named = |bin: &&Value| bin.get("name").and_then(Value::as_str) == Some(binary);
    let path =
        listed.into_iter().find(named).and_then(|bin| bin.get("path")).and_then(Value::as_str);
    path.unwrap_or("src/main.rs").to_owned()
}

fn source(project: &Project, folder: &str, path: &str) -> Option<String> {
    project.text_if_any(&format!("{folder}{path}"))
}
