//! `cutover init`

mod detect;
mod draft;
mod port;
mod questions;
mod quote;
mod shell;
#[cfg(test)]
mod tests;
mod yaml;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cutover_core::patterns::Pattern;
use cutover_core::spec::{self, Source, Spec};
use cutover_core::units::Count;
use cutover_files::write_atomic_mode;
use serde_json::json;

use self::detect::Found;
use self::draft::Draft;
use super::Session;
use super::ask::Ask;
use super::spec_file::NAME;
use crate::failure::{Done, Failure, exit};

/// Write a first cutover.yaml, with a comment on each key.
///
/// Looks at the files that are here: Procfile, package.json, Cargo.toml, manage.py, pyproject.toml,
/// requirements.txt, go.mod, compose.yaml. Asks on a terminal, with what was found as defaults.
///
/// Example: cutover init --command 'node server.js' --listen 127.0.0.1:8080 --health /health
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Read this file, instead of looking for one.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// What starts one instance; {version} and {port} are filled in.
    #[arg(long, value_name = "COMMAND", value_parser = words)]
    command: Option<Words>,
    /// Where users reach the app, or "none" for a worker.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<Listen>,
    /// The path that answers 2xx when an instance is well, or "none".
    #[arg(long, value_name = "PATH")]
    health: Option<HealthPath>,
    /// How many instances serve.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    instances: Option<Count>,
    /// How a new version takes over.
    #[arg(short, long, value_parser = super::pattern::parse, value_name = "PATTERN")]
    pattern: Option<Pattern>,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
}

/// The words of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Words(Vec<String>);

fn words(text: &str) -> Result<Words, String> {
    match shlex::split(text) {
        Some(words) if !words.is_empty() => Ok(Words(words)),
        Some(_) => Err("name a program".to_owned()),
        None => Err("a quote is not closed".to_owned()),
    }
}

/// Where users reach the app, if they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listen(Option<SocketAddr>);

impl FromStr for Listen {
    type Err = String;
    fn from_str(text: &str) -> Result<Listen, String> {
        if text == "none" {
            return Ok(Listen(None));
        }
        let port = text.strip_prefix(':').unwrap_or(text).parse().ok();
        let local = port.map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let address = local.or_else(|| text.parse().ok()).filter(|address| address.port() != 0);
        let wrong = "write an address like 127.0.0.1:8080, a port, or none";
        address.map(|address| Listen(Some(address))).ok_or_else(|| wrong.to_owned())
    }
}

/// The path of a health check, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HealthPath(Option<String>);

impl FromStr for HealthPath {
    type Err = String;
    fn from_str(text: &str) -> Result<HealthPath, String> {
        match text {
            "none" => Ok(HealthPath(None)),
            path if path.starts_with('/') => Ok(HealthPath(Some(path.to_owned()))),
            _ => Err("write a path like /health, or none".to_owned()),
        }
    }
}

impl Args {
    pub(super) fn run(self, session: &Session) -> Done {
        let path = session.common.file.clone().unwrap_or_else(|| PathBuf::from(NAME));
        self.refuse_existing(&path)?;
        let whole = std::path::absolute(&path)?;
        let folder = whole.parent().unwrap_or(Path::new("/"));
        let found = self.found(session, folder).map_err(unwritten)?;
        let mut draft = Draft::of(found, folder);
        self.overrule(&mut draft, session.common.app.as_deref());
        if let Some(ask) = Ask::on_terminal(&session.common) {
            questions::ask(&mut draft, &self, session.common.app.as_deref(), ask)
                .map_err(unwritten)?;
        }
        let text = yaml::text(&draft);
        let source = Source { name: path.display().to_string(), text };
        let spec =
            spec::parse(&source, &[]).map_err(|problems| unwritten(Failure::spec(problems)))?;
        // Somebody may have taken their time to answer.
        self.refuse_existing(&path)?;
        write_atomic_mode(&whole, source.text.as_bytes(), 0o644)
            .map_err(|error| Failure::from(error).unchanged("nothing was written"))?;
        report(session, &path, &draft, &spec)
    }

    fn refuse_existing(&self, path: &Path) -> Result<(), Failure> {
        if self.force || fs::symlink_metadata(path).is_err() {
            return Ok(());
        }
        let name = path.display();
        Err(Failure::new(exit::PREFLIGHT, format!("{name} exists, and is not overwritten"))
            .unchanged(format!("{name} is as before"))
            .help("to write it anew: cutover init --force")
            .help("to check it: cutover validate"))
    }

    /// What the files say, and a word about each that is not used.
    fn found(&self, session: &Session, folder: &Path) -> Result<Option<Found>, Failure> {
        if let Some(file) = &self.from {
            return detect::file(file).map(Some);
        }
        let detected = detect::folder(folder);
        for why in &detected.refused {
            session.note(&format!("not used: {}", why.trim_start_matches("error: ")));
        }
        for other in &detected.others {
            session.note(&format!("not used: {other}; to read it: cutover init --from {other}"));
        }
        Ok(detected.found)
    }

    /// What the command line says counts.
    fn overrule(&self, draft: &mut Draft, app: Option<&str>) {
        if let Some(app) = app {
            draft.app = app.to_owned();
        }
        if let Some(Words(command)) = &self.command {
            draft.run(command.clone());
        }
        if let Some(Listen(listen)) = self.listen {
            draft.reach(listen);
        }
        if let Some(HealthPath(path)) = &self.health {
            draft.probe(path.clone());
        }
        if let Some(instances) = self.instances {
            draft.instances = instances;
        }
        draft.consult();
        if let Some(pattern) = self.pattern {
            draft.pattern = pattern;
        }
    }
}

fn unwritten(failure: Failure) -> Failure {
    failure.unchanged("nothing was written")
}

fn report(session: &Session, path: &Path, draft: &Draft, spec: &Spec) -> Done {
    let name = path.display().to_string();
    let next = next(draft, path);
    if session.common.json {
        session.print_json(&json!({
            "file": name, "app": spec.app, "from": draft.from, "notes": draft.notes(), "next": next,
        }))?;
        return Ok(exit::OK);
    }
    let from = draft.from.as_ref().map_or_else(String::new, |from| format!(", from {from}"));
    let Spec { app, instances, pattern, .. } = spec;
    session.print(&format!("wrote {name}: {app}, {instances} × {pattern}{from}"))?;
    if !draft.notes().is_empty() {
        session.print("read the notes at its top first")?;
    }
    let next: Vec<String> = next.iter().map(|line| format!("  {line}")).collect();
    session.print(&format!("\nnext:\n{}", next.join("\n")))?;
    Ok(exit::OK)
}

/// The commands up to the first release.
fn next(draft: &Draft, path: &Path) -> Vec<String> {
    let mut lines = draft.build.clone();
    let program = draft.command.iter().find(|word| word.contains("{version}"));
    if let Some(program) = program.filter(|_| lines.is_empty()) {
        lines.push(format!("# put version v1 at {}", program.replace("{version}", "v1")));
    }
    let file = match path == Path::new(NAME) {
        true => String::new(),
        false => format!(" --file {}", path.display()),
    };
    lines.extend(["validate", "plan v1", "deploy v1"].map(|line| format!("cutover {line}{file}")));
    lines
}
