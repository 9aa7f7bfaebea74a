//! The daemon's part in experiments: reads what clients told the proxy, and keeps it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cutover_core::id::Environment;
use cutover_engine::tracks::{Split, TrackLog};
use cutover_flags::{Definitions, Selector};
use cutover_platform::ProxyClient;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::failure::Failure;
use crate::folders::Folders;
use crate::render;

/// How often the proxy is asked. It holds 50,000 tracks meanwhile.
const READ: Duration = Duration::from_secs(1);
/// How often old ones are looked for.
const TIDY: Duration = Duration::from_secs(600);

/// How flags deal their users out, in one version of the definitions.
type Splits = Arc<BTreeMap<String, Split>>;

/// Reads what clients tell.
#[derive(Debug)]
pub(crate) struct Collector {
    log: Arc<TrackLog>,
    proxy: ProxyClient,
    /// Of each environment, for the version that was served last.
    splits: HashMap<Environment, (String, Splits)>,
    /// What kept tracks of an environment from being kept, as it was told.
    troubles: HashMap<Environment, String>,
}

impl Collector {
    pub(crate) fn new(log: Arc<TrackLog>, proxy: ProxyClient) -> Collector {
        Collector { log, proxy, splits: HashMap::new(), troubles: HashMap::new() }
    }

    /// Reads for ever; `warn` is told what is lost.
    pub(crate) async fn collect(mut self, warn: impl AsyncFn(&Environment, &str)) {
        let mut ticks = interval(READ);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tidied: Option<Instant> = None;
        loop {
            ticks.tick().await;
            // A proxy that does not answer is told of elsewhere; it remembers what it is told.
            let served = self.proxy.flags().await.unwrap_or_default();
            self.splits.retain(|env, _| served.contains_key(env));
            for env in served.keys() {
                let trouble = self.read(env, &warn).await.err();
                let Some(trouble) = trouble else {
                    self.troubles.remove(env);
                    continue;
                };
                if self.troubles.insert(env.clone(), trouble.clone()).as_ref() != Some(&trouble) {
                    let text = format!(
                        "tracks of {env} are not kept: {trouble}; the proxy remembers the newest"
                    );
                    warn(env, &text).await;
                }
            }
            let due = tidied.is_none_or(|at| at.elapsed() >= TIDY);
            let log = Arc::clone(&self.log);
            // What cannot be dropped now is dropped later.
            let _ = spawn_blocking(move || log.tidy(render::now(), due)).await;
            if due {
                tidied = Some(Instant::now());
            }
        }
    }

    /// Reads an environment up to now. A proxy that does not answer is no trouble: nothing is lost.
    async fn read(
        &mut self,
        env: &Environment,
        warn: &impl AsyncFn(&Environment, &str),
    ) -> Result<(), String> {
        loop {
            let (log, own) = (Arc::clone(&self.log), env.clone());
            let cursor = blocking(move || log.cursor(&own)).await?;
            let Ok(tracks) = self.proxy.tracks(env, cursor.after, cursor.epoch).await else {
                return Ok(());
            };
            let count = tracks.tracks.len();
            if count == 0 && tracks.forgotten == 0 && cursor.epoch == Some(tracks.epoch) {
                return Ok(());
            }
            let Some(splits) = self.splits(env, &tracks.version).await else { return Ok(()) };
            let (log, own) = (Arc::clone(&self.log), env.clone());
            let kept = blocking(move || log.keep(&own, &tracks, &splits)).await?;
            match kept {
                (0, false) => {}
                (0, true) => {
                    let text = format!(
                        "the proxy started again: what was tracked for {env} in the second before \
                         may be lost"
                    );
                    warn(env, &text).await;
                }
                (lost, _) => {
                    let text = format!("{lost} tracks of {env} were lost before they were read");
                    warn(env, &text).await;
                }
            }
            if count == 0 {
                return Ok(());
            }
        }
    }

    /// How flags deal their users out; asked for again when other definitions are served.
    async fn splits(&mut self, env: &Environment, version: &str) -> Option<Splits> {
        if let Some((known, splits)) = self.splits.get(env)
            && known == version
        {
            return Some(Arc::clone(splits));
        }
        let sources = self.proxy.flag_sources(env).await.ok()?;
        let splits = spawn_blocking(move || {
            let sources: Vec<_> = sources.iter().map(super::source).collect();
            let (definitions, _) = Definitions::load(&sources);
            splits_of(&definitions)
        });
        let splits = Arc::new(splits.await.ok()?);
        self.splits.insert(env.clone(), (version.to_owned(), Arc::clone(&splits)));
        Some(splits)
    }
}

fn splits_of(definitions: &Definitions) -> BTreeMap<String, Split> {
    let flags = definitions.get(&Selector::All);
    let split = |key: &str| {
        let shares = flags.shares(key)?;
        let (weights, default, picks) = (shares.weights, shares.default, shares.picks);
        Some((key.to_owned(), Split { weights, default, picks }))
    };
    flags.keys().filter_map(split).collect()
}

async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, String>
where
    T: Send + 'static,
    E: std::error::Error + Send + 'static,
{
    let done = spawn_blocking(work).await.map_err(|error| error.to_string())?;
    done.map_err(|error| match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    })
}

/// Opens what is kept.
pub(crate) fn open_tracks(folders: &Folders) -> Result<Arc<TrackLog>, Failure> {
    let opened = TrackLog::open(&folders.state).map_err(|error| {
        let path = folders.state.join("tracks.db");
        Failure::internal(format!("{} cannot be opened", path.display()), &error)
            .help("move it away: what clients told is lost with it, and nothing else")
    });
    Ok(Arc::new(opened?))
}
