//! The body of a user's request on its way to an instance, and perhaps into a copy.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use cutover_core::comparison::Copies;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::copy::Order;
use crate::headers;

/// Passes the body on as fast as its instance takes it, and keeps what came through until it is
/// whole. The copy has no say in it: what it cannot keep up with is not copied.
#[derive(Debug)]
pub(crate) struct Tee {
    body: Incoming,
    copy: Option<Box<Recording>>,
}

impl Tee {
    /// For a request that is not copied.
    pub(crate) fn plain(body: Incoming) -> Tee {
        Tee { body, copy: None }
    }

    /// For one that is, unless its body turns out to be larger than this.
    pub(crate) fn new(body: Incoming, order: Order, most: u32) -> Tee {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let recording = Recording { order, most, bytes: Vec::new(), room: None };
        let mut tee = Tee { body, copy: Some(Box::new(recording)) };
        tee.send_at_end();
        tee
    }

    /// A body of known length ends with its last byte, and nobody asks for more.
    fn send_at_end(&mut self) {
        if self.body.is_end_stream()
            && let Some(recording) = self.copy.take()
        {
            recording.send();
        }
    }
}

impl Body for Tee {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut polled = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &mut polled {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    headers::trailers_for_instance(trailers);
                }
                if let Some(data) = frame.data_ref() {
                    self.copy = self.copy.take().and_then(|copy| copy.add(data));
                }
                self.send_at_end();
            }
            Some(Err(_)) => self.copy = None,
            None => {
                if let Some(recording) = self.copy.take() {
                    recording.send();
                }
            }
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The part of a body that came through so far.
#[derive(Debug)]
struct Recording {
    order: Order,
    most: usize,
    bytes: Vec<u8>,
    /// As large as the capacity of `bytes`, out of what all copies of the app share.
    room: Option<OwnedSemaphorePermit>,
}

impl Recording {
    /// Keeps a piece; `None` where there shall be no copy any more.
    fn add(mut self: Box<Self>, data: &[u8]) -> Option<Box<Recording>> {
        let app = self.order.pair.app();
        let length = self.bytes.len().saturating_add(data.len());
        if length > self.most {
            let copies = Copies { too_large: 1, ..Copies::default() };
            app.measure.copied(&copies, None, None);
            return None;
        }
        // Pieces are copied, since each may be a small part of a large buffer that it keeps alive.
        let capacity = self.bytes.capacity();
        if length > capacity {
            let grown = length.max(capacity.saturating_mul(2)).min(self.most);
            let Some(room) = app.copying.room(grown - capacity) else {
                let copies = Copies { behind: 1, ..Copies::default() };
                app.measure.copied(&copies, None, None);
                return None;
            };
            self.bytes.reserve_exact(grown - self.bytes.len());
            match &mut self.room {
                Some(all) => all.merge(room),
                none => *none = Some(room),
            }
        }
        self.bytes.extend_from_slice(data);
        Some(self)
    }

    fn send(self) {
        let Recording { order, bytes, room, .. } = self;
        order.send(Bytes::from(bytes), room);
    }
}
