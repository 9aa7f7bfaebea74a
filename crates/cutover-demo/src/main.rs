//! `cutover-demo`: a small web program to release.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(cutover_demo::run(&[], std::env::args_os()))
}
