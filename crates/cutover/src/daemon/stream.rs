//! Events as lines: first the stored ones, then those that come, none missing and none twice.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cutover_core::event::Event;
use cutover_core::id::Subject;
use cutover_core::units::At;
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
    /// Only events of this time or later.
    pub(crate) since: Option<At>,
    /// Only events with a higher index; `None`: only those that come from now on.
    pub(crate) after: Option<u64>,
    pub(crate) follow: bool,
}

/// Where stored and live events meet: each comes from both sides, and goes on once.
#[derive(Debug)]
struct Seam {
    wanted: Wanted,
    /// Index of the last event seen, wanted or not.
    last: u64,
}

impl Seam {
    fn wants(&self, event: &Event) -> bool {
        let Wanted { subject, rollout, since, .. } = &self.wanted;
        subject.as_ref().is_none_or(|subject| *subject == event.subject)
            && rollout.is_none_or(|rollout| event.rollout == Some(rollout))
            && since.is_none_or(|since| since <= event.at)
    }

    /// The event's line, unless it was seen already or nobody wants it.
    fn line(&mut self, event: &Event) -> Option<Bytes> {
        if event.index <= self.last {
            return None;
        }
        self.last = event.index;
        let mut line = serde_json::to_vec(event).ok().filter(|_| self.wants(event))?;
        line.push(b'\n');
        Some(line.into())
    }
}

struct Reader {
    daemon: Shared,
    seam: Seam,
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
        behind: wanted.after.is_some(),
        seam: Seam { last: wanted.after.unwrap_or(0), wanted },
        daemon,
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
            } else if self.seam.wanted.follow {
                self.wait().await?;
            } else {
                return None;
            }
        }
    }

    async fn read_stored(&mut self) -> Option<()> {
        let subject = self.seam.wanted.subject.as_ref();
        // A journal that cannot be read ends the stream; the client comes back at its cursor.
        let page = self.daemon.engine.events(subject, self.seam.last, PAGE).await.ok()?;
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

    fn take(&mut self, event: &Event) {
        self.ready.extend(self.seam.line(event));
    }
}

#[cfg(test)]
mod tests {
    use cutover_core::event::EventKind;

    use super::*;

    fn event(index: u64, subject: &str, rollout: Option<u64>) -> Event {
        let kind = EventKind::Warning { text: "x".into() };
        Event { index, at: At(index * 10), subject: subject.parse().unwrap(), rollout, kind }
    }

    #[test]
    fn an_event_that_is_stored_and_live_goes_out_once() {
        let subject = Some("shop".parse().unwrap());
        let wanted =
            Wanted { subject, rollout: Some(7), since: None, after: Some(2), follow: true };
        let mut seam = Seam { last: 2, wanted };
        assert!(seam.line(&event(2, "shop", Some(7))).is_none(), "before the cursor");
        assert!(seam.line(&event(3, "shop", Some(7))).is_some());
        assert!(seam.line(&event(3, "shop", Some(7))).is_none(), "again, live");
        assert!(seam.line(&event(4, "other", Some(7))).is_none());
        assert!(seam.line(&event(5, "shop", Some(8))).is_none());
        assert!(seam.line(&event(6, "shop", Some(7))).is_some());
    }

    #[test]
    fn events_before_the_time_asked_for_are_left_out() {
        let wanted = Wanted {
            subject: None,
            rollout: None,
            since: Some(At(30)),
            after: Some(0),
            follow: false,
        };
        let mut seam = Seam { last: 0, wanted };
        let indices = (1..=4).filter(|index| seam.line(&event(*index, "shop", None)).is_some());
        assert_eq!(indices.collect::<Vec<_>>(), [3, 4]);
    }
}
