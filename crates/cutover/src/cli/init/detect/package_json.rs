//! `package.json`: what `npm start` runs.

use serde_json::Value;

use super::project::{health_path, in_release};
use super::{Found, Probe, Project, VERSIONED};
use crate::cli::init::{port, shell};
use crate::failure::Failure;

/// Programs that are there before a package is installed.
const RUNTIMES: [&str; 8] = ["node", "npm", "npx", "yarn", "pnpm", "bun", "deno", "sh"];

/// Frameworks whose server takes `--port`.
const PORTED: [&str; 5] = ["next", "nuxt", "vite", "astro", "http-server"];

pub(super) fn read(project: &Project, file: &str) -> Result<Option<Found>, Failure> {
    let package: Value = serde_json::from_str(&project.text(file)?)
        .map_err(|error| project.unreadable(file, &error))?;
    let Some(start) = start(project, &package) else { return Ok(None) };
    let manager = manager(project);
    let mut found = Found {
        from: file.to_owned(),
        name: package["name"].as_str().map(str::to_owned),
        directory: VERSIONED.to_owned(),
        build: vec![project.copy(), format!("(cd releases/v1 && {})", manager.install)],
        ..Found::default()
    };
    let mut line = shell::line(start.strip_prefix("cross-env ").unwrap_or(&start));
    if line.shell {
        line.words = vec![manager.program.to_owned(), "start".to_owned()];
        line.env.clear();
        found
            .doubts
            .push(format!("`{start}` takes a shell, so it is run by {} start", manager.program));
    }
    found.env = line.env;
    found.env.entry("NODE_ENV".to_owned()).or_insert_with(|| "production".to_owned());
    found.command = line.words;
    complete(&mut found, project);
    Ok(Some(found))
}

/// The line that starts the server, if this package is one.
fn start(project: &Project, package: &Value) -> Option<String> {
    let script = package["scripts"]["start"].as_str().filter(|script| !script.trim().is_empty());
    let node = |file: &str| project.has(file).then(|| format!("node {file}"));
    script.map(str::to_owned).or_else(|| node("server.js")).or_else(|| {
        let main = package["main"].as_str()?;
        node(main)
    })
}

/// Makes the command listen on `{port}`, start from its version's folder, and looks whether it
/// will.
fn complete(found: &mut Found, project: &Project) {
    let program = found.command.first().cloned().unwrap_or_default();
    let short = found.command.iter().position(|word| word == "-p");
    if let Some(next) = short.and_then(|at| found.command.get_mut(at + 1))
        && next.chars().all(|c| c.is_ascii_digit())
    {
        *next = "{port}".to_owned();
    }
    port::fill(&mut found.command, None);
    let told = found.command.iter().any(|word| word.contains("{port}"));
    if PORTED.contains(&program.as_str()) && !told {
        found.command.extend(["--port", "{port}"].map(str::to_owned));
    }
    if program == "node" {
        let script = found.command.iter().skip(1).find(|word| !word.starts_with('-'));
        let source = script.and_then(|script| Some((script, source(project, script)?)));
        if let Some((script, source)) = source {
            found.health = health_path(&source).map(Probe::at);
            let reads = source.contains("env.PORT") || source.contains("env[\"PORT\"]");
            if !reads && !told {
                found.doubts.push(format!(
                    "{script} does not seem to read the variable PORT: make it listen on process.env.PORT"
                ));
            }
        }
    }
    if let Some(first) = found.command.first_mut() {
        *first = match RUNTIMES.contains(&program.as_str()) || program.contains('/') {
            true => in_release(first),
            false => in_release(&format!("node_modules/.bin/{first}")),
        };
    }
}

/// The text of a script; `node server` means `server.js`.
fn source(project: &Project, script: &str) -> Option<String> {
    project.text_if_any(script).or_else(|| project.text_if_any(&format!("{script}.js")))
}

struct Manager {
    program: &'static str,
    install: &'static str,
}

fn manager(project: &Project) -> Manager {
    if project.has("pnpm-lock.yaml") {
        Manager { program: "pnpm", install: "pnpm install --frozen-lockfile --prod" }
    } else if project.has("yarn.lock") {
        Manager { program: "yarn", install: "yarn install --frozen-lockfile --production" }
    } else if project.has("package-lock.json") {
        Manager { program: "npm", install: "npm ci --omit=dev" }
    } else {
        Manager { program: "npm", install: "npm install --omit=dev" }
    }
}
