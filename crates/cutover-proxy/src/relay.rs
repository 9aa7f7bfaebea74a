//! The body of an answer on its way from an instance to a user.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::claim::Claim;
use crate::connect::give_back;
use crate::forward::settle;
use crate::plane::Plane;
use crate::pool::{Lane, Line};
use crate::tally::{Outcome, Tally};

/// What a request occupies while its answer comes through.
#[derive(Debug)]
pub(crate) struct Passage {
    pub(crate) plane: Arc<Plane>,
    pub(crate) claim: Claim,
    pub(crate) lane: Lane,
    pub(crate) tally: Tally,
    pub(crate) status: StatusCode,
}

/// Passes the answer on piece by piece as the user takes it, and sees how it ends.
#[derive(Debug)]
pub(crate) struct Relay {
    body: Incoming,
    /// Until the end has been seen.
    passage: Option<Box<Passage>>,
}

impl Relay {
    pub(crate) fn new(body: Incoming, passage: Passage) -> Relay {
        let mut relay = Relay { body, passage: Some(Box::new(passage)) };
        relay.finish_at_end();
        relay
    }

    /// A body of known length ends with its last byte, and nobody asks for more.
    fn finish_at_end(&mut self) {
        if self.body.is_end_stream()
            && let Some(passage) = self.passage.take()
        {
            passage.complete();
        }
    }
}

impl Passage {
    fn complete(self) {
        let Passage { plane, claim, lane, mut tally, status } = self;
        tally.outcome = Outcome::Answered(status);
        drop(tally);
        give_back(&plane, claim.instance(), Line::Users, lane);
    }

    fn broken(mut self) {
        if self.lane.wire.is_cut() {
            self.tally.outcome = Outcome::Cut;
        } else {
            settle(&self.plane, self.claim.instance(), self.tally);
        }
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let polled = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(match polled {
            Some(Ok(frame)) => {
                if let (Some(passage), Some(data)) = (&mut self.passage, frame.data_ref()) {
                    passage.tally.see(data);
                }
                self.finish_at_end();
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                if let Some(passage) = self.passage.take() {
                    passage.broken();
                }
                Some(Err(io::Error::other(error)))
            }
            None => match self.passage.take() {
                // A body that ends with its connection looks complete when that is cut.
                Some(passage) if passage.lane.wire.is_cut() => {
                    passage.broken();
                    Some(Err(io::Error::other("the instance was taken out of service")))
                }
                Some(passage) => {
                    passage.complete();
                    None
                }
                None => None,
            },
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
