//! Connections that stop being HTTP: WebSockets and the like.

use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf, copy, split};
use tokio::time::timeout;

use crate::claim::Claim;
use crate::connect::is_dead;
use crate::plane::Plane;
use crate::pool::Lane;
use crate::tally::{Outcome, Tally};

/// How long an instance may go on sending to a user who has nothing more to say.
const FAREWELL: Duration = Duration::from_secs(10);

/// Passes bytes both ways from now on. The request counts as an upgraded connection of its
/// instance, and is counted as ended when that ends, without a latency.
pub(crate) fn begin(
    plane: &Plane,
    (user, instance): (OnUpgrade, OnUpgrade),
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
        let ended = tokio::select! {
            ended = tunnel(user, server) => ended,
            () = wire.until_cut() => Ended::ByUser,
        };
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

async fn tunnel(user: Upgraded, instance: Upgraded) -> Ended {
    let (from_user, to_user) = split(TokioIo::new(user));
    let (from_instance, to_instance) = split(TokioIo::new(instance));
    let up = pass(from_user, to_instance);
    let down = pass(from_instance, to_user);
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

async fn pass(mut from: ReadHalf<TokioIo<Upgraded>>, mut to: WriteHalf<TokioIo<Upgraded>>) {
    // However it ended, the other side shall see an end; one that broke cannot be told.
    let _ = copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
}
