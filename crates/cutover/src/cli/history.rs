//! `cutover history`

use cutover_engine::api::HistoryEntry;
use serde_json::json;

use super::Session;
use crate::failure::Done;
use crate::render;

/// List rollouts, newest first.
///
/// Who began each, how it ended and how long it took, what users got meanwhile, and why it was
/// turned back; with -v the last log lines, too. Where it was compared with the version before: how
/// the evidence grew at each stage.
///
/// Example: cutover history -n 5
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many.
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    most: usize,
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        let client = session.client().await?;
        let subject = session.named()?;
        let of = subject.map_or_else(String::new, |subject| format!("&subject={subject}"));
        let path = format!("/v1/history?most={}{of}&evidence=true", self.most);
        let entries: Vec<HistoryEntry> = client.get(&path).await?;
        if entries.is_empty() && session.common.app.is_some() {
            // An app that is down has a history; one that never was is most likely misspelt.
            session.known(&client).await?;
        }
        if session.common.json {
            session.print_json(&json!({"rollouts": entries}))?;
        } else {
            session.print(&render::history(&entries, session.common.verbose))?;
        }
        Ok(0)
    }
}
