//! Events as lines: first the stored ones, then those that come, none missing and none twice.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cutover_core::event::Event;
use cutover_core::id::Subject;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::routes::Shared;

/// Stored events read at a time.
const PAGE: usize = 500;
/// From one blank line to the next while nothing happens.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Which events a client wants.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) subject: Option<Subject>,
    pub(crate) rollout: Option<u64>,
    /// Only events with a higher index; `None`: only those that come from now on.
    pub(crate) after: Option<u64>,
    pub(crate) follow: bool,
}

impl Wanted {
    fn has(&self, event: &Event) -> bool {
        self.subject.as_ref().is_none_or(|subject| *subject == event.subject)
            && self.rollout.is_none_or(|rollout| event.rollout == Some(rollout))
    }
}

struct Reader {
    daemon: Shared,
    wanted: Wanted,
    /// Index of the last event seen, wanted or not.
    last: u64,
    /// Subscribed *before* the stored events are read, so that nothing falls between.
    live: Receiver<Arc<Event>>,
    /// Stored events may be left to read: at the start, and after falling behind.
    behind: bool,
    ready: VecDeque<Bytes>,
}

/// The events as a stream of lines.
pub(crate) fn lines(
    daemon: Shared,
    wanted: Wanted,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let reader = Reader {
        live: daemon.engine.subscribe(),
        last: wanted.after.unwrap_or(0),
        behind: wanted.after.is_some(),
        daemon,
        wanted,
        ready: VecDeque::new(),
    };
    unfold(reader, |mut reader| async move {
        let line = reader.next().await?;
        Some((Ok(line), reader))
    })
}

impl Reader {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(line);
            }
            if self.behind {
                self.read_stored().await?;
            } else if self.wanted.follow {
                self.wait().await?;
            } else {
                return None;
            }
        }
    }

    async fn read_stored(&mut self) -> Option<()> {
        let subject = self.wanted.subject.as_ref();
        // A journal that cannot be read ends the stream; the client comes back at its cursor.
        let page = self.daemon.engine.events(subject, self.last, PAGE).await.ok()?;
        // A short page may only be one with events left out that this build cannot read.
        self.behind = !page.is_empty();
        for event in &page {
            self.take(event);
        }
        Some(())
    }

    async fn wait(&mut self) -> Option<()> {
        tokio::select! {
            () = self.daemon.stop.cancelled() => return None,
            received = tokio::time::timeout(HEARTBEAT, self.live.recv()) => match received {
                Err(_elapsed) => self.ready.push_back(Bytes::from_static(b"\n")),
                Ok(Ok(event)) => self.take(&event),
                Ok(Err(RecvError::Lagged(_))) => self.behind = true,
                Ok(Err(RecvError::Closed)) => return None,
            },
        }
        Some(())
    }

    /// Takes an event unless the stored ones already had it.
    fn take(&mut self, event: &Event) {
        if event.index <= self.last {
            return;
        }
        self.last = event.index;
        if self.wanted.has(event)
            && let Ok(mut line) = serde_json::to_vec(event)
        {
            line.push(b'\n');
            self.ready.push_back(line.into());
        }
    }
}
