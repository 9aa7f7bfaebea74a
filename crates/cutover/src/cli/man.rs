//! `cutover man`

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::CommandFactory;

use super::Session;
use super::tree::Cli;
use crate::failure::{Done, Failure};

/// Print the manual page, or write the pages of all commands.
///
/// Example: cutover man | man -l -
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write one page a command into this folder.
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self, _session: &Session) -> Done {
        let command = Cli::command();
        match self.into {
            Some(folder) => {
                let failed = |error: std::io::Error| {
                    Failure::internal(format!("cannot write into {}", folder.display()), &error)
                };
                fs::create_dir_all(&folder).map_err(failed)?;
                clap_mangen::generate_to(command, &folder).map_err(failed)?;
            }
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(command).render(&mut page)?;
                std::io::stdout().write_all(&page)?;
            }
        }
        Ok(0)
    }
}
