//! `cutover events`

use std::str::FromStr;

use cutover_core::event::Event;
use cutover_core::id::Subject;
use cutover_engine::api::HistoryEntry;

use super::since::Since;
use super::{Output, Session};
use crate::client::Client;
use crate::failure::{Done, Failure, exit};
use crate::render::{self, Names};
use crate::rollout::{Choice, Feed, Interrupts};

/// Show what happened, oldest first.
///
/// Of the app of cutover.yaml here, or of --app; of all apps where there is neither. The newest
/// 100,000 events are kept. With --output ndjson each is one JSON object; its `index` goes into
/// --after to read on from there.
///
/// Example: cutover events --since 1h --follow
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Go on as events come.
    #[arg(short, long)]
    follow: bool,
    /// Only events since: a span like 1h, or a time like 2026-11-23 or 2026-11-23T18:00:00Z.
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// Only events after this index; now: only those to come.
    #[arg(long, value_name = "INDEX", default_value = "0")]
    after: After,
    /// Only events of one rollout, by its number in `history`.
    #[arg(long, value_name = "N", value_parser = rollout)]
    rollout: Option<u64>,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Now,
    Index(u64),
}

impl FromStr for After {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<After, &'static str> {
        match text {
            "now" => Ok(After::Now),
            number => number.parse().map(After::Index).map_err(|_| "use a number, or now"),
        }
    }
}

/// `12`, or `#12` as it is shown.
fn rollout(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.parse().map_err(|_| "use a rollout's number, like 12".to_owned())
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        let client = session.client().await?;
        let subject = session.named()?;
        let mut names = known(session, &client, subject.as_ref()).await?;
        let mut interrupts = Interrupts::watch()?;
        let choice = Choice {
            subject: subject.as_ref(),
            rollout: self.rollout,
            since: self.since.map(|since| since.before(render::now())),
            after: match self.after {
                After::Now => None,
                After::Index(index) => Some(index),
            },
            follow: self.follow,
        };
        let mut feed = Feed::of(&session.folders, choice);
        let mut none = true;
        loop {
            let event = tokio::select! {
                event = feed.next() => event?,
                () = interrupts.next() => return Ok(exit::INTERRUPTED),
            };
            let Some(event) = event else {
                if none {
                    session.note("no such event is stored");
                }
                return Ok(exit::OK);
            };
            none = false;
            names.learn(&event);
            show(session, &event, &names)?;
        }
    }
}

fn show(session: &Session, event: &Event, names: &Names) -> Result<(), Failure> {
    if session.common.json || session.common.output == Output::Ndjson {
        return session.print(&render::json(event)?);
    }
    for line in render::plain(event, names) {
        session.print(&line)?;
    }
    Ok(())
}

/// The names of releases, as the events shown may begin in the middle of a rollout.
async fn known(
    session: &Session,
    client: &Client,
    subject: Option<&Subject>,
) -> Result<Names, Failure> {
    let of = subject.map_or_else(String::new, |subject| format!("&subject={subject}"));
    let past: Vec<HistoryEntry> = client.get(&format!("/v1/history?most=1000{of}")).await?;
    if past.is_empty() && session.common.app.is_some() {
        // One that never was is most likely misspelt.
        session.known(client).await?;
    }
    let mut names = Names::default();
    for HistoryEntry { subject, from, to, .. } in &past {
        names.know(subject, from.as_ref());
        names.know(subject, Some(to));
    }
    Ok(names)
}
