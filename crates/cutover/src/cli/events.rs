//! `cutover events`

use super::{Output, Session};
use crate::failure::{Done, exit};
use crate::render::{self, Names};
use crate::rollout::{Feed, Interrupts};

/// Show what happened, oldest first.
///
/// Example: cutover events --follow --output ndjson
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Go on as events come.
    #[arg(short, long)]
    follow: bool,
    /// Only events after this index.
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    after: u64,
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        let client = session.client().await?;
        let subject = match session.common.app {
            Some(_) => Some(session.known(&client).await?.subject),
            None => session.named()?,
        };
        let mut interrupts = Interrupts::watch()?;
        let mut feed = match self.follow {
            true => Feed::start(&session.folders, subject.as_ref(), Some(self.after)),
            false => Feed::stored(&session.folders, subject.as_ref(), self.after),
        };
        let mut names = Names::default();
        let lines = session.common.json || session.common.output == Output::Ndjson;
        loop {
            let event = tokio::select! {
                event = feed.next() => event?,
                () = interrupts.next() => return Ok(exit::INTERRUPTED),
            };
            let Some(event) = event else {
                return Ok(exit::OK);
            };
            names.learn(&event);
            if lines {
                session.print(&render::json(&event)?)?;
            } else {
                for line in render::plain(&event, &names) {
                    session.print(&line)?;
                }
            }
        }
    }
}
