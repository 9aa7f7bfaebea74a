//! Connections to instances: made, and given back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout};

use crate::attempt::Unanswered;
use crate::instance::Instance;
use crate::plane::Plane;
use crate::pool::{Lane, Line, Upload};
use crate::wire::{Wire, WireIo};

const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// How long a connection may take to become idle after its answer ended, say because the instance
/// answered before it had read the whole request.
const LINGER: Duration = Duration::from_secs(5);
/// How long a request waits for a descriptor, if none is left: one that ends gives its own back.
const SHORTAGE: Duration = Duration::from_secs(5);
/// Between two looks whether there is one.
const SHORTAGE_LOOK: Duration = Duration::from_millis(10);

/// A new connection to an instance.
pub(crate) async fn connect(
    plane: &Plane,
    instance: &Arc<Instance>,
    line: Line,
) -> Result<Lane, Unanswered> {
    // That a copy found nobody says nothing to users' requests.
    let refused = || {
        if line == Line::Users {
            instance.refused();
        }
    };
    let stream = match open(plane, instance, line).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            refused();
            return Err(Unanswered::Refused);
        }
        Ok(Err(error)) => return Err(Unanswered::Unreachable(error)),
        Err(_) => {
            refused();
            return Err(Unanswered::TimedOut);
        }
    };
    let wire = Wire::new(stream);
    instance.connected(&wire);
    let io = TokioIo::new(WireIo(Arc::clone(&wire)));
    let shaken = http1::handshake::<_, Upload>(io).await;
    let (mut sender, connection) =
        shaken.map_err(|error| Unanswered::Unreachable(io::Error::other(error)))?;
    plane.tasks.spawn(async move {
        // Its errors reach the request that suffers from them.
        let _ = connection.with_upgrades().await;
    });
    match sender.ready().await {
        Ok(()) => Ok(Lane { sender, wire, reused: false }),
        Err(error) => Err(Unanswered::Unreachable(io::Error::other(error))),
    }
}

/// Opens a connection, as soon as there is a descriptor for it.
async fn open(
    plane: &Plane,
    instance: &Instance,
    line: Line,
) -> Result<io::Result<TcpStream>, Elapsed> {
    let end = Instant::now() + SHORTAGE;
    let mut wait = None;
    loop {
        match timeout(CONNECT_LIMIT, TcpStream::connect(instance.address)).await {
            // A copy can be left out.
            Ok(Err(error))
                if is_shortage(&error) && line == Line::Users && Instant::now() < end =>
            {
                wait.get_or_insert_with(|| Short::of(plane));
                instance.pool(line).clear();
                sleep(SHORTAGE_LOOK).await;
            }
            connected => return connected,
        }
    }
}

/// A request that waits for a descriptor, counted until this is dropped: nobody is let in
/// meanwhile, who would take the next one.
struct Short<'a>(&'a AtomicUsize);

impl<'a> Short<'a> {
    fn of(plane: &'a Plane) -> Short<'a> {
        plane.short.fetch_add(1, Ordering::SeqCst);
        Short(&plane.short)
    }
}

impl Drop for Short<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Is no descriptor left, to this process or to the machine?
fn is_shortage(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Keeps a connection whose answer has ended for the next request of its line.
pub(crate) fn give_back(plane: &Plane, instance: &Arc<Instance>, line: Line, mut lane: Lane) {
    if lane.sender.is_ready() {
        instance.pool(line).put(lane);
    } else if !lane.sender.is_closed() {
        let instance = Arc::clone(instance);
        plane.tasks.spawn(async move {
            if let Ok(Ok(())) = timeout(LINGER, lane.sender.ready()).await {
                instance.pool(line).put(lane);
            }
        });
    }
}

/// Does nobody listen there?
pub(crate) async fn is_dead(address: SocketAddr) -> bool {
    matches!(
        timeout(CONNECT_LIMIT, TcpStream::connect(address)).await,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused
    )
}
