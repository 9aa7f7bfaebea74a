//! `cutover promote`, `confirm`, `pause`, `resume`, `abort`, `retry`, `scale`, `down`: what a person
//! asks of an app.

use std::time::Duration;

use cutover_core::id::Subject;
use cutover_core::units::Count;
use cutover_engine::api::{Acted, Action, AppStatus};
use tokio::time::{Instant, sleep};

use super::Session;
use super::deploy::Following;
use crate::client::{CallError, Client};
use crate::failure::{Done, Failure, exit};
use crate::leftovers;
use crate::rollout::{Interrupts, Watch};

/// Turn the rollout back.
///
/// Takes all traffic off the new version first. With --force also where nobody serves then.
///
/// Example: cutover abort --app shop
#[derive(Debug, clap::Args)]
pub(super) struct Abort {
    /// Even if nobody serves then.
    #[arg(long)]
    force: bool,
}

/// Begin the last rollout anew, and see it through.
///
/// Example: cutover retry
#[derive(Debug, clap::Args)]
pub(super) struct Retry {
    #[command(flatten)]
    following: Following,
}

/// Run another number of instances, until the spec's value changes.
///
/// Example: cutover scale 6
#[derive(Debug, clap::Args)]
pub(super) struct Scale {
    /// How many.
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    n: Count,
}

/// Stop an app's instances and free its port.
///
/// With --all every app, and then the proxy and the daemon: nothing of Cutover is left running.
///
/// Example: cutover down shop
#[derive(Debug, clap::Args)]
pub(super) struct Down {
    /// Which app; --app does as well.
    #[arg(id = "which", value_name = "APP")]
    app: Option<String>,
    /// Every app, and then the proxy and the daemon.
    #[arg(long, conflicts_with = "which")]
    all: bool,
}

/// Asks the daemon to do something with an app.
pub(crate) async fn act(
    client: &Client,
    subject: &Subject,
    action: Action,
) -> Result<Acted, CallError> {
    client.post(&path(subject), &action).await
}

/// The answer comes when every instance has been drained and is gone.
async fn take_down(client: &Client, app: &AppStatus) -> Result<Acted, CallError> {
    client.post_and_wait(&path(&app.subject), &Action::Down).await
}

fn path(subject: &Subject) -> String {
    format!("/v1/apps/{subject}/actions")
}

pub(super) fn say(session: &Session, acted: &Acted, text: &str) -> Done {
    if session.common.json {
        session.print_json(acted)?;
    } else {
        session.print(text)?;
    }
    if !acted.recorded {
        session.note("it is done, and is recorded as soon as the journal can be written again");
    }
    Ok(exit::OK)
}

pub(super) async fn promote(session: &Session) -> Done {
    plain(session, Action::Promote, "goes on").await
}
pub(super) async fn confirm(session: &Session) -> Done {
    plain(session, Action::Confirm, "is confirmed; it no longer turns back by itself").await
}
pub(super) async fn pause(session: &Session) -> Done {
    plain(session, Action::Pause, "pauses before its next stage; go on: cutover resume").await
}
pub(super) async fn resume(session: &Session) -> Done {
    plain(session, Action::Resume, "goes on").await
}

async fn plain(session: &Session, action: Action, what: &str) -> Done {
    let client = session.client().await?;
    let app = session.known(&client).await?;
    let acted = act(&client, &app.subject, action).await?;
    let number = acted.rollout.map_or_else(String::new, |number| format!(" rollout #{number}"));
    say(session, &acted, &format!("{}{number} {what}", app.subject))
}

impl Abort {
    pub(super) async fn run(self, session: &Session) -> Done {
        let what = "turns back; watch it: cutover status --watch";
        plain(session, Action::Abort { force: self.force }, what).await
    }
}

impl Retry {
    pub(super) async fn run(self, session: &Session) -> Done {
        let client = session.client().await?;
        let app = session.known(&client).await?;
        let mut interrupts = Interrupts::watch()?;
        let acted = interrupts.or(act(&client, &app.subject, Action::Retry)).await?;
        let number = acted.rollout.ok_or_else(|| {
            Failure::new(exit::INTERNAL, "the daemon did not say which rollout it began")
        })?;
        let watch = Watch::begun(app.subject, number, acted.cursor);
        self.following.see_through(session, watch, interrupts).await
    }
}

impl Scale {
    pub(super) async fn run(self, session: &Session) -> Done {
        let client = session.client().await?;
        let app = session.known(&client).await?;
        let acted = act(&client, &app.subject, Action::Scale { n: self.n }).await?;
        let text = format!("{}: {} → {} instances", app.subject, app.n, self.n);
        say(session, &acted, &text)
    }
}

impl Down {
    pub(super) async fn run(self, session: &Session) -> Done {
        if self.all {
            return all_down(session).await;
        }
        let mut session = session.clone();
        if self.app.is_some() {
            session.common.app = self.app;
        }
        let client = session.client().await?;
        let app = session.known(&client).await?;
        let n = app.instances.len();
        session.confirm(&format!("stop {} ({n} instances) and free its port?", app.subject))?;
        let acted = take_down(&client, &app).await?;
        wait_until_gone(&client, &app).await?;
        say(&session, &acted, &format!("{} is down; its port is free", app.subject))
    }
}

async fn all_down(session: &Session) -> Done {
    let client = session.client().await?;
    let apps: Vec<AppStatus> = client.get("/v1/apps").await?;
    let names: Vec<String> = apps.iter().map(|app| app.subject.to_string()).collect();
    session.confirm(&format!(
        "stop {} apps ({}) and Cutover itself?",
        apps.len(),
        names.join(", ")
    ))?;
    for app in &apps {
        take_down(&client, app).await?;
        wait_until_gone(&client, app).await?;
    }
    crate::daemon::stop(&session.folders).await?;
    leftovers::end(&session.folders.state).await?;
    if session.common.json {
        session.print_json(&serde_json::json!({ "down": names }))?;
    } else {
        let apps = if names.is_empty() { "no app".to_owned() } else { names.join(", ") };
        session.print(&format!("{apps} down; the proxy and the daemon have ended"))?;
    }
    Ok(exit::OK)
}

/// Draining takes as long as the spec allows; beyond the longest sensible sum a person is told.
async fn wait_until_gone(client: &Client, app: &AppStatus) -> Result<(), Failure> {
    const POLL: Duration = Duration::from_millis(50);
    let limit = Instant::now() + Duration::from_secs(300);
    loop {
        let apps: Vec<AppStatus> = client.get("/v1/apps").await?;
        let found = apps.iter().find(|other| other.subject == app.subject);
        let left = found.map_or(0, |app| app.instances.len());
        if left == 0 {
            return Ok(());
        }
        if Instant::now() > limit {
            return Err(Failure::new(
                exit::TIMED_OUT,
                format!("{left} instances of {} still run after 5 minutes", app.subject),
            )
            .help(format!("cutover status --app {}", app.subject)));
        }
        sleep(POLL).await;
    }
}
