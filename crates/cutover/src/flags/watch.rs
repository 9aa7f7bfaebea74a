//! The daemon's part: reads definitions, publishes what changed, and remembers what it serves.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use cutover_core::id::Environment;
use cutover_core::served_flags::{FlagPublication, FlagsState};
use cutover_core::table::Generation;
use cutover_engine::api::{Refused, RefusedKind};
use cutover_engine::ports::DataPlaneError;
use cutover_files::{FileError, write_atomic};
use cutover_platform::ProxyClient;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::sources::{Seen, Sources};
use super::{Offer, Offered};
use crate::failure::Failure;

/// How often files are looked at: by their times, so that nothing a folder is made of matters.
const LOOK: Duration = Duration::from_secs(1);
/// How often the proxy is told that nothing is newer, and brought back if it lost something.
const CONFIRM: Duration = Duration::from_secs(10);

/// Flags of all environments.
#[derive(Debug)]
pub(crate) struct Flags {
    file: PathBuf,
    proxy: ProxyClient,
    /// Number of this daemon's start: the proxy takes nothing from one before it.
    epoch: u32,
    environments: Mutex<BTreeMap<Environment, Watched>>,
}

/// What is kept across starts.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    epoch: u32,
    environments: BTreeMap<Environment, Offer>,
}

#[derive(Debug)]
struct Watched {
    offer: Offer,
    seq: u32,
    sources: Sources,
    /// Could a source not be looked at when that was tried last?
    missed: bool,
    /// What the sources looked like when they were read last.
    seen: Vec<Seen>,
    /// What was accepted last, to be told again.
    accepted: Option<FlagPublication>,
    told: Instant,
    trouble: Option<String>,
    served: Option<FlagsState>,
}

impl Watched {
    fn new(offer: Offer) -> Watched {
        let told = Instant::now();
        let (seen, accepted, trouble, served) = (vec![], None, None, None);
        let (sources, missed) = (Sources::default(), false);
        Watched { offer, seq: 0, sources, missed, seen, accepted, told, trouble, served }
    }

    fn offered(&self, environment: &Environment) -> Offered {
        Offered {
            environment: environment.clone(),
            paths: self.offer.paths.clone(),
            trouble: self.trouble.clone(),
            served: self.served.clone(),
        }
    }
}

