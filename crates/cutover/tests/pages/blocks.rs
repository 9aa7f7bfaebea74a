//! The blocks of a page: what is run, written and left out.
//!
//! | in the page | means |
//! |---|---|
//! | a block of the language `console` | is run: a line `$ COMMAND`, more lines of it after `> `, then what it prints; a line `...` stands for any lines |
//! | `<!-- run`, the same, `-->` | is run too, and readers do not see it |
//! | `<!-- file: NAME -->` before a block | the block is written as that file |
//! | `<!-- not run: WHY -->` before a block | the block is left out, and that is said |
//!
//! A command that fails is followed by `$ echo $?`, so that readers see the exit code.

use std::ops::Range;

/// A block that matters here.
#[derive(Debug)]
pub(crate) enum Block {
    /// Commands.
    Run(Vec<Step>),
    /// A file for the commands after it.
    File { name: String, text: String },
    /// Commands that are left out.
    Skipped { line: usize, why: String },
}

/// One command and what it prints.
#[derive(Debug)]
pub(crate) struct Step {
    /// Where it begins, from 1.
    pub(crate) line: usize,
    pub(crate) command: String,
    pub(crate) expected: Vec<String>,
    /// The lines of `expected` in the page, from 0.
    pub(crate) place: Range<usize>,
}

/// The blocks of a page, in order; else what is wrong with it.
pub(crate) fn blocks(page: &str) -> Result<Vec<Block>, String> {
    let lines: Vec<&str> = page.lines().collect();
    let mut found = Vec::new();
    let mut mark = "";
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if line == "<!-- run" {
            let end = end_of(&lines, at, "-->")?;
            found.push(Block::Run(steps(&lines, at + 1..end)?));
            at = end;
        } else if let Some(language) = line.strip_prefix("```") {
            let end = end_of(&lines, at, "```")?;
            found.extend(fenced(&lines, language, mark, at + 1..end)?);
            at = end;
        } else if line.trim_start().starts_with("```") {
            return Err(format!("line {}: a block must begin its line", at + 1));
        }
        mark = line;
        at += 1;
    }
    Ok(found)
}

fn end_of(lines: &[&str], begin: usize, end: &str) -> Result<usize, String> {
    let found = (begin + 1..lines.len()).find(|at| lines[*at] == end);
    found.ok_or_else(|| format!("line {}: the block has no end", begin + 1))
}

/// What a block is, by its language and the line before it.
fn fenced(
    lines: &[&str],
    language: &str,
    mark: &str,
    inside: Range<usize>,
) -> Result<Option<Block>, String> {
    let line = inside.start;
    let marked = |name: &str| {
        let mark = mark.strip_prefix("<!-- ")?.strip_prefix(name)?.strip_suffix(" -->")?;
        Some(mark.strip_prefix(": ").unwrap_or_default().to_owned())
    };
    if let Some(name) = marked("file") {
        let text = lines[inside].iter().map(|line| format!("{line}\n")).collect();
        return Ok(Some(Block::File { name, text }));
    }
    match (language, marked("not run")) {
        (_, Some(why)) if why.is_empty() => Err(format!("line {line}: not run, and not why")),
        (_, Some(why)) => Ok(Some(Block::Skipped { line, why })),
        ("console", None) => Ok(Some(Block::Run(steps(lines, inside)?))),
        ("sh" | "bash" | "shell", None) => Err(format!(
            "line {line}: make it ```console, or say `<!-- not run: WHY -->` before it"
        )),
        ("", None) => Err(format!("line {line}: a block needs a language")),
        (_, None) if lines[inside].iter().any(|line| line.starts_with("$ ")) => {
            Err(format!("line {line}: commands belong into ```console"))
        }
        (_, None) => Ok(None),
    }
}

fn steps(lines: &[&str], inside: Range<usize>) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for at in inside.clone() {
        let line = lines[at];
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                line: at + 1,
                command: command.to_owned(),
                expected: Vec::new(),
                place: at + 1..at + 1,
            });
            continue;
        }
        let Some(step) = steps.last_mut() else {
            return Err(format!("line {}: the block begins without `$ `", at + 1));
        };
        if let Some(more) = line.strip_prefix("> ").filter(|_| step.expected.is_empty()) {
            step.command.push('\n');
            step.command.push_str(more);
            step.place = at + 1..at + 1;
        } else {
            step.expected.push(line.to_owned());
            step.place.end = at + 1;
        }
    }
    if steps.is_empty() {
        return Err(format!("line {}: the block has no command", inside.start));
    }
    Ok(steps)
}

#[test]
fn a_page_is_read_as_it_is_described_here() {
    let page = "<!-- file: a.yaml -->\n```yaml\nx: 1\n```\n\n<!-- not run: no -->\n```sh\nrm -r /\n```\n\
                <!-- run\n$ true\n-->\n```console\n$ cat <<E\n> hello\n> E\nhello\n$ echo\n\n```\n```text\nx\n```\n";
    let read = blocks(page).unwrap();
    let [
        Block::File { name, text },
        Block::Skipped { line: 7, why },
        Block::Run(_),
        Block::Run(steps),
    ] = read.as_slice()
    else {
        panic!("{read:?}")
    };
    assert_eq!((name.as_str(), text.as_str(), why.as_str()), ("a.yaml", "x: 1\n", "no"));
    assert_eq!((steps[0].command.as_str(), steps[0].place.clone()), ("cat <<E\nhello\nE", 16..17));
    assert_eq!((steps[1].expected.as_slice(), steps[1].line), ([String::new()].as_slice(), 18));
    for wrong in [
        "```sh\nls\n```",
        "```\nls\n```",
        "```text\n$ ls\n```",
        "```console\nls\n```",
        "```console\n```",
        "<!-- not run -->\n```sh\nls\n```",
        "  ```console\n$ ls\n  ```",
        "```console\n$ ls\n",
    ] {
        assert!(blocks(wrong).is_err(), "{wrong}");
    }
}
