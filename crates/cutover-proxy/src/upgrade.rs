//! Connections that stop being HTTP: WebSockets and the like.

use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::timeout;

use crate::claim::Claim;
use crate::connect::is_dead;
use crate::frames::{Frames, GOING_AWAY};
use crate::plane::Plane;
use crate::pool::Lane;
use crate::tally::{Outcome, Tally};

/// How long an instance may go on sending to a user who has nothing more to say.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long a user of a WebSocket may take to hear that its server goes away.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Bytes that are passed on at a time.
const PIECE: usize = 8 * 1024;

/// Passes bytes both ways from now on. The request counts as an upgraded connection of its
/// instance, and is counted as ended when that ends, without a latency. A WebSocket that is cut is
/// closed with code 1001, unless that would be in the middle of a frame.
pub(crate) fn begin(
    plane: &Plane,
    (user, instance, is_websocket): (OnUpgrade, OnUpgrade, bool),
    mut claim: Claim,
    lane: Lane,
    mut tally: Tally,
) {
    // First, so that the drain limit of ordinary requests does not cut it.
    lane.wire.set_upgraded();
    claim.upgrade();
    let wire = lane.wire;
    plane.users.spawn(async move {
        let (Ok(user), Ok(server)) = tokio::join!(user, instance) else {
            return;
        };
        let mut tunnel = Tunnel::new(user, server);
        let ended = tokio::select! {
            ended = tunnel.run() => ended,
            () = wire.until_cut() => Ended::ByUser,
        };
        if wire.is_cut() && is_websocket {
            // Whoever does not listen learns it from the end of the connection.
            let _ = timeout(LAST_WORDS, tunnel.go_away()).await;
        }
        drop(tunnel);
        let instance = claim.instance();
        tally.outcome = if wire.is_cut() {
            Outcome::Cut
        } else if ended == Ended::ByInstance
            && !instance.has_left()
            && is_dead(instance.address).await
        {
            Outcome::Lost
        } else {
            Outcome::Closed
        };
        // Names the whole value: a closure takes only the fields that it mentions.
        drop(tally);
    });
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    ByUser,
    ByInstance,
}

struct Tunnel {
    up: Flow,
    down: Flow,
}

impl Tunnel {
    fn new(user: Upgraded, instance: Upgraded) -> Tunnel {
        let (from_user, to_user) = split(TokioIo::new(user));
        let (from_instance, to_instance) = split(TokioIo::new(instance));
        Tunnel { up: Flow::new(from_user, to_instance), down: Flow::new(from_instance, to_user) }
    }

    async fn run(&mut self) -> Ended {
        let (up, down) = (self.up.run(), self.down.run());
        tokio::pin!(up, down);
        tokio::select! {
            () = &mut down => Ended::ByInstance,
            () = &mut up => {
                // Late is as good as never here.
                let _ = timeout(FAREWELL, down).await;
                Ended::ByUser
            }
        }
    }

    /// Tells the user of a WebSocket that its server goes away.
    async fn go_away(&mut self) {
        let to_user = &mut self.down.to;
        if self.down.frames.may_end() && to_user.write_all(&GOING_AWAY).await.is_ok() {
            let _ = to_user.shutdown().await;
            // The kernel answers bytes that nobody reads with a reset, which would overtake this.
            let mut bytes = [0; 512];
            while matches!(self.up.from.read(&mut bytes).await, Ok(1..)) {}
        }
    }
}

/// One direction.
struct Flow {
    from: ReadHalf<TokioIo<Upgraded>>,
    to: WriteHalf<TokioIo<Upgraded>>,
    /// What went to the end of it.
    frames: Frames,
}

impl Flow {
    fn new(from: ReadHalf<TokioIo<Upgraded>>, to: WriteHalf<TokioIo<Upgraded>>) -> Flow {
        Flow { from, to, frames: Frames::default() }
    }

    /// Passes bytes on to the end.
    async fn run(&mut self) {
        let mut bytes = vec![0; PIECE];
        while let Ok(count @ 1..) = self.from.read(&mut bytes).await {
            let mut rest = bytes.get(..count).unwrap_or_default();
            while !rest.is_empty() {
                let Ok(count @ 1..) = self.to.write(rest).await else { return };
                let (gone, left) = rest.split_at(count.min(rest.len()));
                self.frames.pass(gone);
                rest = left;
            }
        }
    }
}
