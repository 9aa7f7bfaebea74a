//! `cutover status`

use std::io::IsTerminal;
use std::time::Duration;

use cutover_core::dataplane::InFlight;
use cutover_core::id::Subject;
use cutover_core::units::At;
use cutover_engine::api::AppStatus;
use serde_json::json;

use super::{Output, Session};
use crate::client::Client;
use crate::failure::{Done, Failure, exit};
use crate::render;
use crate::rollout::{Feed, Interrupts};
use crate::watch;

/// Show apps, instances and rollouts as they are now.
///
/// With --watch on a terminal: a full-screen view with requests, events, and keys to promote,
/// pause and abort. Elsewhere it is printed again whenever something has changed.
///
/// Example: cutover status --watch
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Go on as things change.
    #[arg(short, long)]
    watch: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        if self.watch && session.common.json {
            return Err(Failure::usage("--json prints one object, and --watch never ends")
                .help("once: cutover status --json")
                .help("on and on: cutover status --watch --output ndjson"));
        }
        let client = session.client().await?;
        let wanted = match session.named()? {
            // The spec of a folder names an app that may not be deployed yet.
            Some(_) if session.common.app.is_some() => Some(session.known(&client).await?.subject),
            Some(subject) => Some(subject),
            None => None,
        };
        if self.watch && on_screen(session) {
            return watch::run(&client, wanted).await;
        }
        let apps: Vec<AppStatus> = client.get("/v1/apps").await?;
        let wanted = wanted.filter(|subject| apps.iter().any(|app| app.subject == *subject));
        if self.watch {
            return lines(session, &client, wanted.as_ref()).await;
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

/// Is there somebody to see a screen and to press keys?
fn on_screen(session: &Session) -> bool {
    session.common.output == Output::Text
        && std::io::stdout().is_terminal()
        && std::io::stdin().is_terminal()
        && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

async fn fetch(client: &Client, wanted: Option<&Subject>) -> Result<Vec<AppStatus>, Failure> {
    match wanted {
        Some(subject) => Ok(vec![client.get(&format!("/v1/apps/{subject}")).await?]),
        None => Ok(client.get("/v1/apps").await?),
    }
}

/// Prints it again on events, and where a look every second finds something else than before.
async fn lines(session: &Session, client: &Client, wanted: Option<&Subject>) -> Done {
    let mut interrupts = Interrupts::watch()?;
    let mut feed = Feed::start(&session.folders, wanted, None);
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut printed = None;
    loop {
        match fetch(client, wanted).await {
            Ok(apps) => {
                let lasting = lasting(&apps);
                if printed.as_ref() != Some(&lasting) {
                    match session.common.output {
                        Output::Ndjson => session.print_json(&json!({"apps": apps}))?,
                        Output::Text | Output::Plain => {
                            session.print(&render::status(&apps, render::now()))?;
                        }
                    }
                    printed = Some(lasting);
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

/// The status without what changes all the time: ages, and requests in flight.
fn lasting(apps: &[AppStatus]) -> String {
    let mut apps = apps.to_vec();
    for one in apps.iter_mut().flat_map(|app| &mut app.instances) {
        one.in_flight = InFlight::default();
    }
    render::status(&apps, At(0))
}
