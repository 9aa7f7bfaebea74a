//! What `cutover init` asks at a terminal, with what was found as defaults.

use std::io::{BufRead, Write};

use cutover_core::guide::{in_short, recommend};
use cutover_core::id::AppName;
use cutover_core::patterns::Pattern;
use cutover_core::units::Count;

use super::draft::Draft;
use super::{Args, HealthPath, Listen, Words, shell, words};
use crate::cli::ask::{Ask, Choice};
use crate::cli::guide;
use crate::failure::Failure;
use crate::render;

/// The choice that asks the questions of the guide.
const HELP: Choice<'static> = Choice { name: "guide", meaning: "help me choose: a few questions" };

/// Asks for whatever the command line leaves open.
pub(super) fn ask<R: BufRead, W: Write>(
    draft: &mut Draft,
    args: &Args,
    app: Option<&str>,
    mut ask: Ask<R, W>,
) -> Result<(), Failure> {
    match &draft.from {
        Some(file) => ask.say(&format!("Found {file}. Enter takes what is in brackets."))?,
        None => ask.say("Enter takes what is in brackets.")?,
    }
    if app.is_none() {
        let why = "A name for the commands: a-z, 0-9 and -.";
        draft.app = ask.line("What is the app called?", why, &draft.app, |text| {
            let name: Result<AppName, _> = text.parse();
            name.map(String::from).map_err(|error| error.to_string())
        })?;
    }
    if args.command.is_none() {
        command(draft, &mut ask)?;
    }
    if args.listen.is_none() {
        listen(draft, &mut ask)?;
    }
    if args.health.is_none() && draft.listen.is_some() {
        health(draft, &mut ask)?;
    }
    if args.instances.is_none() {
        let why = "With two, one serves while the other one is replaced.";
        let check = |text: &str| match text.parse::<Count>() {
            Ok(n @ 1..=1000) => Ok(n),
            Ok(_) | Err(_) => Err("write a number from 1 to 1000".to_owned()),
        };
        let default = draft.instances.to_string();
        draft.instances = ask.line("How many instances shall serve?", why, &default, check)?;
    }
    if args.pattern.is_none() {
        draft.consult();
        pattern(draft, &mut ask)?;
    }
    ask.end()
}

fn command<R: BufRead, W: Write>(draft: &mut Draft, ask: &mut Ask<R, W>) -> Result<(), Failure> {
    let why = "Program and arguments, without a shell. {version} and {port} are filled in; the port \
               is in the variable PORT, too.";
    let default = shell::join(&draft.command);
    let Words(command) = ask.line("What starts one instance?", why, &default, words)?;
    draft.run(command);
    Ok(())
}

fn listen<R: BufRead, W: Write>(draft: &mut Draft, ask: &mut Ask<R, W>) -> Result<(), Failure> {
    let why = "An address and a port, or none for a worker. Cutover listens there and shares \
               requests between the instances, which have ports of their own.";
    let default = draft.listen.map_or("none".to_owned(), |address| address.to_string());
    let Listen(listen) =
        ask.line("Where shall users reach it?", why, &default, |text| text.parse::<Listen>())?;
    draft.reach(listen);
    Ok(())
}

fn health<R: BufRead, W: Write>(draft: &mut Draft, ask: &mut Ask<R, W>) -> Result<(), Failure> {
    let why = "A path that answers 2xx, like /health, or none: then it is enough that the port can \
               be connected to.";
    let default = draft.health.as_ref().map_or("none", |health| &health.path).to_owned();
    let HealthPath(path) =
        ask.line("How does an instance tell that it is well?", why, &default, |text| text.parse())?;
    draft.probe(path);
    Ok(())
}

fn pattern<R: BufRead, W: Write>(draft: &mut Draft, ask: &mut Ask<R, W>) -> Result<(), Failure> {
    let fits = |pattern: &Pattern| {
        draft.listen.is_some() || matches!(pattern, Pattern::BigBang | Pattern::Rolling)
    };
    let patterns: Vec<Pattern> = Pattern::ALL.into_iter().filter(fits).collect();
    let choice = |pattern: &Pattern| Choice { name: pattern.as_str(), meaning: in_short(*pattern) };
    let choices: Vec<Choice<'_>> = patterns.iter().map(choice).chain([HELP]).collect();
    let default = patterns.iter().position(|pattern| *pattern == draft.pattern).unwrap_or(0);
    let why = "This is the usual one; each release may take another one.";
    let chosen = ask.choose("How shall a new version take over?", why, &choices, default)?;
    match patterns.get(chosen) {
        Some(pattern) => draft.pattern = *pattern,
        None => {
            guide::answer(&mut draft.given, ask)?;
            let found = recommend(&draft.given.completed());
            draft.pattern = found.pattern;
            ask.say(&format!("\n{}", render::guide_why(&found)))?;
        }
    }
    Ok(())
}
