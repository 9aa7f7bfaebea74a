//! `Procfile`: one line for each kind of process.

use super::project::{health_path, in_release};
use super::{Found, Probe, Project, VERSIONED};
use crate::cli::init::{port, shell};
use crate::failure::Failure;

pub(super) fn read(project: &Project, file: &str) -> Result<Option<Found>, Failure> {
    let text = project.text(file)?;
    let processes: Vec<(&str, &str)> = text.lines().filter_map(process).collect();
    let web = processes.iter().find(|(name, _)| *name == "web");
    let runs = |(name, _): &&(&str, &str)| *name != "release";
    let Some((name, line)) = web.or_else(|| processes.iter().find(runs)) else {
        return Ok(None);
    };
    let worker = *name != "web";
    let mut line = shell::line(line);
    let mut found = Found {
        from: file.to_owned(),
        directory: VERSIONED.to_owned(),
        worker,
        build: vec![project.copy()],
        ..Found::default()
    };
    if line.shell {
        found.doubts.push(format!("the line `{name}` of {file} takes a shell, so it is given one"));
    } else {
        port::fill(&mut line.words, None);
    }
    if let Some(program) = line.words.first_mut() {
        *program = in_release(program);
    }
    let others: Vec<&str> =
        processes.iter().map(|(other, _)| *other).filter(|other| other != name).collect();
    found.notes.extend(
        others.contains(&"release").then(|| {
            format!("{file} has a line `release`: run it yourself before `cutover deploy`")
        }),
    );
    let others: Vec<&str> = others.into_iter().filter(|other| *other != "release").collect();
    if !others.is_empty() {
        let names = others.join(", ");
        found.notes.push(format!(
            "{file} also starts {names}: each is an app of its own, with a spec in a folder of its own"
        ));
    }
    if !worker {
        found.health = health_in(project, &line.words);
    }
    found.command = line.words;
    found.env = line.env;
    Ok(Some(found))
}

fn process(line: &str) -> Option<(&str, &str)> {
    let (name, command) = line.split_once(':')?;
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let (name, command) = (name.trim(), command.trim());
    let named = !name.is_empty() && name.chars().all(good);
    (named && !command.is_empty()).then_some((name, command))
}

/// The health check that a source file among the words names.
fn health_in(project: &Project, words: &[String]) -> Option<Probe> {
    let source = words.iter().find_map(|word| project.text_if_any(word))?;
    health_path(&source).map(Probe::at)
}
