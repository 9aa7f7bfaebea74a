//! `cutover flag approve`, `revert`

use super::change::Common;
use super::told::tell;
use crate::cli::Session;
use crate::failure::Done;
use crate::flags::Changed;

/// Make a change that waits for a second person.
///
/// Environments that are served with `--people` need it for all changes but kills.
///
/// Example: cutover flag approve 7 --token ~/.flag-token
#[derive(Debug, clap::Args)]
pub(super) struct Approve {
    /// The change's number.
    number: u64,
    #[command(flatten)]
    common: Common,
}

/// Undo a change of a flag, or take one back that waits.
///
/// What the change set becomes what it was before. Where a later change set the same, that one has
/// to be undone first. A revert is a change itself, so that it can be undone, too.
///
/// Example: cutover flag revert 7 -m "wrong flag"
#[derive(Debug, clap::Args)]
pub(super) struct Revert {
    /// The change's number.
    number: u64,
    #[command(flatten)]
    common: Common,
}

async fn decide(session: &Session, number: u64, verb: &str, common: Common) -> Done {
    let env = session.common.env.clone().unwrap_or_default();
    let how = common.how()?;
    let client = session.client().await?;
    let path = format!("/v1/flags/{env}/changes/{number}/{verb}");
    let changed: Changed = client.post(&path, &how).await?;
    let flag = changed.change.as_ref().map(|change| change.of.flag.clone()).unwrap_or_default();
    tell(session, &env, &flag, &changed)
}

impl Approve {
    pub(super) async fn run(self, session: &Session) -> Done {
        decide(session, self.number, "approve", self.common).await
    }
}

impl Revert {
    pub(super) async fn run(self, session: &Session) -> Done {
        decide(session, self.number, "revert", self.common).await
    }
}
