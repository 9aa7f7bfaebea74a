//! Releases under real faults: processes killed and stopped, disks filled, clocks stepped, files
//! damaged, with open-loop load, and the whole world looked at after each.
//!
//! `cargo run --release -p cutover-faults -- --runs 500 --worlds 8 --seed 1`; docs/testing.md says what
//! is promised and what was measured.
#[cfg(not(target_os = "linux"))]
compile_error!("Cutover runs on Linux (5.4 or newer) for now.");

mod args;
mod checks;
mod choices;
mod client;
mod failure;
mod fault;
mod inject;
mod journal;
mod processes;
mod program;
mod report;
mod run;
mod scene;
mod schedule;
mod trace;
mod users;
mod verify;
mod world;

fn main() -> std::process::ExitCode {
    program::main()
}
