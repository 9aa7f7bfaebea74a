//! The proxy process: from its lock to its last request.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cutover_files::{FileError, private_folder};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::control::{self, Desk};
use crate::keeper::{KeepError, own_socket, take_lock};
use crate::keeper_link::KeeperLink;
use crate::log::Log;
use crate::ofrep::Catalog;
use crate::plane::Plane;
use crate::publish::Publisher;
use crate::state_file::{self, StateError, Stored};
use crate::{Folders, ballast};

/// How long requests may take to end when the proxy is told to.
const GRACE: Duration = Duration::from_secs(5);
/// How long the last answers may take then.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long users queue for a newer table where the one at hand may name instances that are gone;
/// a daemon that runs brings it within a second.
const NEWS: Duration = Duration::from_secs(2);
/// How long the keeper may take to be there.
const KEEPER_LIMIT: Duration = Duration::from_secs(10);

/// A proxy that cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its folders or lock.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another proxy serves from these folders.
    #[error("another proxy holds {}", .0.display())]
    Taken(PathBuf),
    /// Its state cannot be used; it does not start empty instead.
    #[error(transparent)]
    State(#[from] StateError),
    /// Its control socket.
    #[error("cannot serve the control socket")]
    Control(#[source] KeepError),
    /// There is no keeper to get sockets from.
    #[error("the proxy keeper does not answer at {}", .0.display())]
    Keeper(PathBuf),
    /// The runtime, or the system's randomness.
    #[error("cannot begin to serve")]
    System(#[from] io::Error),
}

/// Serves users and the control socket until TERM; then stops accepting, lets requests end for up
/// to 5 s, and returns.
///
/// # Errors
/// Where it cannot begin. Once it serves, it returns only for TERM.
pub fn serve(folders: &Folders) -> Result<(), ServeError> {
    private_folder(&folders.state)?;
    private_folder(&folders.run)?;
    let Some(_lock) = take_lock(&folders.proxy_lock())? else {
        return Err(ServeError::Taken(folders.proxy_lock()));
    };
    let log = Log(folders.log());
    let (stored, fallback) = state_file::load(folders)?;
    if let Some(fallback) = &fallback {
        log.line(&format!("proxy: {}", fallback.warning));
    }
    let is_old = fallback.is_some_and(|fallback| fallback.is_old);
    // Where there is no room now, the next change of a table tries again.
    let _ = ballast::refill(folders);
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(run(folders, stored.unwrap_or_default(), is_old, log));
    // What is still open ends here.
    runtime.shutdown_timeout(Duration::from_millis(100));
    served
}

async fn run(folders: &Folders, stored: Stored, is_old: bool, log: Log) -> Result<(), ServeError> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut epoch = [0; 8];
    getrandom::fill(&mut epoch).map_err(io::Error::other)?;
    let publisher = Arc::new(Publisher {
        plane: Arc::new(Plane::default()),
        folders: folders.clone(),
        link: KeeperLink(folders.keeper_socket()),
        listeners: Arc::default(),
        log,
        epoch: u64::from_ne_bytes(epoch),
        fence: AtomicU32::new(0),
        change: tokio::sync::Mutex::default(),
        awaited: std::sync::Mutex::default(),
    });
    if is_old {
        publisher.wait_for_news(stored.apps.keys().cloned());
    }
    let catalog = Arc::new(Catalog {
        environments: Default::default(),
        plane: Arc::clone(&publisher.plane),
        folders: folders.clone(),
        link: publisher.link.clone(),
        listeners: Arc::clone(&publisher.listeners),
        log: publisher.log.clone(),
        epoch: publisher.epoch,
        change: Default::default(),
    });
    let plane = &publisher.plane;
    plane.second.store(1, Ordering::SeqCst);
    wait_for_keeper(folders).await?;
    if !publisher.restore(stored).await {
        plane.tasks.spawn(reopen(Arc::clone(&publisher)));
    }
    catalog.restore().await;
    if !catalog.open_missing().await {
        plane.tasks.spawn(reopen_flags(Arc::clone(&catalog)));
    }
    let socket = own_socket(&folders.control_socket()).map_err(ServeError::Control)?;
    socket.set_nonblocking(true)?;
    let socket = tokio::net::UnixListener::from_std(socket)?;
    if is_old {
        let publisher = Arc::clone(&publisher);
        plane.tasks.spawn(async move {
            sleep(NEWS).await;
            publisher.wait_no_longer();
        });
    }
    let desk = Desk { publisher: Arc::clone(&publisher), catalog };
    plane.tasks.spawn(control::serve(Arc::new(desk), socket));
    plane.tasks.spawn(count_seconds(Arc::clone(plane)));
    let watcher = Arc::clone(&publisher);
    plane.tasks.spawn(async move {
        let (link, stop) = (watcher.link.clone(), &watcher.plane.stop);
        link.watch(&watcher.listeners, &watcher.log, stop).await;
    });

    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    plane.stop.cancel();
    plane.users.close();
    // Tables come meanwhile as before, so that those who are held may still be served.
    if timeout(GRACE, plane.users.wait()).await.is_err() {
        // They are told, and what else has not ended is cut.
        plane.end.cancel();
        let _ = timeout(LAST_WORDS, plane.users.wait()).await;
    }
    Ok(())
}

async fn wait_for_keeper(folders: &Folders) -> Result<(), ServeError> {
    let path = folders.keeper_socket();
    let answers = async {
        while tokio::net::UnixStream::connect(&path).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(KEEPER_LIMIT, answers).await.map_err(|_| ServeError::Keeper(path.clone()))
}

async fn reopen(publisher: Arc<Publisher>) {
    loop {
        sleep(Duration::from_secs(1)).await;
        if publisher.reopen().await {
            return;
        }
    }
}

async fn reopen_flags(catalog: Arc<Catalog>) {
    loop {
        sleep(Duration::from_secs(1)).await;
        if catalog.open_missing().await {
            return;
        }
    }
}

async fn count_seconds(plane: Arc<Plane>) {
    let mut seconds = interval(Duration::from_secs(1));
    // A late tick makes one longer second, not several empty ones.
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    seconds.tick().await;
    loop {
        seconds.tick().await;
        let number = plane.second.fetch_add(1, Ordering::SeqCst);
        for route in plane.routes().apps.values() {
            route.app.measure.finish(number);
            route.app.tidy();
        }
    }
}

/// Each request may need two descriptors. Where the limit cannot be raised it stays as it is.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let _ = setrlimit(Resource::Nofile, raised);
}
