//! A copy of a request: sent, answered and thrown away beside the original, which never waits for
//! it.

use std::hash::RandomState;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cutover_core::comparison::Copies;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::attempt::{Tried, Unanswered, attempt};
use crate::claim::Claim;
use crate::connect::give_back;
use crate::fingerprint::COUNTED;
use crate::pair::{Answered, CopyEnd, Pair};
use crate::plane::Plane;
use crate::pool::{Lane, Line, Upload};

/// Copies of one app that may be under way; requests beyond are not copied.
const UNDER_WAY: usize = 256;
/// Bytes of bodies that the copies of one app may keep.
const ROOM: usize = 64 * 1024 * 1024;
/// How long a copy may take.
const LIMIT: Duration = Duration::from_secs(10);

/// What the copies of one app share.
#[derive(Debug)]
pub(crate) struct Copying {
    under_way: Arc<Semaphore>,
    room: Arc<Semaphore>,
    /// Of the fingerprints of bodies.
    pub(crate) key: RandomState,
}

impl Default for Copying {
    fn default() -> Copying {
        Copying {
            under_way: Arc::new(Semaphore::new(UNDER_WAY)),
            room: Arc::new(Semaphore::new(ROOM)),
            key: RandomState::new(),
        }
    }
}

impl Copying {
    /// Room for more bytes of a body, if there is any.
    pub(crate) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).ok()?;
        Arc::clone(&self.room).try_acquire_many_owned(bytes).ok()
    }
}

/// A copy that is to be sent.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) plane: Arc<Plane>,
    pub(crate) pair: Arc<Pair>,
    pub(crate) head: Parts,
}

impl Order {
    /// Sends it, as a task of its own, unless too many are under way.
    pub(crate) fn send(self, body: Bytes, room: Option<OwnedSemaphorePermit>) {
        let Order { plane, pair, head } = self;
        let Ok(place) = Arc::clone(&pair.app().copying.under_way).try_acquire_owned() else {
            let copies = Copies { behind: 1, ..Copies::default() };
            pair.app().measure.copied(&copies, None, None);
            return;
        };
        // Nothing is copied any more if the mirror has ended since the request was dealt.
        let Some(claim) = plane.claim_copy(pair.app()) else { return };
        pair.sent();
        let request = Request::from_parts(head, Either::Right(Full::new(body)));
        let tasks = plane.tasks.clone();
        tasks.spawn(async move {
            let exchange = Box::pin(exchange(&plane, &claim, &pair, request));
            let end = timeout(LIMIT, exchange).await.unwrap_or(CopyEnd::Late);
            pair.copied(end);
            // Until here it counts as inside the instance, and takes its place and room.
            drop((claim, place, room));
        });
    }
}

async fn exchange(plane: &Plane, claim: &Claim, pair: &Pair, request: Request<Upload>) -> CopyEnd {
    let begin = Instant::now();
    let mut tried = attempt(plane, claim.instance(), Line::Copies, request, true).await;
    if let Tried::Again(request, Unanswered::Broken) = tried {
        // A connection that was idle and has just been closed.
        tried = attempt(plane, claim.instance(), Line::Copies, request, false).await;
    }
    match tried {
        Tried::Answered(response, lane) => {
            let read = read(response, &lane, pair, begin).await;
            if let (CopyEnd::Answered(_), true) = &read {
                give_back(plane, claim.instance(), Line::Copies, lane);
            }
            read.0
        }
        Tried::Again(_, Unanswered::Cut) | Tried::Failed(Unanswered::Cut) => CopyEnd::Cut,
        Tried::Again(..) | Tried::Failed(_) | Tried::UserLeft => CopyEnd::Broken,
    }
}

/// Reads an answer and throws it away. The second value: was it read to its end?
async fn read(
    response: Response<Incoming>,
    lane: &Lane,
    pair: &Pair,
    begin: Instant,
) -> (CopyEnd, bool) {
    let (head, mut body) = response.into_parts();
    let mut print = pair.fingerprint();
    let mut length = 0;
    let is_whole = loop {
        match body.frame().await {
            None => break true,
            // Enough is known about it; more would only cost users' requests their turn.
            Some(Ok(_)) if length > COUNTED => break false,
            Some(Ok(frame)) => {
                let data = frame.data_ref().map_or(&[][..], |data| data);
                length += data.len() as u64;
                if let Some(print) = &mut print {
                    print.add(data);
                }
            }
            Some(Err(_)) if lane.wire.is_cut() => return (CopyEnd::Cut, false),
            Some(Err(_)) => return (CopyEnd::Broken, false),
        }
    };
    // A body that ends with its connection looks complete when that is cut.
    if lane.wire.is_cut() {
        return (CopyEnd::Cut, false);
    }
    let answered = Answered { status: head.status, latency: begin.elapsed(), print };
    (CopyEnd::Answered(answered), is_whole)
}
