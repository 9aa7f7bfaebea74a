//! `cutover daemon`

use cutover_engine::api::AppStatus;
use serde_json::json;

use super::Session;
use crate::client::Client;
use crate::daemon::{self, Status};
use crate::failure::{Done, Failure, exit};
use crate::render;

/// The daemon that looks after the apps; commands start it by themselves.
///
/// Example: cutover daemon status
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Run it in the foreground.
    Run {
        /// Leave the terminal's session.
        #[arg(long, hide = true)]
        detached: bool,
    },
    /// Start it if it does not run.
    Start,
    /// Stop it; apps and their traffic run on.
    Stop,
    /// Show whether it runs.
    Status,
}

impl Args {
    pub(super) fn is_run(&self) -> bool {
        matches!(self.what, What::Run { .. })
    }

    /// `daemon run`, which makes its own runtime.
    pub(super) fn run_here(self, session: &Session) -> Done {
        let detached = matches!(self.what, What::Run { detached: true });
        daemon::run(&session.folders, detached, &mut std::io::stdout())
    }

    pub(super) async fn run(self, session: &Session) -> Done {
        match self.what {
            What::Run { .. } => Err(Failure::new(exit::INTERNAL, "the daemon has its own runtime")),
            What::Start => start(session).await,
            What::Stop => stop(session).await,
            What::Status => status(session).await,
        }
    }
}

async fn start(session: &Session) -> Done {
    let found = daemon::find_or_start(&session.folders).await?;
    let status: Status = found.client.get("/v1/status").await?;
    if session.common.json {
        session.print_json(&json!({"started": found.started, "daemon": status}))?;
    } else {
        let what = if found.started { "the daemon runs" } else { "the daemon runs already" };
        session.print(&format!("{what}: pid {}, cutover {}", status.pid, status.version))?;
    }
    Ok(exit::OK)
}

async fn stop(session: &Session) -> Done {
    let client = Client::new(session.folders.socket());
    // A daemon of another protocol cannot say what runs on; it is stopped all the same.
    let apps: Vec<AppStatus> = client.get("/v1/apps").await.unwrap_or_default();
    let stopped = daemon::stop(&session.folders).await?;
    if session.common.json {
        let names: Vec<_> = apps.iter().map(|app| &app.subject).collect();
        session.print_json(&json!({"stopped": stopped, "apps": names}))?;
        return Ok(exit::OK);
    }
    match stopped {
        None => session.print("no daemon runs")?,
        Some(pid) => session.print(&format!("stopped the daemon (pid {pid})"))?,
    }
    for app in &apps {
        let n = app.instances.len();
        session.print(&format!("{} runs on: {n} instances, traffic as it was", app.subject))?;
    }
    Ok(exit::OK)
}

async fn status(session: &Session) -> Done {
    let client = Client::new(session.folders.socket());
    if !client.answers().await {
        if session.common.json {
            session.print_json(&json!({"running": false}))?;
        } else {
            session.print("no daemon runs; the next command that needs it starts it")?;
        }
        return Ok(exit::UNREACHABLE);
    }
    let status: Status = client.get("/v1/status").await?;
    if session.common.json {
        session.print_json(&json!({"running": true, "daemon": status}))?;
    } else {
        session.print(&format!(
            "the daemon runs: pid {}, cutover {}, since {}, {} apps\nstate {}\nsocket {}",
            status.pid,
            status.version,
            render::time(status.since),
            status.apps,
            session.folders.state.display(),
            session.folders.socket().display(),
        ))?;
    }
    Ok(exit::OK)
}
