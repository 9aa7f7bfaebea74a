//! `cutover flag history`, `stale`

use serde_json::json;

use super::told::{line, query};
use crate::cli::Session;
use crate::failure::{Done, exit};
use crate::flags::{Change, StaleFlags};
use crate::render;

/// Show who changed which flag, when and why; newest first.
///
/// Example: cutover flag history new-checkout
#[derive(Debug, clap::Args)]
pub(super) struct History {
    /// Of one flag only.
    key: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

/// List flags that look finished: the same for everybody, a default that is never used, or never
/// asked for.
///
/// Only those are looked at that neither their file nor a person changed for some days. Evaluations
/// are those that the proxy counted since it started.
///
/// Example: cutover flag stale --days 60
#[derive(Debug, clap::Args)]
pub(super) struct StaleOnes {
    /// Unchanged for so many days.
    #[arg(long, default_value_t = 30)]
    days: u64,
}

impl History {
    pub(super) async fn run(self, session: &Session) -> Done {
        let env = session.common.env.clone().unwrap_or_default();
        let client = session.client().await?;
        let flag = self.key.as_deref().map(|key| format!("&flag={}", query(key)));
        let path =
            format!("/v1/flags/{env}/changes?most={}{}", self.limit, flag.unwrap_or_default());
        let changes: Vec<Change> = client.get(&path).await?;
        if session.common.json {
            session.print_json(&json!({"environment": env, "changes": changes}))?;
            return Ok(exit::OK);
        }
        if changes.is_empty() {
            session.note(&format!("no flag of {env} was changed yet"));
        }
        for change in &changes {
            session.print(&line(change))?;
        }
        Ok(exit::OK)
    }
}

impl StaleOnes {
    pub(super) async fn run(self, session: &Session) -> Done {
        let env = session.common.env.clone().unwrap_or_default();
        let client = session.client().await?;
        let path = format!("/v1/flags/{env}/stale?days={}", self.days);
        let found: StaleFlags = client.get(&path).await?;
        if session.common.json {
            session.print_json(&found)?;
            return Ok(exit::OK);
        }
        for flag in &found.stale {
            let since = render::time(flag.unchanged_since);
            let day = since.get(..10).unwrap_or_default();
            session.print(&format!("{}  unchanged since {day}", flag.of))?;
            for why in &flag.because {
                session.print(&format!("  {why}"))?;
            }
        }
        let (some, all, days) = (found.stale.len(), found.flags, found.days);
        session
            .print(&format!("{some} of {all} flags look finished, unchanged for {days} days"))?;
        found.notes.iter().for_each(|note| session.note(note));
        Ok(exit::OK)
    }
}
