//! Events as they come, through restarts of the daemon.

use std::time::Duration;

use cutover_core::event::Event;
use cutover_core::id::Subject;
use cutover_core::units::At;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::client::{CallError, Client};
use crate::daemon;
use crate::failure::Failure;
use crate::folders::Folders;

/// How often in a row the daemon is looked for again before giving up.
const TRIES: u32 = 10;

/// Events of one app or all, from a cursor on.
#[derive(Debug)]
pub(crate) struct Feed {
    events: mpsc::Receiver<Result<Event, Failure>>,
    _reader: JoinSet<()>,
}

/// Which events.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Choice<'a> {
    /// Of one app only.
    pub(crate) subject: Option<&'a Subject>,
    /// Of one rollout only.
    pub(crate) rollout: Option<u64>,
    /// Of this time or later.
    pub(crate) since: Option<At>,
    /// With a higher index; `None`: from now on.
    pub(crate) after: Option<u64>,
    /// Also those to come.
    pub(crate) follow: bool,
}

impl Feed {
    /// Events after `after` (`None`: from now on), as they come.
    pub(crate) fn start(folders: &Folders, of: Option<&Subject>, after: Option<u64>) -> Feed {
        Feed::of(folders, Choice { subject: of, after, follow: true, ..Choice::default() })
    }

    /// The events that are chosen.
    pub(crate) fn of(folders: &Folders, choice: Choice<'_>) -> Feed {
        let (sender, events) = mpsc::channel(64);
        let Choice { subject, rollout, since, after, follow } = choice;
        let mut query = format!("/v1/events?follow={follow}");
        query.extend(subject.map(|subject| format!("&subject={subject}")));
        query.extend(rollout.map(|number| format!("&rollout={number}")));
        query.extend(since.map(|since| format!("&since={}", since.0)));
        let source = Source { folders: folders.clone(), query, after, follow };
        let mut reader = JoinSet::new();
        reader.spawn(source.read(sender));
        Feed { events, _reader: reader }
    }

    /// The next event; `None` at the end of the stored ones. Safe to drop in the middle.
    ///
    /// # Errors
    /// If the daemon cannot be reached, nor started again.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Failure> {
        self.events.recv().await.transpose()
    }
}

struct Source {
    folders: Folders,
    query: String,
    after: Option<u64>,
    follow: bool,
}

impl Source {
    async fn read(mut self, sender: mpsc::Sender<Result<Event, Failure>>) {
        let mut tries = 0;
        loop {
            let ended = self.connection(&sender, &mut tries).await;
            match ended {
                // The receiver has gone.
                _ if sender.is_closed() => return,
                Ok(()) if !self.follow => return,
                Err(CallError::Failed(failure)) => {
                    let _ = sender.send(Err(failure)).await;
                    return;
                }
                Err(CallError::Gone(failure)) if tries >= TRIES => {
                    let _ = sender.send(Err(failure)).await;
                    return;
                }
                Ok(()) | Err(CallError::Gone(_)) => {}
            }
            tries += 1;
            tokio::time::sleep(Duration::from_millis(20 << tries.min(6))).await;
        }
    }

    /// One connection to its end.
    async fn connection(
        &mut self,
        sender: &mpsc::Sender<Result<Event, Failure>>,
        tries: &mut u32,
    ) -> Result<(), CallError> {
        let client: Client =
            daemon::find_or_start(&self.folders).await.map_err(CallError::Gone)?.client;
        let after = self.after.map_or_else(|| "now".to_owned(), |after| after.to_string());
        let mut stream = client.events(&format!("{}&after={after}", self.query)).await?;
        while let Some(event) = stream.next().await.map_err(CallError::Failed)? {
            *tries = 0;
            self.after = Some(event.index);
            if sender.send(Ok(event)).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}
