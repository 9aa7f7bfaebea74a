//! A draft as a `cutover.yaml` that explains itself.

use cutover_core::guide::settings;

use super::draft::Draft;
use super::quote::scalar;
use crate::render::{COLUMNS, wrap};

/// The columns that keys have before the comments beside them.
const KEYS: usize = 25;

/// The text of the file.
pub(super) fn text(draft: &Draft) -> String {
    let blocks =
        [head(draft), app(draft), release(draft), health(draft), drain(draft), pattern(draft)];
    blocks.into_iter().filter(|block| !block.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A key with its value and what it means.
fn beside(pair: &str, meaning: &str) -> String {
    format!("{pair:<KEYS$}  # {meaning}\n")
}

/// A comment on lines of its own.
fn comment(indent: &str, text: &str) -> String {
    let lines = wrap(text, COLUMNS - 2 - indent.len());
    lines.iter().map(|line| format!("{indent}# {line}\n")).collect()
}

fn head(draft: &Draft) -> String {
    let from =
        draft.from.as_ref().map_or_else(String::new, |file| format!(", from {}", shown(file)));
    let mut text = comment(
        "",
        &format!(
            "How Cutover releases this app. Written by `cutover init`{from}; from now on it is \
             yours. `cutover validate` checks it, `cutover plan VERSION` shows what it leads to; \
             both change nothing."
        ),
    );
    let notes = draft.notes();
    if !notes.is_empty() {
        text.push_str("#\n# Look at this before the first release:\n");
    }
    for note in notes {
        let lines = wrap(&shown(&note), COLUMNS - 4);
        for (index, line) in lines.iter().enumerate() {
            text.push_str(&format!("# {} {line}\n", if index == 0 { "-" } else { " " }));
        }
    }
    text
}

/// What comes from a file, without what would end a comment or move a cursor.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn app(draft: &Draft) -> String {
    let app = beside(&format!("app: {}", scalar(&draft.app)), "its name in every command");
    let instances = beside(
        &format!("instances: {}", draft.instances),
        "how many copies serve at the same time",
    );
    let listen = match draft.listen {
        Some(address) => beside(
            &format!("listen: {}", scalar_address(&address.to_string())),
            "where users reach it; Cutover's proxy listens here",
        ),
        None => comment(
            "",
            "Without `listen` it is a worker: nobody sends it requests, and it \
             is replaced by rolling or big-bang.",
        ),
    };
    app + &instances + &listen
}

/// An address of version 6 begins with a bracket, which would begin a list.
fn scalar_address(address: &str) -> String {
    if address.starts_with('[') { format!("\"{address}\"") } else { address.to_owned() }
}

fn release(draft: &Draft) -> String {
    let mut text = beside("release:", "what one instance runs");
    text.push_str(&comment(
        "  ",
        "Program and arguments, without a shell. {version} is the version you deploy; {port} is \
         another one for each instance, and in the variable PORT as well.",
    ));
    let words: Vec<String> = draft.command.iter().map(|word| scalar(word)).collect();
    let line = format!("  command: [{}]\n", words.join(", "));
    if line.chars().count() <= COLUMNS {
        text.push_str(&line);
    } else {
        text.push_str("  command:\n");
        words.iter().for_each(|word| text.push_str(&format!("    - {word}\n")));
    }
    let directory = format!("  directory: {}", directory(&draft.directory));
    let meaning = match draft.directory.contains("{version}") {
        true => "where it starts: one folder a version",
        false => "where it starts",
    };
    text.push_str(&beside(&directory, meaning));
    if !draft.env.is_empty() {
        text.push_str(&beside("  env:", "all else of your shell's variables stays outside"));
    }
    for (name, value) in &draft.env {
        text.push_str(&format!("    {}: {}\n", scalar(name), scalar(value)));
    }
    if !draft.pass.is_empty() {
        let names: Vec<String> = draft.pass.iter().map(|name| scalar(name)).collect();
        text.push_str(&comment("  ", "Taken from your own variables at `cutover deploy`:"));
        text.push_str(&format!("  pass: [{}]\n", names.join(", ")));
    }
    text
}

/// A folder is safe as it is, but for the braces.
fn directory(folder: &str) -> String {
    match folder {
        "." => ".".to_owned(),
        folder if folder == super::detect::VERSIONED => folder.to_owned(),
        folder => scalar(folder),
    }
}

fn health(draft: &Draft) -> String {
    let Some(health) = &draft.health else {
        return match draft.listen {
            Some(_) => {
                beside("# health:", "without it a TCP connect has to succeed;")
                    + &beside(
                        "#   path: /health",
                        "better is a path that answers 2xx when all is well",
                    )
            }
            None => String::new(),
        };
    };
    let mut text = beside("health:", "when is an instance ready for users?");
    text.push_str(&beside(&format!("  path: {}", scalar(&health.path)), "it has to answer 2xx"));
    let spans = [
        ("interval", health.interval, "from one probe to the next"),
        ("timeout", health.timeout, "the longest a probe may take"),
    ];
    for (name, span, meaning) in spans {
        if let Some(span) = span {
            text.push_str(&beside(&format!("  {name}: {span}"), meaning));
        }
    }
    if let Some(most) = health.unhealthy_after {
        text.push_str(&beside(&format!("  unhealthy-after: {most}"), "bad probes in a row"));
    }
    text
}

fn drain(draft: &Draft) -> String {
    let stop = |span| {
        beside("drain:", "how instances are taken out of service")
            + &beside(&format!("  stop: {span}"), "from the stop signal to the end by force")
    };
    draft.stop.map(stop).unwrap_or_default()
}

fn pattern(draft: &Draft) -> String {
    let text = "How a new version takes over. `cutover guide` helps to choose, --pattern takes \
                another one for one release.";
    comment("", text) + &settings(draft.pattern, &draft.given.completed())
}
