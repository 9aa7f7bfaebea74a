//! `cutover prune`

use std::io;

use cutover_core::units::Span;
use cutover_engine::prune::{PruneAnswer, PruneRequest};

use super::Session;
use crate::binary::{self, Unused};
use crate::client::Client;
use crate::failure::{Done, Failure, exit};
use crate::render::{self, Pruned};

/// Remove what old releases of an app left behind.
///
/// Kept are the good releases that were live last, and everything that is live, kept warm, rolled
/// out, retried or rolled back to, or of which an instance exists. Of the others only the names
/// stay, for `history`: nothing can be rolled back to them. Also goes what is older than --history,
/// what old instances left, and copies of this program that nothing runs from. Other apps and
/// environments are not touched.
///
/// Example: cutover prune --keep 3 --dry-run
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many good releases are kept, the live one included.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// Rollouts and events older than this go; the last rollout stays.
    #[arg(long, value_name = "SPAN", default_value = "365d")]
    history: Span,
    /// What old instances of kept releases left goes when it is older than this.
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    logs: Span,
    /// Only show what would go.
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        let client = session.client().await?;
        let subject = session.subject(&client).await?;
        let path = format!("/v1/apps/{subject}/prune");
        let found = self.ask(session, &client, &path, true).await?;
        if self.dry_run || found.is_nothing() {
            return show(session, &found);
        }
        session.confirm(&render::prune_question(&found))?;
        let mut done = self.ask(session, &client, &path, false).await?;
        for copy in &done.programs {
            match std::fs::remove_file(&copy.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    done.answer.troubles.push(format!("{}: {error}", copy.path.display()));
                }
                Ok(()) | Err(_) => {}
            }
        }
        show(session, &done)
    }

    async fn ask(
        &self,
        session: &Session,
        client: &Client,
        path: &str,
        dry_run: bool,
    ) -> Result<Pruned, Failure> {
        let Args { keep, history, logs, .. } = *self;
        let request = PruneRequest { keep, history, logs, dry_run };
        let answer: PruneAnswer = client.post_and_wait(path, &request).await?;
        Ok(Pruned { answer, programs: unused(session)? })
    }
}

fn unused(session: &Session) -> Result<Vec<Unused>, Failure> {
    match binary::unused(&session.folders) {
        // Nothing was copied yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found.map_err(|error| {
            Failure::internal("cannot look through the copies of this program", &error)
                .unchanged("nothing was removed")
        }),
    }
}

fn show(session: &Session, pruned: &Pruned) -> Done {
    if session.common.json {
        session.print_json(pruned)?;
    } else {
        session.print(&render::prune(pruned))?;
    }
    if pruned.answer.troubles.is_empty() {
        return Ok(exit::OK);
    }
    let mut failure = Failure::new(exit::INTERNAL, "not everything could be removed")
        .help("the rest is as it was; try again: cutover prune");
    failure.causes.clone_from(&pruned.answer.troubles);
    failure.reported = true;
    Err(failure)
}
