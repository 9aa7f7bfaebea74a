//! `cutover logs`

use std::collections::BTreeMap;
use std::time::Duration;

use cutover_core::id::InstanceId;
use cutover_core::observed::State;
use cutover_engine::api::{AppStatus, InstanceStatus};
use serde_json::json;

use super::Session;
use crate::client::Client;
use crate::failure::{Done, Failure, exit};
use crate::render;
use crate::rollout::Interrupts;

/// Show what instances wrote.
///
/// Example: cutover logs v2.0 --follow
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which instance, as `status` names it; all if not given.
    instance: Option<String>,
    /// Go on as lines come; of one instance until it is gone.
    #[arg(short, long, conflicts_with = "json")]
    follow: bool,
    /// How many of the last lines.
    #[arg(short = 'n', long, default_value_t = 100, value_name = "N")]
    lines: usize,
}

/// The most lines read again at each look while following.
const WINDOW: usize = 1000;

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        let client = session.client().await?;
        let app = session.known(&client).await?;
        let wanted = self.instance.as_deref().map(|text| find(&app, text)).transpose()?;
        if session.common.json {
            let mut all = BTreeMap::new();
            for instance in chosen(&app, wanted) {
                let lines = read(&client, &app, instance.id, self.lines).await?;
                all.insert(render::instance(&instance.release, instance.id), lines);
            }
            session.print_json(&json!({"logs": all}))?;
            return Ok(exit::OK);
        }
        let mut shown: BTreeMap<InstanceId, Vec<String>> = BTreeMap::new();
        let mut interrupts = Interrupts::watch()?;
        let mut app = app;
        loop {
            for instance in chosen(&app, wanted) {
                let first = !shown.contains_key(&instance.id);
                let most = if first { self.lines } else { WINDOW };
                let lines = match read(&client, &app, instance.id, most).await {
                    Ok(lines) => lines,
                    // It may have gone since.
                    Err(_) if self.follow => continue,
                    Err(failure) => return Err(failure),
                };
                let known = shown.entry(instance.id).or_default();
                let name = render::instance(&instance.release, instance.id);
                let one = wanted.is_some();
                for line in news(known, &lines) {
                    session.print(&if one { line.clone() } else { format!("{name} | {line}") })?;
                }
                *known = lines;
            }
            if !self.follow {
                return Ok(exit::OK);
            }
            tokio::select! {
                () = tokio::time::sleep(pace(&app, wanted)) => {}
                () = interrupts.next() => return Ok(exit::INTERRUPTED),
            }
            if let Ok(now) = client.get(&format!("/v1/apps/{}", app.subject)).await {
                app = now;
                if wanted.is_some() && chosen(&app, wanted).next().is_none() {
                    session.note(&format!("{} is gone", self.instance.unwrap_or_default()));
                    return Ok(exit::OK);
                }
            }
        }
    }
}

/// From one look to the next; one that is stopping is gone soon, and its last words with it.
fn pace(app: &AppStatus, wanted: Option<InstanceId>) -> Duration {
    let stops = chosen(app, wanted).any(|one| one.state == State::Stopping);
    Duration::from_millis(if stops { 25 } else { 250 })
}

fn chosen(app: &AppStatus, wanted: Option<InstanceId>) -> impl Iterator<Item = &InstanceStatus> {
    let is_wanted = move |instance: &&InstanceStatus| wanted.is_none_or(|id| instance.id == id);
    app.instances.iter().filter(is_wanted)
}

async fn read(
    client: &Client,
    app: &AppStatus,
    id: InstanceId,
    lines: usize,
) -> Result<Vec<String>, Failure> {
    let path = format!("/v1/apps/{}/logs/{id}?lines={lines}", app.subject);
    Ok(client.get(&path).await?)
}

/// The instance of this name (`v2.0`) or id (`r2.0`).
fn find(app: &AppStatus, text: &str) -> Result<InstanceId, Failure> {
    let named = app.instances.iter().find(|instance| {
        render::instance(&instance.release, instance.id) == text || instance.id.to_string() == text
    });
    named.map(|instance| instance.id).ok_or_else(|| {
        let names: Vec<String> = app
            .instances
            .iter()
            .map(|instance| render::instance(&instance.release, instance.id))
            .collect();
        Failure::usage(format!("{} has no instance {text}", app.subject))
            .help(format!("its instances are {}", names.join(", ")))
    })
}

/// The lines of `now` that come after those of `before`: the longest end of `before` that `now`
/// begins with or contains is old.
fn news<'a>(before: &[String], now: &'a [String]) -> &'a [String] {
    let Some(last) = before.last() else {
        return now;
    };
    for end in (1..=now.len()).rev() {
        let head = now.get(..end).unwrap_or_default();
        let overlap = head.len().min(before.len());
        let old = before.get(before.len() - overlap..).unwrap_or_default();
        let new = head.get(head.len() - overlap..).unwrap_or_default();
        if head.last() == Some(last) && old == new {
            return now.get(end..).unwrap_or_default();
        }
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn only_new_lines_are_shown_again() {
        assert_eq!(news(&lines(""), &lines("a b")), lines("a b"));
        assert_eq!(news(&lines("a b"), &lines("a b c")), lines("c"));
        assert_eq!(news(&lines("a b c"), &lines("b c d e")), lines("d e"));
        assert_eq!(news(&lines("a a"), &lines("a a a")), lines(""), "the same lines again are old");
        assert_eq!(news(&lines("x y"), &lines("a b")), lines("a b"), "after a rotation all is new");
    }
}
