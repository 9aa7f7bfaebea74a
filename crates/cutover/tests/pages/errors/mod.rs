//! Every error has its place in docs/troubleshooting.md.

mod messages;
mod source;

use messages::messages;

use crate::tree;

/// The page that explains them.
const PAGE: &str = "docs/troubleshooting.md";

/// The parts of a text between its placeholders, without those that say nothing.
fn parts(text: &str) -> Vec<&str> {
    let between = text.split('{').enumerate().map(|(at, part)| match at {
        0 => part,
        _ => part.split_once('}').map_or(part, |(_, rest)| rest),
    });
    between.filter(|part| !part.trim().is_empty()).collect()
}

/// Does a line of the page show this text, with anything for its placeholders?
fn shows(line: &str, text: &str) -> bool {
    let after = |rest: Option<usize>, part: &&str| {
        let rest = rest?;
        line[rest..].find(part.trim()).map(|at| rest + at + part.trim().len())
    };
    parts(text).iter().fold(Some(0), after).is_some()
}

#[test]
fn every_error_is_explained() {
    let page = tree::read(PAGE);
    let mut missing = Vec::new();
    for message in messages() {
        let first = message.text.lines().next().unwrap_or_default();
        if !page.lines().any(|line| shows(line, first)) {
            missing.push(format!("{}: {}", message.place, message.text));
        }
    }
    assert!(missing.is_empty(), "{PAGE} has to explain\n{}", missing.join("\n"));
}

#[test]
fn no_error_is_explained_that_does_not_exist() {
    let page = tree::read(PAGE);
    let known = messages();
    for (at, line) in page.lines().enumerate() {
        let Some(text) = line.strip_prefix("error: ") else { continue };
        // Those of the parser of arguments are its own.
        let foreign = text.starts_with("invalid value") || text.starts_with("unrecognized");
        let exists = known.iter().any(|message| shows(text, &message.text));
        assert!(foreign || exists, "{PAGE}:{}: nothing says {text}", at + 1);
    }
}

#[test]
fn texts_are_found_with_anything_for_their_placeholders() {
    assert!(shows("| no release v9 of shop | … |", "no release {version} of {}"));
    assert!(shows("error: shop: it is over", "{}: it is over"));
    assert!(!shows("error: no release of shop", "no release {version} of {} here"));
}
