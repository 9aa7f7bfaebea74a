//! The daemon's life.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use cutover_core::id::{Environment, Subject};
use cutover_core::spec::PlatformKind;
use cutover_files::Lock;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::door::{Door, Peer};
use super::routes::Daemon;
use super::start::refuse_inside_instance;
use super::{table, world};
use crate::failure::{Done, Failure, exit};
use crate::flags::{Collector, open_tracks};
use crate::folders::{Folders, RUN, STATE};
use crate::{binary, folders, render};

/// Requests under way get this long to end when the daemon stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// Runs the daemon until it is told to stop.
pub(crate) fn run(folders: &Folders, detached: bool, say: &mut dyn io::Write) -> Done {
    refuse_inside_instance()?;
    folders.prepare()?;
    hand_down(folders)?;
    if detached {
        // It leads a group of its own already if it was started from a job-controlling shell.
        let _ = rustix::process::setsid();
    }
    let Some(_lock) = Lock::try_take(&folders.lock())? else {
        writeln!(say, "a daemon runs already in {}", folders.state.display())?;
        return Ok(exit::OK);
    };
    if let Err(error) = binary::remove_unused(folders)
        && error.kind() != io::ErrorKind::NotFound
    {
        writeln!(say, "old copies of the program are left in place: {error}")?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("cannot start the runtime", &error))?;
    runtime.block_on(serve(folders, say))
}

/// Starts this program anew if its children could not find the folders by the environment: a
/// process cannot safely change its own.
fn hand_down(folders: &Folders) -> Result<(), Failure> {
    let told = |name: &str| std::env::var_os(name);
    let state = folders.state.as_os_str();
    let run = folders.run.as_os_str();
    if told(STATE).as_deref() == Some(state) && told(RUN).as_deref() == Some(run) {
        return Ok(());
    }
    let mut again = Command::new(binary::own(folders)?);
    again.args(std::env::args_os().skip(1));
    folders.tell(&mut again);
    let error = again.exec();
    Err(Failure::internal("cannot start the daemon", &error))
}

async fn serve(folders: &folders::Folders, say: &mut dyn io::Write) -> Done {
    let cannot = |what: &'static str| move |error: io::Error| Failure::internal(what, &error);
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot("cannot watch signals"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot("cannot watch signals"))?;
    // A daemon outlives the terminal it was started from.
    let mut hang_up = signal(SignalKind::hangup()).map_err(cannot("cannot watch signals"))?;

    let since = render::now();
    let engine = world::open(folders).await?;
    let door = Door::open(&folders.socket()).map_err(cannot("cannot open the daemon's socket"))?;
    let tracks = open_tracks(folders)?;
    let collector = Collector::new(Arc::clone(&tracks), world::proxy(folders)?);
    let daemon = Arc::new(Daemon {
        engine,
        tracks,
        flags: world::open_flags(folders)?,
        platforms: vec![PlatformKind::Local],
        since,
        stop: stop.clone(),
    });
    writeln!(
        say,
        "{} cutover {} daemon, pid {}, on {}",
        render::time(since),
        crate::cli::VERSION,
        std::process::id(),
        folders.socket().display()
    )?;

    let service = table::router(daemon.clone()).into_make_service_with_connect_info::<Peer>();
    let told = stop.clone();
    let server =
        axum::serve(door, service).with_graceful_shutdown(async move { told.cancelled().await });
    let mut server = std::pin::pin!(server.into_future());
    let watcher = daemon.clone();
    let mut watching = std::pin::pin!(async move {
        watcher.flags.watch(async |env, text| watcher.engine.warn(env, text).await).await;
    });
    let (follower, events) = (daemon.clone(), daemon.engine.subscribe());
    let mut following = std::pin::pin!(async move {
        let status = async |app: &Subject| {
            let apps = follower.engine.status(Some(app)).await;
            apps.ok().and_then(|apps| apps.into_iter().next())
        };
        follower.flags.follow(events, status).await;
        std::future::pending::<()>().await;
    });
    let reader = daemon.clone();
    let mut reading = std::pin::pin!(
        collector
            .collect(async |env: &Environment, text: &str| reader.engine.warn(env, text).await)
    );
    let result = loop {
        tokio::select! {
            ended = &mut server => break ended,
            () = &mut watching => {}
            () = &mut following => {}
            () = &mut reading => {}
            _ = terminate.recv() => stop.cancel(),
            _ = interrupt.recv() => stop.cancel(),
            _ = hang_up.recv() => {}
            () = stop.cancelled() => {
                // A connection somebody keeps open for nothing must not keep the daemon alive.
                break tokio::time::timeout(FAREWELL, &mut server).await.unwrap_or(Ok(()));
            }
        }
    };
    daemon.engine.stop().await;
    // The next daemon removes the file, too, but until then nobody should wait in vain on it.
    let _ = std::fs::remove_file(folders.socket());
    result.map_err(cannot("the daemon cannot serve"))?;
    writeln!(say, "{} stopped; apps and the proxy run on", render::time(render::now()))?;
    Ok(exit::OK)
}
