//! A small web program to release, good by default and bad on request.
//!
//! The binary `cutover-demo` is it; `cutover` holds it too, so that its demo needs no second file.

mod app;
mod args;
mod page;
mod serve;
mod sleeper;
mod ticks;

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;

/// Runs the program with these arguments, the first of which is its name; for as long as it lives.
///
/// `words` are the words that make this executable be the program (none for `cutover-demo`): it
/// starts itself again for `--fork`. Gives the exit code.
pub fn run(words: &'static [&'static str], arguments: impl Iterator<Item = OsString>) -> u8 {
    let args = match args::Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            // Help and mistakes; where they cannot be printed there is nobody to tell.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return 1;
        }
    };
    let outcome = if args.sleeper {
        runtime.block_on(sleeper::sleep())
    } else {
        runtime.block_on(serve::run(args, words))
    };
    outcome.unwrap_or_else(|error| {
        complain(&format!("failed: {error}"));
        1
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
