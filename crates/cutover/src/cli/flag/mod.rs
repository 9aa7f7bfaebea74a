//! `cutover flag`: serve flags, and look at definitions.

mod ask;
mod change;
mod decide;
mod look;
mod past;
mod rollout;
mod serve;
mod source;
mod told;

use super::Session;
use crate::failure::Done;

/// Feature flags: serve their definitions to OpenFeature clients, change them, and look at them.
///
/// `serve` makes the proxy answer OFREP requests; it goes on doing so when the daemon is stopped.
/// `set`, `ramp`, `kill` and `restore` change flags that are served, on top of their files; every
/// change is kept with its number, author and reason, and `revert` undoes it. `list`, `get`, `lint`,
/// `eval` and `explain` look at the files that are given or, without any, at what is served.
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
    Set(change::Set),
    Ramp(change::Ramp),
    Kill(change::Kill),
    Restore(change::Restore),
    Approve(decide::Approve),
    Revert(decide::Revert),
    History(past::History),
    Stale(past::StaleOnes),
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
            What::Set(args) => args.run(session).await,
            What::Ramp(args) => args.run(session).await,
            What::Kill(args) => args.run(session).await,
            What::Restore(args) => args.run(session).await,
            What::Approve(args) => args.run(session).await,
            What::Revert(args) => args.run(session).await,
            What::History(args) => args.run(session).await,
            What::Stale(args) => args.run(session).await,
        }
    }
}
