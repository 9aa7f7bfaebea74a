//! The endless body of `/events`.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::watch;
use tokio::time::{Interval, interval};

const EVERY: Duration = Duration::from_millis(100);

/// Server-sent events: `data: N VERSION` every 100 ms, until the program stops.
pub(crate) struct Ticks {
    interval: Interval,
    number: u64,
    version: String,
    stopping: watch::Receiver<bool>,
}

impl Ticks {
    pub(crate) fn new(version: &str, stopping: watch::Receiver<bool>) -> Self {
        Self { interval: interval(EVERY), number: 0, version: version.to_owned(), stopping }
    }
}

impl Body for Ticks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.interval.poll_tick(context));
        if *self.stopping.borrow() {
            return Poll::Ready(None);
        }
        let event = format!("id: {0}\ndata: {0} {1}\n\n", self.number, self.version);
        self.number += 1;
        Poll::Ready(Some(Ok(Frame::data(event.into()))))
    }
}
