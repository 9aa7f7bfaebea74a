//! From the begin of a rollout to its end, or as long as somebody wants to wait.

use std::time::Duration;

use cutover_core::id::Subject;
use cutover_core::release::ReleaseName;
use cutover_engine::api::{Accepted, Acted, Action};
use tokio::time::{Instant, sleep_until};

use super::summary::{Ended, Summary};
use super::{Feed, Interrupts};
use crate::cli::Session;
use crate::client::{CallError, Client};
use crate::failure::{Done, Failure, exit};
use crate::render::{self, View};

/// From one redraw of timers to the next.
const TICK: Duration = Duration::from_millis(100);

/// A rollout to follow.
#[derive(Debug)]
pub(crate) struct Watch {
    summary: Summary,
    /// Its number, and the index its events come after; `None` if there is nothing to do.
    follow: Option<(u64, u64)>,
    warnings: Vec<String>,
}

impl Watch {
    /// What the daemon said it began.
    pub(crate) fn of(subject: Subject, accepted: Accepted) -> Watch {
        let mut summary = Summary::of(&subject);
        match accepted {
            Accepted::NothingToDo { live } => {
                summary.outcome = Ended::NothingToDo;
                summary.names(Some(&live), &live);
                summary.live = Some(live.to_string());
                Watch { summary, follow: None, warnings: Vec::new() }
            }
            Accepted::Begun { rollout, cursor, from, to, plan, n, warnings } => {
                summary.names(from.as_ref(), &to);
                summary.rollout = Some(rollout);
                summary.pattern = Some(plan.pattern);
                summary.ramp = plan.ramped();
                summary.instances = Some(n);
                summary.live = from.as_ref().map(ToString::to_string);
                Watch { summary, follow: Some((rollout, cursor)), warnings }
            }
        }
    }

    /// A rollout that somebody began before.
    pub(crate) fn joined(
        subject: Subject,
        rollout: u64,
        cursor: u64,
        from: Option<&ReleaseName>,
        to: &ReleaseName,
    ) -> Watch {
        let mut watch = Watch::begun(subject, rollout, cursor);
        watch.summary.names(from, to);
        watch.summary.live = from.map(ToString::to_string);
        watch
    }

    /// A rollout of which only the number is known.
    pub(crate) fn begun(subject: Subject, rollout: u64, cursor: u64) -> Watch {
        let mut summary = Summary::of(&subject);
        summary.rollout = Some(rollout);
        Watch { summary, follow: Some((rollout, cursor)), warnings: Vec::new() }
    }
}

/// Says what was begun and leaves it to the daemon.
pub(crate) fn detached(session: &Session, watch: &Watch) -> Done {
    for warning in &watch.warnings {
        session.note(&format!("warning: {warning}"));
    }
    report(session, &watch.summary)?;
    Ok(exit::OK)
}

/// Follows it to its end and says how it ended.
pub(crate) async fn see_through(
    session: &Session,
    watch: Watch,
    timeout: Option<Duration>,
    interrupts: Interrupts,
) -> Done {
    for warning in &watch.warnings {
        session.note(&format!("warning: {warning}"));
    }
    let (summary, interrupted) = watch_to_end(session, watch, timeout, interrupts).await?;
    let mut summary = summary;
    if interrupted {
        summary.exit_code = exit::INTERRUPTED;
    }
    report(session, &summary)?;
    if summary.exit_code == exit::OK
        && summary.outcome == Ended::Succeeded
        && summary.from.is_some()
        && summary.ramp.is_none()
    {
        session.note(&format!("undo: cutover rollback --app {}", summary.subject));
    }
    match summary.exit_code {
        exit::OK => Ok(exit::OK),
        _ => {
            let mut failure = render::failure(&summary);
            failure.reported = true;
            Err(failure)
        }
    }
}

fn report(session: &Session, summary: &Summary) -> Result<(), Failure> {
    if session.common.json {
        return session.print_json(summary);
    }
    // With `--output ndjson` stdout carries events and nothing else.
    if session.common.output == crate::cli::Output::Ndjson {
        return Ok(());
    }
    match render::result(summary) {
        Some(line) => session.print(&line),
        None => Ok(()),
    }
}

/// Follows it to its end, or until somebody does not want to wait any longer; true if somebody
/// interrupted.
pub(crate) async fn watch_to_end(
    session: &Session,
    watch: Watch,
    timeout: Option<Duration>,
    mut interrupts: Interrupts,
) -> Result<(Summary, bool), Failure> {
    let Watch { mut summary, follow, .. } = watch;
    let Some((number, cursor)) = follow else {
        return Ok((summary, false));
    };
    let mut view = View::new(&session.common);
    let mut feed = Feed::start(&session.folders, Some(&summary.subject), Some(cursor));
    let deadline = timeout.map(|span| Instant::now() + span);
    let mut tick = tokio::time::interval(TICK);
    let mut interrupted = false;
    loop {
        tokio::select! {
            event = feed.next() => match event? {
                Some(event) => {
                    view.event(&event)?;
                    if event.rollout == Some(number) && summary.learn(&event) {
                        break;
                    }
                }
                None => return Err(Failure::new(exit::INTERNAL, "the event stream ended early")),
            },
            _ = tick.tick() => view.tick(),
            () = until(deadline) => {
                summary.outcome = Ended::TimedOut;
                summary.exit_code = exit::TIMED_OUT;
                break;
            }
            () = interrupts.next() => {
                let again = std::mem::replace(&mut interrupted, true);
                let asked = async {
                    match again {
                        true => None,
                        false => Some(turn_back(session, &summary.subject).await),
                    }
                };
                // A daemon that does not answer must not keep anybody here.
                let told = tokio::select! {
                    told = asked => told,
                    () = interrupts.next() => None,
                };
                let Some(told) = told else {
                    summary.outcome = Ended::Detached;
                    break;
                };
                view.note(&told);
            }
        }
    }
    view.end();
    Ok((summary, interrupted))
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Asks the daemon to turn back, and says so.
async fn turn_back(session: &Session, subject: &Subject) -> String {
    let client = Client::new(session.folders.socket());
    let path = format!("/v1/apps/{subject}/actions");
    let asked: Result<Acted, CallError> = client.post(&path, &Action::Abort { force: false }).await;
    match asked {
        Ok(_) => "turning back as you asked (Ctrl-C); again to leave it to the daemon".to_owned(),
        Err(error) => {
            let failure = Failure::from(error);
            format!("cannot turn back: {}; Ctrl-C again to leave it to the daemon", failure.message)
        }
    }
}
