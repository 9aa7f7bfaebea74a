//! What the harness is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::choices::Seed;
use crate::fault::Fault;

/// Releases apps under load while real faults hit the program, and looks at the world after each.
///
/// Every run has a state folder, ports and processes of its own, and leaves nothing behind. Where a
/// promise is broken its seed and its trace are printed, its folder is kept, and the exit code is 1.
#[derive(Debug, Parser)]
#[command(name = "cutover-faults")]
pub(crate) struct Args {
    /// How many runs
    #[arg(long, default_value_t = 100)]
    pub(crate) runs: usize,

    /// Runs at a time
    #[arg(long, default_value_t = 8, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub(crate) worlds: usize,

    /// What the runs are drawn from; without it, something new each time
    #[arg(long)]
    pub(crate) seed: Option<u64>,

    /// For about this long, however many runs that makes
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) time: Option<Duration>,

    /// Only this fault (repeatable)
    #[arg(long, value_name = "FAULT")]
    pub(crate) only: Vec<Fault>,

    /// Makes the one run of a seed that was printed
    #[arg(long, value_name = "SEED", conflicts_with_all = ["runs", "seed", "time", "only"])]
    pub(crate) replay: Option<Seed>,

    /// Lists the faults
    #[arg(long)]
    pub(crate) list: bool,

    /// Goes on after a broken promise
    #[arg(long)]
    pub(crate) keep_going: bool,

    /// Prints the tables as Markdown
    #[arg(long)]
    pub(crate) markdown: bool,

    /// The program; without it, the `cutover` beside this one
    #[arg(long, value_name = "PATH")]
    pub(crate) binary: Option<PathBuf>,
}
