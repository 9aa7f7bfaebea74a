//! `cutover completions`

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use super::Session;
use super::tree::Cli;
use crate::failure::Done;

/// Print a completion script.
///
/// Example: cutover completions bash > ~/.local/share/bash-completion/completions/cutover
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// For which shell.
    shell: Shell,
}

impl Args {
    pub(super) fn run(self, _session: &Session) -> Done {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "cutover", &mut script);
        std::io::stdout().write_all(&script)?;
        Ok(0)
    }
}
