//! Idle connections to one instance.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::client::conn::http1::SendRequest;

use crate::tee::Tee;
use crate::wire::Wire;

/// The body of a request on its way to an instance: a user's, or one that is here whole.
pub(crate) type Upload = Either<Tee, Full<Bytes>>;

/// How long a connection may have been idle to be used for a request that may be sent only once:
/// half of the shortest idle close that servers are known for.
pub(crate) const FRESH: Duration = Duration::from_secs(1);
/// The same for requests that can be repeated; older ones are closed.
pub(crate) const USABLE: Duration = Duration::from_secs(4);
/// More idle connections than this per instance are closed as they come back.
const MOST: usize = 256;

/// A connection to an instance that one request at a time uses.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) sender: SendRequest<Upload>,
    pub(crate) wire: Arc<Wire>,
    /// Did it carry a request before this one?
    pub(crate) reused: bool,
}

/// What a connection is for: users' requests never share one with copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Requests of users.
    Users,
    /// Copies of them.
    Copies,
}

#[derive(Debug)]
struct Idle {
    lane: Lane,
    since: Instant,
}

/// The idle connections; none while the instance is out of the table.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    // Last in, first out: the least idle one is the one least likely to be closed by the instance.
    idle: Mutex<Option<Vec<Idle>>>,
}

impl Pool {
    /// Takes one that was idle for at most `limit`.
    pub(crate) fn take(&self, limit: Duration) -> Option<Lane> {
        loop {
            let idle = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                let idle = idle.as_mut()?;
                if idle.last()?.since.elapsed() > limit {
                    return None;
                }
                idle.pop()?
            };
            let lane = idle.lane;
            if lane.sender.is_ready() && !lane.wire.is_stale() && !lane.wire.is_cut() {
                return Some(Lane { reused: true, ..lane });
            }
        }
    }

    /// Takes one back that has carried its request to the end.
    pub(crate) fn put(&self, lane: Lane) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = idle.as_mut()
            && idle.len() < MOST
        {
            idle.push(Idle { lane, since: Instant::now() });
        }
    }

    /// Closes those that were idle too long.
    pub(crate) fn expire(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = idle.as_mut() {
            idle.retain(|idle| idle.since.elapsed() <= USABLE && !idle.lane.sender.is_closed());
        }
    }

    /// Closes all of them; those that come back are kept as before.
    pub(crate) fn clear(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = idle.as_mut() {
            idle.clear();
        }
    }

    /// Connections may be kept from now on.
    pub(crate) fn open(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.get_or_insert_default();
    }

    /// Closes all idle connections, and those in use as they come back.
    pub(crate) fn close(&self) {
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
