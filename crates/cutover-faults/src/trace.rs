//! What happened in a run, for whoever has to find out why.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::journal::Journal;
use crate::world::World;

/// Last lines that are shown of each log.
const LINES: usize = 15;

/// Records, events, processes and the ends of the logs.
pub(crate) fn of(world: &World) -> String {
    let mut text = String::new();
    let mut section = |name: &str, content: String| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "-- {name}\n{}", content.trim_end());
    };
    section("processes", processes(world));
    section("records", records(world));
    for name in ["daemon.log", "proxy/log", "proxy/keeper.log"] {
        section(name, last_lines(&world.state().join(name)));
    }
    match world.run("events --after 0") {
        Ok(ran) => section("events", ran.stdout + &ran.stderr),
        Err(error) => section("events", error.to_string()),
    }
    match world.run("status") {
        Ok(ran) => section("status", ran.stdout + &ran.stderr),
        Err(error) => section("status", error.to_string()),
    }
    text
}

fn processes(world: &World) -> String {
    let line = |process: &crate::processes::Process| {
        format!("{:>7} {:?}: {}\n", process.pid, process.role, process.line)
    };
    world.processes().iter().map(line).collect()
}

fn records(world: &World) -> String {
    let entries = Journal::open(&world.state()).and_then(|journal| journal.entries());
    match entries {
        Ok(entries) => {
            let line = |entry: &crate::journal::Entry| {
                let body = match entry.kind() {
                    "begun" => "begun".to_owned(),
                    _ => entry.record.to_string(),
                };
                format!("{:>4} {} {body}\n", entry.index, entry.subject)
            };
            entries.iter().map(line).collect()
        }
        Err(error) => error.to_string(),
    }
}

fn last_lines(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}
