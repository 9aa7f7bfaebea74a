//! `cutover status`

use std::io::{IsTerminal, Write};
use std::time::Duration;

use cutover_core::id::Subject;
use cutover_engine::api::AppStatus;
use serde_json::json;

use super::Session;
use crate::client::Client;
use crate::failure::{Done, Failure, exit};
use crate::render;
use crate::rollout::{Feed, Interrupts};

/// Show apps, instances and rollouts as they are now.
///
/// Example: cutover status --watch
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Draw it again whenever something happens.
    #[arg(short, long)]
    watch: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        let client = session.client().await?;
        let wanted = match session.named()? {
            // The spec of a folder names an app that may not be deployed yet.
            Some(_) if session.common.app.is_some() => Some(session.known(&client).await?.subject),
            Some(subject) => {
                let apps: Vec<AppStatus> = client.get("/v1/apps").await?;
                apps.iter().any(|app| app.subject == subject).then_some(subject)
            }
            None => None,
        };
        if self.watch {
            return watch(session, &client, wanted.as_ref()).await;
        }
        let apps = fetch(&client, wanted.as_ref()).await?;
        if session.common.json {
            session.print_json(&json!({"apps": apps}))?;
        } else {
            session.print(&render::status(&apps, render::now()))?;
        }
        Ok(exit::OK)
    }
}

async fn fetch(client: &Client, wanted: Option<&Subject>) -> Result<Vec<AppStatus>, Failure> {
    match wanted {
        Some(subject) => Ok(vec![client.get(&format!("/v1/apps/{subject}")).await?]),
        None => Ok(client.get("/v1/apps").await?),
    }
}

/// Redraws on events, and every second because ages and requests in flight change without any.
async fn watch(session: &Session, client: &Client, wanted: Option<&Subject>) -> Done {
    let mut interrupts = Interrupts::watch()?;
    let mut feed = Feed::start(&session.folders, wanted, None);
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let terminal = std::io::stdout().is_terminal();
    let mut drawn = String::new();
    loop {
        match fetch(client, wanted).await {
            Ok(apps) => {
                let text = render::status(&apps, render::now());
                if terminal {
                    // Home, the text with each line cleared to its end, and nothing below it.
                    let text = text.replace('\n', "\x1b[K\n");
                    write!(std::io::stdout(), "\x1b[H{text}\x1b[K\n\x1b[J")?;
                    std::io::stdout().flush()?;
                } else if text != drawn {
                    session.print(&text)?;
                    drawn = text;
                }
            }
            Err(failure) if failure.code == exit::UNREACHABLE => session.note(&failure.message),
            Err(failure) => return Err(failure),
        }
        tokio::select! {
            _ = tick.tick() => {}
            event = feed.next() => { event?; }
            () = interrupts.next() => return Ok(exit::INTERRUPTED),
        }
    }
}
