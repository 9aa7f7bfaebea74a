//! `cutover demo`

use cutover_core::patterns::Pattern;

use super::Session;
use crate::demo;
use crate::failure::Done;

/// Watch a good and a bad release under load, on this machine, in less than a minute.
///
/// Runs in a temporary folder with its own daemon and proxy, and leaves nothing behind.
///
/// Example: cutover demo canary
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pattern to show.
    #[arg(value_parser = super::pattern::parse, default_value = "rolling")]
    pattern: Pattern,
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        demo::run(session, self.pattern).await
    }
}
