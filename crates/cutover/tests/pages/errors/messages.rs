//! The texts of errors, as they stand in the source.
//!
//! Each is found where an error is made of it: by a call, a struct or an attribute. Where that is
//! given a variable, the strings count that the variable was made of. Where it passes on the text of
//! another error, it has to be named here, so that none is overlooked.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::source::{inside, listed, statement, strings};
use crate::tree::root;

/// What makes an error, and which of the things that it is given is the text.
const CALLS: [(&str, usize); 18] = [
    ("Failure::new", 1),
    ("Failure::usage", 0),
    ("Failure::internal", 0),
    ("PlatformError::new", 0),
    ("Unread::new", 0),
    ("Problem::whole", 1),
    ("pages::text", 1),
    ("pages::busy", 0),
    ("refused", 1),
    ("unwritable", 0),
    ("usage", 0),
    ("wrong", 0),
    ("flaw", 0),
    ("declined", 0),
    ("cannot", 0),
    ("said", 0),
    ("nothing", 0),
    ("self.fail", 0),
];

static MAKERS: LazyLock<Regex> = LazyLock::new(|| {
    let calls = CALLS.map(|(name, _)| name).join("|");
    let structs = "Refused|PlatformError|Problem";
    Regex::new(&format!(r"(?:^|[^\w.])(?:({calls})\(|({structs}) \{{|#\[(error)\()")).unwrap()
});

/// Errors that are nothing but a text.
static TEXTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"\b(Err)\((?:format!\()?""#).unwrap());

/// Files that make errors by functions of their own: all their sentences count.
const WHOLE: [&str; 1] = ["cutover-platform/src/dataplane/listening.rs"];

/// Makers that pass on what another one made: the file, and what they are given.
const PASSED_ON: [(&str, &str); 43] = [
    ("cutover-core/src/spec/problem.rs", "message.into()"),
    ("cutover-core/src/spec/told.rs", "message"),
    ("cutover-engine/src/driver/prune.rs", "&chain(&error)"),
    ("cutover/src/watch/draw/foot.rs", "*idle"),
    ("cutover/src/watch/draw/foot.rs", "state"),
    ("cutover-engine/src/api.rs", "crate::context::chain(error)"),
    ("cutover-engine/src/driver/begin.rs", "&chain(&error)"),
    ("cutover-engine/src/driver/begin.rs", "message"),
    ("cutover-engine/src/driver/commands.rs", "message"),
    ("cutover-engine/src/engine/reading.rs", "chain(&error)"),
    ("cutover-engine/src/engine/mod.rs", "chain(error)"),
    ("cutover-engine/src/ports.rs", "message.into()"),
    ("cutover-platform/src/local/preflight.rs", "error.to_string()"),
    ("cutover-platform/src/local/preflight.rs", "join(|flaw| flaw.message, flaws)"),
    ("cutover-platform/src/metrics/client.rs", "chain(&error)"),
    (
        "cutover-platform/src/metrics/client.rs",
        "error.source().map_or_else(|| error.to_string(), chain)",
    ),
    ("cutover-platform/src/metrics/command.rs", "error.to_string()"),
    ("cutover-platform/src/metrics/tls.rs", "chain(&error)"),
    ("cutover-proxy/src/forward.rs", "&Unanswered::Protocol.to_string()"),
    ("cutover-proxy/src/forward.rs", "&why.to_string()"),
    ("cutover-proxy/src/visit.rs", "what"),
    ("cutover/src/cli/flag/look.rs", "error.to_string()"),
    ("cutover/src/cli/flag/rollout.rs", "error.to_string()"),
    ("cutover/src/cli/flag/source.rs", "error.to_string()"),
    ("cutover/src/cli/session.rs", "error.to_string()"),
    ("cutover/src/cli/session.rs", "message"),
    ("cutover/src/daemon/routes.rs", "format!(\"{error}\")"),
    ("cutover/src/daemon/routes.rs", "message.into()"),
    ("cutover/src/daemon/run.rs", "what"),
    ("cutover/src/failure.rs", "error.to_string()"),
    ("cutover/src/failure.rs", "message"),
    ("cutover/src/failure.rs", "refused.message"),
    ("cutover/src/flags/amend.rs", "message"),
    ("cutover/src/flags/sources.rs", "error.to_string()"),
    ("cutover/src/flags/sources.rs", "message"),
    ("cutover/src/flags/watch.rs", "&error"),
    ("cutover/src/flags/watch.rs", "error"),
    ("cutover/src/flags/watch.rs", "error.to_string()"),
    ("cutover/src/flags/watch.rs", "failure.message.clone()"),
    ("cutover/src/flags/watch.rs", "message"),
    ("cutover/src/flags/watch.rs", "why.reason.clone()"),
    ("cutover/src/folders.rs", "format!(\"{} {why}\", folder.display())"),
    ("cutover/src/render/end.rs", "format!(\"{prefix}{what}\")"),
];

