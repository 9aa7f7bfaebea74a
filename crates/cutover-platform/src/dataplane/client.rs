//! The client of the proxy.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cutover_core::dataplane::{AppState, DataPlaneState, Hello, Publication, Seconds};
use cutover_core::id::{Environment, Subject};
use cutover_core::served_flags::{FlagPublication, FlagSource, FlagsState, Tracks};
use cutover_core::spec::Spec;
use cutover_engine::ports::{DataPlane, DataPlaneError, PlatformError};
use http::Method;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connection::Connection;
use super::listening;
use cutover_files::Program;

/// How long a proxy may take to come up.
const COME_UP: Duration = Duration::from_secs(5);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(5);

/// The data plane behind a Unix socket; the calls are those of [`cutover_core::dataplane`].
///
/// Dropping it ends no proxy.
#[derive(Debug)]
pub struct ProxyClient {
    connection: Connection,
    program: Program,
    state: PathBuf,
    /// Held by the one who starts the proxy.
    start: tokio::sync::Mutex<()>,
    /// Waits for each keeper that was started here, so that no zombie stays.
    keepers: Mutex<JoinSet<()>>,
    /// When a keeper was last replaced.
    replaced: Mutex<Option<Instant>>,
}

impl ProxyClient {
    /// Calls over `control_socket`; where nothing answers, `program proxy-keeper` is started with
    /// `CUTOVER_STATE=state`.
    #[must_use]
    pub fn new(control_socket: PathBuf, program: PathBuf, state: PathBuf) -> ProxyClient {
        ProxyClient {
            connection: Connection::to(control_socket),
            program: Program::open(&program),
            state,
            start: tokio::sync::Mutex::new(()),
            keepers: Mutex::new(JoinSet::new()),
            replaced: Mutex::new(None),
        }
    }

    async fn say_hello(&self, epoch: u32) -> Result<DataPlaneState, DataPlaneError> {
        self.connection.call(Method::POST, "/v1/hello", Some(&Hello { epoch })).await
    }

    /// Serves flags of an environment, by a proxy that is started if there is none.
    ///
    /// # Errors
    /// Where the definitions are refused, or the proxy does not come up.
    pub async fn publish_flags(
        &self,
        environment: &Environment,
        publication: &FlagPublication,
    ) -> Result<FlagsState, DataPlaneError> {
        let path = format!("/v1/flags/{environment}");
        self.started(|| self.connection.call(Method::PUT, &path, Some(publication))).await
    }

    /// Serves flags of an environment no longer.
    ///
    /// # Errors
    /// Where the proxy cannot forget them, or does not come up.
    pub async fn remove_flags(&self, environment: &Environment) -> Result<(), DataPlaneError> {
        let path = format!("/v1/flags/{environment}");
        self.started(|| self.connection.order(Method::DELETE, &path)).await
    }

    /// What is served, by environment; nothing is started for it.
    ///
    /// # Errors
    /// Where nobody answers.
    pub async fn flags(&self) -> Result<BTreeMap<Environment, FlagsState>, DataPlaneError> {
        self.connection.call(Method::GET, "/v1/flags", None::<&()>).await
    }

    /// The documents that are served for an environment, with what is laid over them.
    ///
    /// # Errors
    /// Where none are served, or nobody answers.
    pub async fn flag_sources(
        &self,
        environment: &Environment,
    ) -> Result<Vec<FlagSource>, DataPlaneError> {
        let path = format!("/v1/flags/{environment}/sources");
        self.connection.call(Method::GET, &path, None::<&()>).await
    }

    /// All that the proxy counts, as Prometheus reads it.
    ///
    /// # Errors
    /// Where nobody answers.
    pub async fn metrics(&self) -> Result<String, DataPlaneError> {
        self.connection.text("/metrics").await
    }

    /// What clients told of an environment after a cursor of the process with this epoch.
    ///
    /// # Errors
    /// Where no flags of it are served, or nobody answers.
    pub async fn tracks(
        &self,
        environment: &Environment,
        after: u64,
        epoch: Option<u64>,
    ) -> Result<Tracks, DataPlaneError> {
        let epoch = epoch.map(|epoch| format!("&epoch={epoch}")).unwrap_or_default();
        let path = format!("/v1/flags/{environment}/tracks?after={after}{epoch}");
        self.connection.call(Method::GET, &path, None::<&()>).await
    }

