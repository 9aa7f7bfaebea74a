//! Cutover: releases a new version of an application with any of seven deployment patterns.
#[cfg(not(target_os = "linux"))]
compile_error!("Cutover runs on Linux (5.4 or newer) for now.");

mod binary;
mod cli;
mod client;
mod daemon;
mod demo;
mod failure;
mod flags;
mod folders;
mod hidden;
mod judge;
mod leftovers;
mod render;
mod rollout;
mod watch;

fn main() -> std::process::ExitCode {
    cli::main()
}
