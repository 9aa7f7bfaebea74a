//! `cutover flag`: serve flags, and look at definitions.

mod ask;
mod look;
mod serve;
mod source;

use super::Session;
use crate::failure::Done;

/// Feature flags: serve their definitions to OpenFeature clients, and look at them.
///
/// `serve` makes the proxy answer OFREP requests; it goes on doing so when the daemon is stopped.
/// The other commands look at the files that are given or, without any, at what is served.
///
/// Example: cutover flag serve flags.yaml
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Serve(serve::Serve),
    Unserve(serve::Unserve),
    List(look::List),
    Get(look::Get),
    Lint(look::Lint),
    Eval(ask::Eval),
    Explain(ask::Explain),
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        match self.what {
            What::Serve(args) => args.run(session).await,
            What::Unserve(args) => args.run(session).await,
            What::List(args) => args.run(session).await,
            What::Get(args) => args.run(session).await,
            What::Lint(args) => args.run(session).await,
            What::Eval(args) => args.run(session).await,
            What::Explain(args) => args.run(session).await,
        }
    }
}
