//! From the arguments to the exit code.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use clap::Parser;

use crate::args::Args;
use crate::failure::{Failure, cannot};
use crate::fault::Fault;
use crate::report::{self, Figures, Shape, Table};
use crate::run::{End, Ground, Outcome};
use crate::schedule::{Schedule, seeds};
use crate::world::Ports;

/// More runs than there is time for.
const ENDLESS: usize = 10_000;

pub(crate) fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Where it cannot be printed there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// True if every promise was kept.
fn run(args: &Args) -> Result<bool, Failure> {
    if args.list {
        say(list().print(Shape::Terminal).trim_end());
        return Ok(true);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(cannot("start the runtime"))?;
    let ground = Ground {
        program: program(args)?,
        runtime: runtime.handle().clone(),
        ports: Ports::default(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(cannot("watch signals"))?;
    }
    let begun = Instant::now();
    let schedule = schedule(args);
    let mut number = 0;
    let outcomes = schedule.play(&ground, &stop, |outcome| {
        number += 1;
        say(&report::line(number, outcome));
    });
    let shape = if args.markdown { Shape::Markdown } else { Shape::Terminal };
    conclude(&outcomes, begun, shape);
    let broken = |one: &Outcome| matches!(one.end, End::Broken { .. });
    Ok(!outcomes.iter().any(broken))
}

fn schedule(args: &Args) -> Schedule {
    let seeds = match args.replay {
        Some(seed) => vec![seed],
        None => {
            let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
            say(&format!("seed {seed}"));
            let runs = if args.time.is_some() { ENDLESS } else { args.runs };
            seeds(seed, runs, &args.only)
        }
    };
    let until = args.time.map(|time| Instant::now() + time);
    Schedule { seeds, worlds: args.worlds, until, keep_going: args.keep_going }
}

fn program(args: &Args) -> Result<PathBuf, Failure> {
    let beside = || std::env::current_exe().map(|own| own.with_file_name("cutover"));
    let path = match &args.binary {
        Some(path) => path.clone(),
        None => beside().map_err(cannot("find this program"))?,
    };
    path.canonicalize().map_err(cannot(format!(
        "find the program {} (cargo build --release -p cutover)",
        path.display()
    )))
}

fn list() -> Table {
    let mut table = Table::new(&["fault", "what is done"]);
    for fault in Fault::ALL {
        table.push(vec![fault.name().to_owned(), fault.about().to_owned()]);
    }
    table
}

fn conclude(outcomes: &[Outcome], begun: Instant, shape: Shape) {
    say("");
    say(&report::by_fault(outcomes).print(shape));
    say(&Figures::table(outcomes).print(shape));
    let refused: u64 = outcomes.iter().map(|one| one.refused).sum();
    let skipped = outcomes.iter().filter(|one| matches!(one.end, End::Skipped(_))).count();
    let seconds = begun.elapsed().as_secs();
    let minutes = format!("{} min {} s", seconds / 60, seconds % 60);
    say(&format!(
        "{} runs in {minutes}, {skipped} skipped; {refused} connections were refused",
        outcomes.len()
    ));
}
