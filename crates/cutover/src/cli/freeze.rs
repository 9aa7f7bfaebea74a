//! `cutover freeze`, `unfreeze`: no new releases for a while.

use cutover_core::units::Span;
use cutover_engine::api::{Acted, Action, AppStatus};
use serde_json::json;

use super::Session;
use super::action::{act, say};
use crate::failure::{Done, exit};

/// Refuse new releases for a while.
///
/// A rollout that is running goes on; abort and rollback stay possible. `deploy` ends with exit
/// code 8 meanwhile, and says who froze the app and why.
///
/// Example: cutover freeze -m "sale on Friday" --for 3d
#[derive(Debug, clap::Args)]
pub(super) struct Freeze {
    /// Why.
    #[arg(short, long, value_name = "WHY", default_value = "no reason given")]
    message: String,
    /// For how long; without it until `unfreeze`.
    #[arg(long = "for", value_name = "SPAN")]
    lasts: Option<Span>,
    /// Every app that there is now.
    #[arg(long)]
    all: bool,
}

/// Allow new releases again.
///
/// Example: cutover unfreeze --all
#[derive(Debug, clap::Args)]
pub(super) struct Unfreeze {
    /// Every app that is frozen.
    #[arg(long)]
    all: bool,
}

impl Freeze {
    pub(super) async fn run(self, session: &Session) -> Done {
        let action = Action::Freeze { reason: self.message, lasts: self.lasts };
        let until = match self.lasts {
            Some(span) => format!("for {span}"),
            None => "until `cutover unfreeze`".to_owned(),
        };
        all_or_one(session, self.all, &action, |_| true, &format!("is frozen {until}")).await
    }
}

impl Unfreeze {
    pub(super) async fn run(self, session: &Session) -> Done {
        let frozen = |app: &AppStatus| app.frozen.is_some();
        all_or_one(session, self.all, &Action::Unfreeze, frozen, "takes new releases again").await
    }
}

async fn all_or_one(
    session: &Session,
    all: bool,
    action: &Action,
    concerned: impl Fn(&AppStatus) -> bool,
    what: &str,
) -> Done {
    let client = session.client().await?;
    if !all {
        let app = session.known(&client).await?;
        let acted = act(&client, &app.subject, action.clone()).await?;
        return say(session, &acted, &format!("{} {what}", app.subject));
    }
    let apps: Vec<AppStatus> = client.get("/v1/apps").await?;
    let mut done = vec![];
    for app in apps.iter().filter(|app| concerned(app)) {
        let _: Acted = act(&client, &app.subject, action.clone()).await?;
        if !session.common.json {
            session.print(&format!("{} {what}", app.subject))?;
        }
        done.push(app.subject.to_string());
    }
    if session.common.json {
        session.print_json(&json!({ "apps": done }))?;
    } else if done.is_empty() {
        session.print("no app is concerned: nothing was changed")?;
    }
    Ok(exit::OK)
}
