//! `go.mod`: the program of a Go module.

use super::project::health_path;
use super::{Found, Probe, Project};
use crate::failure::Failure;

pub(super) fn read(project: &Project, file: &str) -> Result<Option<Found>, Failure> {
    let text = project.text(file)?;
    let Some(module) = text.lines().find_map(|line| line.trim().strip_prefix("module ")) else {
        return Ok(None);
    };
    let name = name(module);
    let commands = project.folders("cmd");
    let main = |folder: &str| format!("{folder}main.go");
    let places: Vec<(String, String)> = std::iter::once((".".to_owned(), main("")))
        .chain(commands.iter().map(|c| (format!("./cmd/{c}"), main(&format!("cmd/{c}/")))))
        .collect();
    let Some((package, source)) = places.into_iter().find(|(_, source)| project.has(source)) else {
        return Ok(None);
    };
    let name = package.strip_prefix("./cmd/").map_or(name, str::to_owned);
    let source = project.text(&source)?;
    let mut found = Found {
        from: file.to_owned(),
        command: vec![format!("./releases/{{version}}/{name}")],
        directory: ".".to_owned(),
        health: health_path(&source).map(Probe::at),
        build: vec![format!("go build -o releases/v1/{name} {package}")],
        ..Found::default()
    };
    if !source.contains("PORT") {
        found.doubts.push(format!("{name} does not seem to read the variable PORT: it must listen on the port that is there"
        ));
    }
    found.name = Some(name);
    Ok(Some(found))
}

/// The last part of a module's path that is no version.
fn name(module: &str) -> String {
    let version = |part: &&str| {
        part.strip_prefix('v')
            .is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()))
    };
    let module = module.split_whitespace().next().unwrap_or_default().trim_matches('"');
    module.rsplit('/').find(|part| !version(part)).unwrap_or("app").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_called_by_its_last_part() {
        assert_eq!(name("example.com/shop/v2 // comment"), "shop");
        assert_eq!(name("shop"), "shop");
    }
}
