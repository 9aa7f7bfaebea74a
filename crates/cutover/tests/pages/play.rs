//! Plays a page: runs its commands and compares what they print.

use std::io::{self, Write};
use std::ops::Range;
use std::time::Instant;

use crate::blocks::{Block, Step, blocks};
use crate::stable::alike;
use crate::tree;
use crate::world::World;

/// A step that did not go as the page says.
struct Wrong {
    text: String,
    /// What the page had to say instead, and where; `None` where that would not help.
    new: Option<(Range<usize>, Vec<String>)>,
}

/// Plays one page; gives what it ran and left out, or what is wrong.
pub(crate) fn play(name: &str) -> Result<String, String> {
    let page = tree::read(name);
    let blocks = blocks(&page).map_err(|error| format!("{name}: {error}"))?;
    let begin = Instant::now();
    let mut world = World::new().map_err(|error| format!("{name}: {error}"))?;
    let (mut ran, mut skipped, mut wrong) = (0, Vec::new(), Vec::new());
    'page: for block in &blocks {
        let steps = match block {
            Block::File { name, text } => {
                world.write(name, text).map_err(|error| format!("{name}: {error}"))?;
                continue;
            }
            Block::Skipped { line, why } => {
                skipped.push(format!("\n  not run: line {line}: {why}"));
                continue;
            }
            Block::Run(steps) => steps,
        };
        for (at, step) in steps.iter().enumerate() {
            let Some(found) = check(&mut world, step, steps.get(at + 1)) else {
                ran += 1;
                continue;
            };
            let goes_on = found.new.is_some();
            wrong.push((step, found));
            if !goes_on {
                break 'page;
            }
        }
    }
    if wrong.is_empty() {
        let took = begin.elapsed().as_secs_f64();
        return Ok(format!("{name}: {ran} commands in {took:.0} s{}", skipped.concat()));
    }
    let changes = wrong.iter().filter_map(|(_, wrong)| wrong.new.clone());
    tree::update(name, &rewritten(&page, changes.collect()));
    Err(tell(name, &wrong))
}

/// Runs one command.
fn check(world: &mut World, step: &Step, next: Option<&Step>) -> Option<Wrong> {
    let ran = match world.run(&step.command) {
        Ok(ran) => ran,
        Err(text) => return Some(Wrong { text, new: None }),
    };
    let asked = next.is_some_and(|next| next.command == "echo $?");
    if ran.code != 0 && !asked {
        let text = format!("it ended with {} and printed\n{}", ran.code, ran.lines.join("\n"));
        return Some(Wrong { text, new: None });
    }
    if alike(&step.expected, &ran.lines) {
        return None;
    }
    let (expected, printed) = (step.expected.join("\n"), ran.lines.join("\n"));
    let text = format!("expected\n{expected}\nand it printed\n{printed}");
    Some(Wrong { text, new: Some((step.place.clone(), ran.lines)) })
}

fn tell(name: &str, wrong: &[(&Step, Wrong)]) -> String {
    let one = |(step, wrong): &(&Step, Wrong)| {
        format!("\n{name}:{}: $ {}\n{}\n", step.line, step.command, wrong.text)
    };
    let all: String = wrong.iter().map(one).collect();
    format!("{all}\nif the page is to say that: UPDATE_PAGES=1 cargo test -p cutover --test pages")
}

/// The page with other lines in these places.
fn rewritten(page: &str, changes: Vec<(Range<usize>, Vec<String>)>) -> String {
    let mut lines: Vec<String> = page.lines().map(str::to_owned).collect();
    // From the end, so that places stay where they are.
    for (place, new) in changes.into_iter().rev() {
        lines.splice(place, new);
    }
    lines.join("\n") + "\n"
}

/// Says something also where the output of tests that pass is not shown.
pub(crate) fn say(text: &str) {
    // There is nobody left to tell if stderr is gone.
    let _ = writeln!(io::stderr(), "{text}");
}