/// A text of an error, and where it is made.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) place: String,
    pub(super) text: String,
}

/// All of them.
pub(super) fn messages() -> Vec<Message> {
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for name in sources() {
        let code = fs::read_to_string(root().join("crates").join(&name)).unwrap();
        let code = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let mut add = |at: usize, text: String| {
            let line = code[..at].matches('\n').count() + 1;
            found.push(Message { place: format!("{name}:{line}"), text });
        };
        if WHOLE.contains(&name.as_str()) {
            let texts = strings(code).into_iter().filter(|text| text.contains(' '));
            texts.for_each(|text| add(0, text));
            continue;
        }
        for maker in MAKERS.captures_iter(code).chain(TEXTS.captures_iter(code)) {
            let kind = maker.iter().skip(1).flatten().next().unwrap();
            let at = kind.start();
            let open = kind.end() + code[kind.end()..].find(['(', '{']).unwrap_or_default() + 1;
            let Some(given) = text_of(kind.as_str(), inside(code, open)) else { continue };
            if is_definition(code, at) {
                continue;
            }
            let texts = texts(given, &code[..at]);
            let known = PASSED_ON.contains(&(name.as_str(), given));
            if texts.is_empty() && !known {
                unknown.push(format!("{name}: {given}"));
            }
            texts.into_iter().for_each(|text| add(at, text));
        }
    }
    assert!(
        unknown.is_empty(),
        "which text have the errors made of these? Where it is made elsewhere, name them in \
         PASSED_ON:\n{}",
        unknown.join("\n")
    );
    assert!(found.len() > 150, "only {}", found.len());
    found
}

/// The part of what a maker is given that is the text; `None` if it has none.
fn text_of<'a>(kind: &str, given: &'a str) -> Option<&'a str> {
    let parts = listed(given);
    match kind {
        // `transparent`, and those that are nothing but what they are made of.
        "error" => Some(given).filter(|given| strings(given).iter().any(|text| says(text))),
        "Err" => Some(given),
        "Refused" | "PlatformError" | "Problem" => parts.iter().find_map(|part| match *part {
            "message" => Some("message"),
            part => part.strip_prefix("message: "),
        }),
        call => {
            let (_, index) = CALLS.iter().find(|(name, _)| *name == call)?;
            parts.get(*index).or(parts.last()).copied().filter(|part| !part.is_empty())
        }
    }
}

/// Is this where a maker is defined?
fn is_definition(code: &str, at: usize) -> bool {
    let begin = code[..at].rfind('\n').map_or(0, |at| at + 1);
    let line = &code[begin..];
    let line = line.lines().next().unwrap_or_default().trim_start();
    [
        "//",
        "fn ",
        "pub fn ",
        "pub(crate) fn ",
        "pub(super) fn ",
        "pub struct ",
        "pub(crate) struct ",
    ]
    .iter()
    .any(|start| line.starts_with(start))
}

/// Is there more to it than placeholders?
fn says(text: &str) -> bool {
    super::parts(text).concat().chars().filter(|c| c.is_alphabetic()).count() > 2
}

/// The strings that a text is made of; `before` is the code up to here.
fn texts(given: &str, before: &str) -> Vec<String> {
    if let Some(text) = strings(given).into_iter().next().filter(|text| says(text)) {
        return vec![text];
    }
    // The variable is the text, or what stands for most of it.
    let word = |text: &str| text.trim_end_matches(".into()").trim_start_matches('&').to_owned();
    let name = match strings(given).first() {
        Some(text) => text.rsplit('{').next().unwrap_or_default().trim_end_matches('}').to_owned(),
        None => word(given),
    };
    let made = Regex::new(&format!(r"let (?:\(?{name}\b|\(\w+, {name}\b)[^=;]*=")).unwrap();
    let last = made.find_iter(before).last().filter(|made| before.len() - made.start() < 1500);
    last.map_or(vec![], |made| {
        let found = strings(statement(&before[made.start()..]));
        found.into_iter().filter(|text| text.contains(' ')).collect()
    })
}

/// The files of the program, without those of the demo app, of the simulator, which no command runs
/// yet, and of the evaluation of flags, whose messages are about definitions: docs/flags.md has
/// their rules.
fn sources() -> Vec<String> {
    let mut found = Vec::new();
    let crates = root().join("crates");
    let mut folders = vec![crates.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(&crates).unwrap_or(Path::new("")).to_str().unwrap();
            if path.is_dir() {
                // Programs and worlds for development, and a crate whose problems have a page of
                // their own: docs/flags.md.
                let others = ["cutover-demo", "cutover-faults", "cutover-sim", "cutover-flags"];
                let other = others.iter().any(|other| name.starts_with(other));
                let left_out = name.ends_with("tests") || other;
                if !left_out {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") && name.contains("/src/") && !name.contains("/tests_") {
                found.push(name.to_owned());
            }
        }
    }
    found.sort();
    found
}
