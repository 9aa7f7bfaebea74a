//! What the files of a project say about the app: one file here for each kind of project.

mod cargo;
mod compose;
mod compose_values;
mod go;
mod package_json;
mod procfile;
mod project;
mod python;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use cutover_core::units::{Count, Span};

pub(super) use project::Project;

use crate::failure::Failure;

/// What was found in a file; everything that it does not say is left open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The file.
    pub(super) from: String,
    /// What it calls the app.
    pub(super) name: Option<String>,
    pub(super) command: Vec<String>,
    pub(super) directory: String,
    pub(super) env: BTreeMap<String, String>,
    pub(super) pass: Vec<String>,
    /// Nobody sends it requests.
    pub(super) worker: bool,
    pub(super) listen: Option<SocketAddr>,
    pub(super) health: Option<Probe>,
    pub(super) instances: Option<Count>,
    /// From the stop signal to the end by force.
    pub(super) stop: Option<Span>,
    /// What a person should look at.
    pub(super) notes: Vec<String>,
    /// The same about the command; without a meaning once somebody gives another one.
    pub(super) doubts: Vec<String>,
    /// Shell commands that put version v1 where the spec looks for it.
    pub(super) build: Vec<String>,
}

/// How to tell that an instance is ready.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) path: String,
    pub(super) interval: Option<Span>,
    pub(super) timeout: Option<Span>,
    pub(super) unhealthy_after: Option<u32>,
}

impl Found {
    /// A program of which nothing is known.
    pub(super) fn command_unknown(&mut self, doubt: &str) {
        self.command =
            ["./releases/{version}/serve", "--port", "{port}"].map(str::to_owned).to_vec();
        self.directory = ".".to_owned();
        self.build = vec![];
        self.doubts.push(doubt.to_owned());
    }
}

impl Probe {
    pub(super) fn at(path: impl Into<String>) -> Probe {
        Probe { path: path.into(), ..Probe::default() }
    }
}

/// The folder with the files of one version.
pub(super) const VERSIONED: &str = "releases/{version}";

/// A kind of project: by which file it is known, and who reads it.
struct Kind {
    files: &'static [&'static str],
    read: fn(&Project, &str) -> Result<Option<Found>, Failure>,
}

/// In the order in which they are tried: what names a command for a plain process comes first.
const KINDS: [Kind; 6] = [
    Kind { files: &["Procfile"], read: procfile::read },
    Kind { files: &["package.json"], read: package_json::read },
    Kind { files: &["Cargo.toml"], read: cargo::read },
    Kind { files: &["manage.py", "pyproject.toml", "requirements.txt"], read: python::read },
    Kind { files: &["go.mod"], read: go::read },
    Kind {
        files: &["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"],
        read: compose::read,
    },
];

/// What was found in a folder, and what else could have been read.
#[derive(Debug, Default)]
pub(super) struct Detected {
    pub(super) found: Option<Found>,
    /// Files of a known kind that were not used.
    pub(super) others: Vec<String>,
    /// Why a file that looked right was not.
    pub(super) refused: Vec<String>,
}

/// Looks at the files of a folder. A file that cannot be read is passed over, and named.
pub(super) fn folder(folder: &Path) -> Detected {
    let project = Project::new(folder);
    let mut detected = Detected::default();
    for kind in &KINDS {
        let Some(file) = kind.files.iter().find(|file| project.has(file)) else { continue };
        if detected.found.is_some() {
            detected.others.push((*file).to_owned());
            continue;
        }
        match (kind.read)(&project, file) {
            Ok(found) => detected.found = found,
            Err(failure) => detected.refused.push(failure.text(false)),
        }
    }
    detected
}

/// What a project's source says, for a file that says nothing about a command.
fn source_of(project: &Project) -> Option<Found> {
    let sources = KINDS.iter().filter(|kind| !kind.files.contains(&"compose.yaml"));
    sources.into_iter().find_map(|kind| {
        let file = kind.files.iter().find(|file| project.has(file))?;
        (kind.read)(project, file).ok().flatten()
    })
}

/// Reads one file.
///
/// # Errors
/// Where it is of no known kind, cannot be read, or says nothing about a command.
pub(super) fn file(path: &Path) -> Result<Found, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let project = Project::new(path.parent().unwrap_or(Path::new(".")));
    if !project.has(&name) {
        return Err(Failure::usage(format!("there is no file {}", path.display())));
    }
    let found = match kind_of(&name) {
        Some(kind) => (kind.read)(&project, &name)?,
        None => {
            let known: Vec<&str> = KINDS.iter().flat_map(|kind| kind.files).copied().collect();
            return Err(Failure::usage(format!(
                "{} is no file that init can read",
                path.display()
            ))
            .help(format!("it reads {}", known.join(", "))));
        }
    };
    found.ok_or_else(|| {
        Failure::usage(format!("{} says nothing about a program to run", path.display()))
            .help("name it: cutover init --command 'PROGRAM ARGUMENTS'")
    })
}

/// By the name of the file, or by what it ends in.
fn kind_of(name: &str) -> Option<&'static Kind> {
    let like = |file: &&str| {
        let stem = file.split('.').next().unwrap_or(file);
        let yaml = name.ends_with(".yaml") || name.ends_with(".yml");
        match *file {
            "Procfile" => name.starts_with("Procfile") || name.ends_with(".procfile"),
            "requirements.txt" => name.starts_with(stem) && name.ends_with(".txt"),
            "compose.yaml" => yaml,
            file => file == name,
        }
    };
    KINDS.iter().find(|kind| kind.files.iter().any(like))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_name() {
        let known = |name: &str| kind_of(name).map(|kind| kind.files[0]);
        assert_eq!(known("Procfile.dev"), Some("Procfile"));
        assert_eq!(known("docker-compose.prod.yml"), Some("compose.yaml"));
        assert_eq!(known("requirements-prod.txt"), Some("manage.py"));
        assert_eq!(known("Cargo.lock"), None);
    }
}