impl Flags {
    /// Takes up what was served.
    pub(crate) fn open(file: PathBuf, proxy: ProxyClient) -> Result<Flags, Failure> {
        let mut kept = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice::<Kept>(&bytes).map_err(|error| {
                let what = format!("{} cannot be read", file.display());
                Failure::internal(what, &error)
                    .help("move it away; then `cutover flag serve` anew. The proxy serves on")
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Kept::default(),
            Err(error) => {
                return Err(Failure::internal(
                    format!("{} cannot be read", file.display()),
                    &error,
                ));
            }
        };
        kept.epoch += 1;
        let environments = kept.environments.clone();
        let watched = environments.into_iter().map(|(name, offer)| (name, Watched::new(offer)));
        let environments = Mutex::new(watched.collect());
        // One who serves nothing leaves no file.
        if !kept.environments.is_empty() || kept.epoch > 1 {
            keep(&file, &kept)?;
        }
        Ok(Flags { file, proxy, epoch: kept.epoch, environments })
    }

    /// Serves an environment's flags from now on; those that it had before are no longer watched.
    pub(crate) async fn serve(
        &self,
        environment: Environment,
        offer: Offer,
    ) -> Result<Offered, Refused> {
        let mut environments = self.environments.lock().await;
        let mut watched = Watched::new(offer);
        watched.seq = environments.get(&environment).map_or(0, |before| before.seq);
        self.look(&environment, &mut watched).await?;
        let offered = watched.offered(&environment);
        environments.insert(environment, watched);
        self.keep(&environments)?;
        Ok(offered)
    }

    /// Serves them no longer; false if they were not served.
    pub(crate) async fn unserve(&self, environment: &Environment) -> Result<bool, Refused> {
        let mut environments = self.environments.lock().await;
        if !environments.contains_key(environment) {
            return Ok(false);
        }
        self.proxy.remove_flags(environment).await.map_err(|error| refused(&error))?;
        environments.remove(environment);
        self.keep(&environments)?;
        Ok(true)
    }

    /// All that is served.
    pub(crate) async fn all(&self) -> Vec<Offered> {
        let environments = self.environments.lock().await;
        environments.iter().map(|(name, watched)| watched.offered(name)).collect()
    }

    /// Looks after all environments for ever; `warn` is told when something goes wrong.
    pub(crate) async fn watch(&self, warn: impl AsyncFn(&Environment, &str)) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let mut environments = self.environments.lock().await;
            for (name, watched) in environments.iter_mut() {
                let before = watched.trouble.clone();
                let looked = self.look(name, watched).await;
                watched.trouble = looked.err().map(|refused| refused.message);
                if let Some(trouble) = &watched.trouble
                    && before.as_ref() != Some(trouble)
                {
                    let text = format!("flags of {name}: {trouble}; the last good ones are served");
                    warn(name, &text).await;
                }
            }
        }
    }

    /// Looks at the sources, and publishes what changed. As long as one of them cannot be looked at,
    /// nobody says that what is served is the newest: its age grows.
    async fn look(&self, name: &Environment, watched: &mut Watched) -> Result<(), Refused> {
        // Before they are read: what changes meanwhile shows at the next look.
        let (seen, missing) = watched.sources.look(&watched.offer).await;
        let Some(missing) = missing else {
            if std::mem::take(&mut watched.missed) {
                // What was wrong before may be right now, or not: told anew.
                (watched.trouble, watched.seen) = (None, vec![]);
            }
            return self.publish_changed(name, watched, seen).await;
        };
        watched.missed = true;
        // What the others have is served, if all were there once.
        if watched.accepted.is_some() && seen != watched.seen {
            self.publish_changed(name, watched, seen).await?;
        }
        Err(missing)
    }

    /// Publishes what changed, and now and then what did not.
    async fn publish_changed(
        &self,
        name: &Environment,
        watched: &mut Watched,
        seen: Vec<Seen>,
    ) -> Result<(), Refused> {
        let is_due = watched.told.elapsed() >= CONFIRM;
        if seen == watched.seen && !is_due {
            return watched.trouble.clone().map_or(Ok(()), |message| Err(invalid(message)));
        }
        if seen == watched.seen
            && let Some(accepted) = &watched.accepted
        {
            let told = self.proxy.publish_flags(name, accepted).await;
            watched.served = Some(told.map_err(|error| refused(&error))?);
            watched.told = Instant::now();
            return watched.trouble.clone().map_or(Ok(()), |message| Err(invalid(message)));
        }
        watched.told = Instant::now();
        let sources = watched.sources.read(&watched.offer).await?;
        watched.seq += 1;
        let offer = &watched.offer;
        let publication = FlagPublication {
            generation: Generation { epoch: self.epoch, seq: watched.seq },
            listen: offer.listen,
            sources,
            tokens: offer.tokens.clone(),
            origins: offer.origins.clone(),
            compat: offer.compat,
        };
        match self.proxy.publish_flags(name, &publication).await {
            Ok(served) => {
                watched.seen = seen;
                watched.served = Some(served);
                watched.accepted = Some(publication);
                watched.trouble = None;
                Ok(())
            }
            Err(error) => {
                // Refused ones are not looked at again before they change.
                if matches!(error, DataPlaneError::Refused(_)) {
                    watched.seen = seen;
                    watched.accepted = None;
                }
                Err(refused(&error))
            }
        }
    }

    fn keep(&self, environments: &BTreeMap<Environment, Watched>) -> Result<(), Refused> {
        let offers = environments.iter().map(|(name, it)| (name.clone(), it.offer.clone()));
        let kept = Kept { epoch: self.epoch, environments: offers.collect() };
        keep(&self.file, &kept).map_err(|error| Refused {
            kind: RefusedKind::Internal,
            message: format!("what is served cannot be stored: {error}"),
            help: Some("it is served, and forgotten when the daemon stops".to_owned()),
        })
    }
}

fn keep(file: &std::path::Path, kept: &Kept) -> Result<(), FileError> {
    let bytes = serde_json::to_vec(kept).unwrap_or_default();
    write_atomic(file, &bytes)
}

fn refused(error: &DataPlaneError) -> Refused {
    match error {
        DataPlaneError::Refused(why) if why.taken.is_some() => {
            Refused { kind: RefusedKind::Preflight, message: why.reason.clone(), help: None }
        }
        DataPlaneError::Refused(why) => invalid(why.reason.clone()),
        DataPlaneError::Unreachable(cause) => Refused {
            kind: RefusedKind::Internal,
            message: format!("the proxy does not take flags: {cause}"),
            help: Some("what it does: `cutover proxy status`".to_owned()),
        },
    }
}

fn invalid(message: String) -> Refused {
    let help = Some("what is wrong, with line and column: cutover flag lint FILE".to_owned());
    Refused { kind: RefusedKind::Spec, message, help }
}
