//! `cutover rollback`

use cutover_core::id::Version;
use cutover_core::print;
use cutover_engine::api::{Accepted, RollbackRequest};

use super::Session;
use super::deploy::Following;
use crate::failure::Done;
use crate::rollout::{Interrupts, Watch};

/// Go back to an earlier release at once.
///
/// Without --to: to the last good release before the live one. Stages of the pattern are skipped,
/// capacity is kept.
///
/// Example: cutover rollback --to v1
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// To the newest good release of this version.
    #[arg(long, value_name = "VERSION")]
    to: Option<Version>,
    /// Only show what would be done.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    following: Following,
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        let client = session.client().await?;
        let subject = session.known(&client).await?.subject;
        let request = RollbackRequest { subject, to: self.to, dry_run: self.dry_run };
        let mut interrupts = Interrupts::watch()?;
        let accepted: Accepted = interrupts.or(client.post("/v1/rollback", &request)).await?;
        if !self.dry_run {
            let watch = Watch::of(request.subject, accepted);
            return self.following.see_through(session, watch, interrupts).await;
        }
        if session.common.json {
            session.print_json(&accepted)?;
            return Ok(0);
        }
        match &accepted {
            Accepted::NothingToDo { live } => {
                session.print(&format!("{} {live} is live: nothing to do", request.subject))?;
            }
            Accepted::Begun { from, to, plan, n, warnings, .. } => {
                session.print(&print::plan(plan, *n, from.as_ref(), to))?;
                for warning in warnings {
                    session.note(&format!("warning: {warning}"));
                }
                session.note("nothing was changed (--dry-run)");
            }
        }
        Ok(0)
    }
}
