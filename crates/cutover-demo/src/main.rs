//! `cutover-demo`: a small web program to release, good by default and bad on request.

mod app;
mod args;
mod page;
mod serve;
mod sleeper;
mod ticks;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let outcome = if args.sleeper {
        runtime.block_on(sleeper::sleep())
    } else {
        runtime.block_on(serve::run(args))
    };
    outcome.unwrap_or_else(|error| {
        complain(&format!("failed: {error}"));
        ExitCode::FAILURE
    })
}

/// One log line on stdout; a closed pipe is nobody's concern but the reader's.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// One line on stderr.
fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "cutover-demo: {line}");
}
