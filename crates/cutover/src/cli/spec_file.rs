//! Finds and reads `cutover.yaml`.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cutover_core::id::{Environment, Subject};
use cutover_core::spec::{self, Problem, Source, Spec};

use super::common::Common;
use crate::failure::{Failure, exit};

/// The name of a spec.
pub(super) const NAME: &str = "cutover.yaml";

/// What the names of settings begin with, as if they were files.
const SET: &str = "--set";

/// `--set KEY.PATH=VALUE`: an overlay of one value.
#[derive(Debug, Clone)]
pub(super) struct Setting(Source);

impl FromStr for Setting {
    type Err = String;
    fn from_str(text: &str) -> Result<Setting, String> {
        let (path, value) = text.split_once('=').ok_or("write KEY.PATH=VALUE")?;
        let good = |key: &str| {
            !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        };
        if !path.split('.').all(good) || value.contains('\n') {
            return Err("write KEY.PATH=VALUE, the keys as in the spec".to_owned());
        }
        let keys = path.split('.').enumerate();
        let lines: Vec<String> =
            keys.map(|(depth, key)| format!("{}{key}:", "  ".repeat(depth))).collect();
        let text = format!("{} {value}\n", lines.join("\n"));
        Ok(Setting(Source { name: format!("{SET} {path}"), text }))
    }
}

/// A spec as read, and where.
#[derive(Debug)]
pub(super) struct SpecFile {
    pub(super) spec: Spec,
    /// The folder that relative paths of the spec start from.
    pub(super) base: PathBuf,
    pub(super) subject: Subject,
    /// As shown to people.
    pub(super) name: String,
}

impl SpecFile {
    /// The spec of `--file`, or of this folder or one above; `None` if there is none.
    pub(super) fn find(common: &Common, set: &[Setting]) -> Result<Option<SpecFile>, Failure> {
        let path = match &common.file {
            Some(path) => Some(path.clone()),
            None => above()?,
        };
        path.map(|path| SpecFile::read(&path, common, set)).transpose()
    }

    /// As [`SpecFile::find`], and it has to be there.
    pub(super) fn require(common: &Common, set: &[Setting]) -> Result<SpecFile, Failure> {
        let found = SpecFile::find(common, set)?.ok_or_else(|| {
            Failure::usage(format!("there is no {NAME} in this folder or above"))
                .help("go to the app's folder, or name the spec: --file FILE")
        })?;
        match &common.app {
            Some(app) if *app != found.spec.app.as_str() && *app != found.subject.to_string() => {
                Err(Failure::usage(format!(
                    "{} is the spec of {}, not of {app}",
                    found.name, found.subject
                ))
                .help("name the spec of the app: --file FILE"))
            }
            Some(_) | None => Ok(found),
        }
    }

    fn read(path: &Path, common: &Common, set: &[Setting]) -> Result<SpecFile, Failure> {
        let source = source(path)?
            .ok_or_else(|| Failure::usage(format!("there is no file {}", path.display())))?;
        let env = common.env.clone().unwrap_or_default();
        let overlay = match env == Environment::default() {
            true => None,
            false => source_of_overlay(path, &env)?,
        };
        let set = set.iter().map(|setting| setting.0.clone());
        let overlays: Vec<Source> = overlay.into_iter().chain(set).collect();
        let spec = spec::parse(&source, &overlays).map_err(invalid)?;
        let whole = std::path::absolute(path)?;
        let base = whole.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf);
        let subject = Subject { app: spec.app.clone(), env };
        Ok(SpecFile { spec, base, subject, name: source.name })
    }
}

/// What is wrong with a spec. A setting of the command line has no lines that could be named.
fn invalid(mut problems: Vec<Problem>) -> Failure {
    for problem in problems.iter_mut().filter(|problem| problem.file.starts_with(SET)) {
        problem.place = None;
    }
    Failure::spec(problems)
}

/// `cutover.production.yaml` beside `cutover.yaml`, if there is one.
fn source_of_overlay(path: &Path, env: &Environment) -> Result<Option<Source>, Failure> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    source(&path.with_file_name(format!("{stem}.{env}.{extension}")))
}

fn above() -> Result<Option<PathBuf>, Failure> {
    let here = std::env::current_dir()
        .map_err(|error| Failure::internal("cannot find the current folder", &error))?;
    let found = here.ancestors().map(|folder| folder.join(NAME)).find(|path| path.is_file());
    // The name as people would type it, where it is right here.
    Ok(found.map(|path| match path.parent() == Some(&here) {
        true => PathBuf::from(NAME),
        false => path,
    }))
}

fn source(path: &Path) -> Result<Option<Source>, Failure> {
    let name = path.display().to_string();
    refuse_unsafe(path)?;
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(Source { name, text })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(exit::SPEC, format!("cannot read {name}")).because(&error)),
    }
}

/// As root, a spec that others may write would be their way to run anything.
fn refuse_unsafe(path: &Path) -> Result<(), Failure> {
    let root = rustix::process::geteuid().is_root();
    let open = fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o002 != 0);
    if !root || !open {
        return Ok(());
    }
    let message = format!("{} can be written by everybody and is not used as root", path.display());
    Err(Failure::new(exit::PREFLIGHT, message).help(format!("chmod o-w {}", path.display())))
}
