//! Flags that every command has.

use std::path::PathBuf;

use clap::ValueEnum;
use cutover_core::id::Environment;

#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// The app; if not given, the one of cutover.yaml here or in a folder above, else the only one.
    #[arg(long, global = true, value_name = "APP", env = "CUTOVER_APP")]
    pub(crate) app: Option<String>,
    /// The environment; cutover.ENV.yaml is laid over cutover.yaml.
    #[arg(long, global = true, value_name = "ENV", env = "CUTOVER_ENV")]
    pub(crate) env: Option<Environment>,
    /// The spec; if not given, cutover.yaml here or in a folder above.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Print one JSON object at the end, on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What stdout carries.
    #[arg(long, global = true, value_enum, value_name = "FORM", default_value = "text")]
    pub(crate) output: Output,
    /// Say nothing on the way.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more on the way.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Take every question as answered with yes.
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// Never ask; fail where an answer is needed.
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
}

/// What stdout carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// The result as text.
    #[default]
    Text,
    /// The result as text, and no screen or bars on the way.
    Plain,
    /// Every event as a line of JSON.
    Ndjson,
}
