//! Listening sockets of users and previews.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::plane::Plane;

/// Between two looks whether there is a descriptor again.
const SHORTAGE_LOOK: Duration = Duration::from_millis(10);

/// The open listeners by name.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    open: Mutex<BTreeMap<String, Listener>>,
}

#[derive(Debug)]
struct Listener {
    address: SocketAddr,
    /// For a keeper that has to adopt it.
    fd: OwnedFd,
    /// Nobody is accepted before: who waited for long must not be told that there is no such app.
    begin: CancellationToken,
    close: CancellationToken,
    task: JoinHandle<()>,
}

impl Listeners {
    /// Where this one listens, if it does.
    pub(crate) fn address(&self, name: &str) -> Option<SocketAddr> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(name).map(|listener| listener.address)
    }

    /// All names.
    pub(crate) fn names(&self) -> Vec<String> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.keys().cloned().collect()
    }

    /// All of them, for a keeper that has to adopt them.
    pub(crate) fn duplicates(&self) -> Vec<(String, SocketAddr, OwnedFd)> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let duplicate = |(name, listener): (&String, &Listener)| {
            Some((name.clone(), listener.address, listener.fd.try_clone().ok()?))
        };
        open.iter().filter_map(duplicate).collect()
    }

    /// Takes a socket, from which users are accepted once [`Listeners::begin`] is called; each
    /// connection is given to `welcome`, which returns at once.
    pub(crate) fn open(
        &self,
        plane: &Arc<Plane>,
        name: String,
        socket: OwnedFd,
        welcome: impl Fn(TcpStream, SocketAddr) + Send + Sync + 'static,
    ) -> io::Result<SocketAddr> {
        let socket = TcpListener::from(socket);
        let address = socket.local_addr()?;
        let fd = socket.as_fd().try_clone_to_owned()?;
        let socket = tokio::net::TcpListener::from_std(socket)?;
        let (begin, close) = (CancellationToken::new(), CancellationToken::new());
        let (begun, closed) = (begin.clone(), close.clone());
        let plane = Arc::clone(plane);
        let task = { Arc::clone(&plane) }.tasks.spawn(async move {
            tokio::select! {
                () = begun.cancelled() => {}
                () = closed.cancelled() => {}
            }
            accept(plane, socket, welcome, closed).await;
        });
        let listener = Listener { address, fd, begin, close, task };
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(name, listener);
        Ok(address)
    }

    /// Accepts users from now on: what is in force knows where they go.
    pub(crate) fn begin(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().for_each(|listener| listener.begin.cancel());
    }

    /// The same of one listener that asks nobody where its users go.
    pub(crate) fn begin_at(&self, name: &str) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(name).into_iter().for_each(|listener| listener.begin.cancel());
    }

    /// Accepts what is queued and closes this process's descriptors of it.
    pub(crate) async fn close(&self, name: &str) {
        let closed = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Some(listener) = closed {
            listener.close.cancel();
            // It does not fail, and is not aborted.
            let _ = listener.task.await;
        }
    }
}

/// Waits until nobody else waits for a descriptor and there is one more: who is let in needs
/// another one behind the proxy.
async fn room(plane: &Plane, socket: &tokio::net::TcpListener) {
    let is_short =
        || plane.short.load(Ordering::SeqCst) > 0 || socket.as_fd().try_clone_to_owned().is_err();
    while is_short() && !plane.stop.is_cancelled() {
        tokio::time::sleep(SHORTAGE_LOOK).await;
    }
}

async fn accept(
    plane: Arc<Plane>,
    socket: tokio::net::TcpListener,
    welcome: impl Fn(TcpStream, SocketAddr),
    close: CancellationToken,
) {
    let welcome = |accepted: io::Result<(TcpStream, SocketAddr)>| {
        let (stream, from) = accepted?;
        welcome(stream, from);
        io::Result::Ok(())
    };
    loop {
        tokio::select! {
            biased;
            // What is queued stays there for the next proxy: the keeper holds the socket.
            () = plane.stop.cancelled() => return,
            () = close.cancelled() => break,
            accepted = socket.accept() => {
                // The others queue meanwhile.
                room(&plane, &socket).await;
                if welcome(accepted).is_err() {
                    // Out of descriptors, say.
                    tokio::time::sleep(SHORTAGE_LOOK).await;
                }
            }
        }
    }
    while let Some(accepted) = socket.accept().now_or_never() {
        if welcome(accepted).is_err() {
            break;
        }
    }
}
