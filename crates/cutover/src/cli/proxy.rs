//! `cutover proxy`

use cutover_core::dataplane::DataPlaneState;
use http::Method;

use super::Session;
use crate::client::Client;
use crate::failure::{Done, exit};
use crate::render;

/// The proxy that users' requests go through.
///
/// Example: cutover proxy status
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show what it routes where, without the daemon.
    Status,
    /// Replace it by this version's (not in this build).
    Upgrade,
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        match self.what {
            What::Upgrade => super::later::refuse("proxy upgrade"),
            What::Status => status(session).await,
        }
    }
}

async fn status(session: &Session) -> Done {
    let client = Client::of_proxy(session.folders.proxy_socket());
    if !client.answers().await {
        session.print("no proxy runs; it starts with the first app that listens")?;
        return Ok(exit::UNREACHABLE);
    }
    let state: DataPlaneState = client.call_any(Method::GET, "/v1/state").await?;
    if session.common.json {
        session.print_json(&state)?;
    } else {
        session.print(&render::proxy(&state))?;
    }
    Ok(exit::OK)
}
