//! `cutover history`

use cutover_engine::api::HistoryEntry;
use serde_json::json;

use super::Session;
use crate::failure::Done;
use crate::render;

/// List rollouts, newest first.
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
        let subject = match session.common.app {
            Some(_) => Some(session.known(&client).await?.subject),
            None => session.named()?,
        };
        let of = subject.map_or_else(String::new, |subject| format!("&subject={subject}"));
        let path = format!("/v1/history?most={}{of}", self.most);
        let entries: Vec<HistoryEntry> = client.get(&path).await?;
        if session.common.json {
            session.print_json(&json!({"rollouts": entries}))?;
        } else {
            session.print(&render::history(&entries))?;
        }
        Ok(0)
    }
}
