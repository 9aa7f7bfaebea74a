//! `cutover judge`: the statistics of verdicts, without a rollout.

mod power;
mod replay;
mod settings;

use super::Session;
use crate::failure::Done;

/// Judge counts of the past, or say what could be found out.
///
/// The same statistics that decide at the steps of a canary: evidence that may be looked at as often
/// as one likes.
///
/// Example: cutover judge replay counts.ndjson --tolerance-errors 1.2x+0.1pp
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Replay(replay::Args),
    Power(power::Args),
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        match self.what {
            What::Replay(args) => args.run(session).await,
            What::Power(args) => args.run(session).await,
        }
    }
}
