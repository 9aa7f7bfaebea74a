//! The limits of an instance that left the table.

use std::sync::Arc;
use std::time::Duration;

use cutover_core::dataplane::Frontend;
use tokio::time::{Instant, sleep, sleep_until};

use crate::instance::Instance;
use crate::plane::Plane;

/// Starts the clocks of an instance that has just left. An instance that comes back stops them.
///
/// Upgraded connections are closed one by one over their limit, so that their users do not all come
/// back in the same moment.
pub(crate) fn begin(plane: &Plane, instance: &Arc<Instance>, limits: &Frontend) {
    let departure = instance.departure();
    let (requests, upgraded) = (limits.drain_requests.0, limits.drain_upgraded.0);
    let leaving = Arc::clone(instance);
    plane.tasks.spawn(async move {
        sleep(requests).await;
        if leaving.departure() == departure {
            leaving.cut_requests();
        }
    });
    let leaving = Arc::clone(instance);
    plane.tasks.spawn(async move { spread(&leaving, departure, upgraded).await });
}

async fn spread(instance: &Instance, departure: u64, limit: Duration) {
    let begin = Instant::now();
    let wires = instance.upgraded_wires();
    let count = u32::try_from(wires.len()).unwrap_or(u32::MAX);
    for (place, wire) in (1..).zip(wires) {
        sleep_until(begin + limit * place / count).await;
        if instance.departure() != departure {
            return;
        }
        wire.cut();
    }
    sleep_until(begin + limit).await;
    if instance.departure() == departure {
        // Those that were upgraded after the instance left.
        for wire in instance.upgraded_wires() {
            wire.cut();
        }
    }
}