    /// Makes a call that can be repeated, and starts the proxy if nobody answers.
    async fn started<T, F: Future<Output = Result<T, DataPlaneError>>>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<T, DataPlaneError> {
        let _one = self.start.lock().await;
        match call().await {
            Err(DataPlaneError::Unreachable(_)) => {}
            answered => return answered,
        }
        self.start_keeper().map_err(|error| {
            let program = self.program.path().display();
            DataPlaneError::Unreachable(format!("cannot start {program}: {error}").into())
        })?;
        let deadline = Instant::now() + COME_UP;
        loop {
            match call().await {
                Err(DataPlaneError::Unreachable(cause)) if Instant::now() >= deadline => {
                    let log = self.state.join("proxy/keeper.log");
                    let said =
                        format!("{cause}; its keeper may have said why in {}", log.display());
                    return Err(DataPlaneError::Unreachable(said.into()));
                }
                Err(DataPlaneError::Unreachable(_)) => tokio::time::sleep(LOOK).await,
                answered => return answered,
            }
        }
    }

    async fn get_state(&self) -> Result<DataPlaneState, DataPlaneError> {
        self.connection.call(Method::GET, "/v1/state", None::<&()>).await
    }

    /// A proxy whose keeper was killed serves on, but nobody would start it again or keep its
    /// listening sockets: a new keeper takes both over.
    fn replace_keeper(&self) {
        let lock = self.state.join("proxy/keeper.lock");
        if cutover_files::Lock::is_held(&lock).is_ok_and(|held| held) {
            return;
        }
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        if replaced.is_none_or(|at| at.elapsed() > COME_UP) {
            *replaced = Some(Instant::now());
            // If it cannot be started the proxy still serves; the next look tries again.
            let _ = self.start_keeper();
        }
    }

    /// Starts the proxy's keeper. It makes a session of its own and outlives us; if one runs
    /// already, it ends at once.
    fn start_keeper(&self) -> std::io::Result<()> {
        let folder = self.state.join("proxy");
        cutover_files::private_folder(&folder).map_err(|error| error.source)?;
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(folder.join("keeper.log"))?;
        let with = |command: &mut std::process::Command| {
            command
                .arg("proxy-keeper")
                .env("CUTOVER_STATE", &self.state)
                // It is not part of an app, even if the daemon was started by one.
                .env_remove(crate::local::MARK)
                .env_remove("CUTOVER_INSTANCE")
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log.try_clone()?);
            Ok(())
        };
        let spawn = |command| tokio::process::Command::from(command).spawn();
        let mut keeper = self.program.spawn(with, spawn)?;
        let mut keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        while keepers.try_join_next().is_some() {}
        keepers.spawn(async move {
            // What it had to say is in its log.
            let _ = keeper.wait().await;
        });
        Ok(())
    }
}

impl DataPlane for ProxyClient {
    async fn hello(&self, epoch: u32) -> Result<DataPlaneState, DataPlaneError> {
        self.started(|| self.say_hello(epoch)).await
    }

    async fn state(&self) -> Result<DataPlaneState, DataPlaneError> {
        self.replace_keeper();
        self.get_state().await
    }

    async fn publish(
        &self,
        subject: &Subject,
        publication: &Publication,
    ) -> Result<AppState, DataPlaneError> {
        let path = format!("/v1/apps/{subject}");
        self.connection.call(Method::PUT, &path, Some(publication)).await
    }

    async fn remove(&self, subject: &Subject, epoch: u32) -> Result<(), DataPlaneError> {
        let path = format!("/v1/apps/{subject}?epoch={epoch}");
        self.connection.order(Method::DELETE, &path).await
    }

    async fn seconds(&self, subject: &Subject, after: u64) -> Result<Seconds, DataPlaneError> {
        let path = format!("/v1/apps/{subject}/seconds?after={after}");
        self.connection.call(Method::GET, &path, None::<&()>).await
    }

    async fn preflight(&self, subject: &Subject, spec: &Spec) -> Result<(), PlatformError> {
        // A proxy that does not run holds no port, and is started later.
        let state = self.get_state().await.ok();
        listening::check(subject, spec, state.as_ref())
    }
}
