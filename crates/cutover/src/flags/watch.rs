//! The daemon's part: reads definitions, publishes what changed, and remembers what it serves.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use cutover_core::id::Environment;
use cutover_core::served_flags::{FlagPublication, FlagSource, FlagsState};
use cutover_core::table::Generation;
use cutover_core::units::Share;
use cutover_engine::api::{Refused, RefusedKind};
use cutover_engine::ports::DataPlaneError;
use cutover_files::{FileError, write_atomic};
use cutover_platform::ProxyClient;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::ledger::Ledger;
use super::overlay::{Laid, Overlay};
use super::sources::{Seen, Sources};
use super::{Offer, Offered};
use crate::failure::Failure;

/// How often files are looked at: by their times, so that nothing a folder is made of matters.
const LOOK: Duration = Duration::from_secs(1);
/// How often the proxy is told that nothing is newer, and brought back if it lost something.
const CONFIRM: Duration = Duration::from_secs(10);
/// The longest that a proxy may take, one that has to start included: whoever changes a flag waits.
const PUBLISH: Duration = Duration::from_secs(6);

/// Flags of all environments.
#[derive(Debug)]
pub(crate) struct Flags {
    file: PathBuf,
    /// With a file of changes for each environment.
    changes: PathBuf,
    pub(super) proxy: ProxyClient,
    /// Number of this daemon's start: the proxy takes nothing from one before it.
    epoch: u32,
    pub(super) environments: Mutex<BTreeMap<Environment, Watched>>,
}

/// What is kept across starts.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    epoch: u32,
    environments: BTreeMap<Environment, Offer>,
    /// Shares of flags that follow an app, as they were last.
    #[serde(default)]
    follows: BTreeMap<Environment, BTreeMap<String, Share>>,
}

/// An environment whose files are watched.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) offer: Offer,
    /// What people changed.
    pub(super) ledger: Ledger,
    /// The shares that flags of the app are on for.
    pub(super) follows: BTreeMap<String, Share>,
    /// The last documents that could be used, with nothing laid over them.
    raw: Option<Vec<FlagSource>>,
    /// What was laid over those that were accepted last.
    laid: Option<(u64, BTreeMap<String, Share>)>,
    /// Flags with settings that no document defines.
    adrift: Vec<String>,
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
    pub(super) served: Option<FlagsState>,
}

impl Watched {
    fn new(offer: Offer, ledger: Ledger) -> Watched {
        Watched {
            offer,
            ledger,
            follows: BTreeMap::new(),
            raw: None,
            laid: None,
            adrift: vec![],
            seq: 0,
            sources: Sources::default(),
            missed: false,
            seen: vec![],
            accepted: None,
            told: Instant::now(),
            trouble: None,
            served: None,
        }
    }

    /// What people set and what follows an app.
    pub(super) fn overlay(&self) -> Overlay<'_> {
        Overlay { ledger: &self.ledger, follows: &self.follows, more: None }
    }

    /// What was laid over the documents that are served is no longer what it should be.
    fn is_changed(&self) -> bool {
        self.laid.as_ref() != Some(&(self.ledger.revision(), self.follows.clone()))
    }

    fn offered(&self, environment: &Environment) -> Offered {
        Offered {
            environment: environment.clone(),
            paths: self.offer.paths.clone(),
            trouble: self.trouble.clone(),
            follows: self.follows.clone(),
            adrift: self.adrift.clone(),
            served: self.served.clone(),
        }
    }
}

impl Flags {
    /// Takes up what was served.
    pub(crate) fn open(
        file: PathBuf,
        changes: PathBuf,
        proxy: ProxyClient,
    ) -> Result<Flags, Failure> {
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
        let mut environments = BTreeMap::new();
        for (name, offer) in &kept.environments {
            let ledger = Ledger::open(ledger_file(&changes, name))?;
            let mut watched = Watched::new(offer.clone(), ledger);
            watched.follows = kept.follows.get(name).cloned().unwrap_or_default();
            environments.insert(name.clone(), watched);
        }
        let environments = Mutex::new(environments);
        // One who serves nothing leaves no file.
        if !kept.environments.is_empty() || kept.epoch > 1 {
            keep(&file, &kept)?;
        }
        Ok(Flags { file, changes, proxy, epoch: kept.epoch, environments })
    }

    /// Serves an environment's flags from now on; those that it had before are no longer watched.
    pub(crate) async fn serve(
        &self,
        environment: Environment,
        offer: Offer,
    ) -> Result<Offered, Refused> {
        let mut environments = self.environments.lock().await;
        let ledger = Ledger::open(ledger_file(&self.changes, &environment));
        let ledger = ledger.map_err(|failure| Refused {
            kind: RefusedKind::Internal,
            message: failure.message.clone(),
            help: failure.help.first().cloned(),
        })?;
        let mut watched = Watched::new(offer, ledger);
        if let Some(before) = environments.get(&environment) {
            watched.seq = before.seq;
            if watched.offer.app == before.offer.app {
                watched.follows.clone_from(&before.follows);
            }
            if watched.offer.people.is_empty() {
                watched.offer.people.clone_from(&before.offer.people);
            }
        }
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
            let names: Vec<Environment> = self.environments.lock().await.keys().cloned().collect();
            for name in &names {
                let taken =
                    self.environments.lock().await.get_mut(name).map(|watched| {
                        (std::mem::take(&mut watched.sources), watched.offer.clone())
                    });
                let Some((mut sources, offer)) = taken else { continue };
                // With nothing locked: a source that is slow must not keep a kill waiting.
                let found = sources.look(&offer).await;
                let mut environments = self.environments.lock().await;
                let watched = environments.get_mut(name).filter(|watched| watched.offer == offer);
                let Some(watched) = watched else { continue };
                watched.sources = sources;
                let before = watched.trouble.clone();
                let adrift = watched.adrift.clone();
                let looked = self.take_up(name, watched, found).await;
                for flag in watched.adrift.iter().filter(|flag| !adrift.contains(flag)) {
                    let text = format!(
                        "flags of {name}: {flag} was changed by a person and no source defines it now; the change waits for it"
                    );
                    warn(name, &text).await;
                }
                watched.trouble = looked.err().map(|refused| refused.message);
                if watched.trouble.is_some() {
                    self.go_on_with_served(name, watched).await;
                }
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
        let found = watched.sources.look(&watched.offer).await;
        self.take_up(name, watched, found).await
    }

    async fn take_up(
        &self,
        name: &Environment,
        watched: &mut Watched,
        (seen, missing): (Vec<Seen>, Option<Refused>),
    ) -> Result<(), Refused> {
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
        if watched.is_changed() && watched.raw.is_some() {
            self.publish_changes(name, watched).await?;
        }
        if seen == watched.seen && !is_due {
            return watched.trouble.clone().map_or(Ok(()), |message| Err(invalid(message)));
        }
        if seen == watched.seen
            && let Some(accepted) = &watched.accepted
        {
            let told = self.send(name, accepted).await;
            watched.served = Some(told.map_err(|error| refused(&error))?);
            watched.told = Instant::now();
            return watched.trouble.clone().map_or(Ok(()), |message| Err(invalid(message)));
        }
        watched.told = Instant::now();
        let raw = watched.sources.read(&watched.offer).await?;
        match self.publish(name, watched, raw).await {
            Ok(()) => {
                watched.seen = seen;
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

    /// Lays what was changed over documents, and publishes both.
    async fn publish(
        &self,
        name: &Environment,
        watched: &mut Watched,
        raw: Vec<FlagSource>,
    ) -> Result<(), DataPlaneError> {
        let Laid { sources, adrift } = watched.overlay().over(&raw);
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
        watched.served = Some(self.send(name, &publication).await?);
        watched.told = Instant::now();
        watched.accepted = Some(publication);
        watched.raw = Some(raw);
        watched.laid = Some((watched.ledger.revision(), watched.follows.clone()));
        watched.adrift = adrift.iter().map(ToString::to_string).collect();
        Ok(())
    }

    async fn send(
        &self,
        name: &Environment,
        publication: &FlagPublication,
    ) -> Result<FlagsState, DataPlaneError> {
        let sent = self.proxy.publish_flags(name, publication);
        match tokio::time::timeout(PUBLISH, sent).await {
            Ok(answered) => answered,
            Err(_) => {
                let why = format!("it did not answer within {} s", PUBLISH.as_secs());
                Err(DataPlaneError::Unreachable(why.into()))
            }
        }
    }

    /// Publishes what was changed, over the last documents that could be used.
    pub(super) async fn publish_changes(
        &self,
        name: &Environment,
        watched: &mut Watched,
    ) -> Result<(), Refused> {
        let raw = self.raw(name, watched).await?;
        self.publish(name, watched, raw).await.map_err(|error| refused(&error))?;
        if watched.trouble.is_some() {
            // The proxy is to know on that newer files are refused.
            watched.seen.clear();
        }
        Ok(())
    }

    /// The last documents that could be used: after a start of this daemon, those that the proxy
    /// serves.
    pub(super) async fn raw(
        &self,
        name: &Environment,
        watched: &mut Watched,
    ) -> Result<Vec<FlagSource>, Refused> {
        if let Some(raw) = &watched.raw {
            return Ok(raw.clone());
        }
        let served = self.proxy.flag_sources(name).await.map_err(|error| refused(&error))?;
        let bare = |source| FlagSource { changes: None, ..source };
        Ok(watched.raw.insert(served.into_iter().map(bare).collect()).clone())
    }

    /// Where files cannot be used, changes made just before a daemon died come into force all the
    /// same.
    async fn go_on_with_served(&self, name: &Environment, watched: &mut Watched) {
        if watched.is_changed() && self.raw(name, watched).await.is_ok() {
            // What is wrong is told with the files.
            let _ = self.publish_changes(name, watched).await;
        }
    }

    pub(super) fn keep(
        &self,
        environments: &BTreeMap<Environment, Watched>,
    ) -> Result<(), Refused> {
        let offers = environments.iter().map(|(name, it)| (name.clone(), it.offer.clone()));
        let follows = environments.iter().filter(|(_, it)| !it.follows.is_empty());
        let kept = Kept {
            epoch: self.epoch,
            environments: offers.collect(),
            follows: follows.map(|(name, it)| (name.clone(), it.follows.clone())).collect(),
        };
        keep(&self.file, &kept).map_err(|error| Refused {
            kind: RefusedKind::Internal,
            message: format!("what is served cannot be stored: {error}"),
            help: Some("it is served, and forgotten when the daemon stops".to_owned()),
        })
    }
}

fn ledger_file(folder: &std::path::Path, name: &Environment) -> PathBuf {
    folder.join(format!("{name}.json"))
}

fn keep(file: &std::path::Path, kept: &Kept) -> Result<(), FileError> {
    let bytes = serde_json::to_vec(kept).unwrap_or_default();
    write_atomic(file, &bytes)
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Refused {
        kind: RefusedKind::Internal,
        message: error.to_string(),
        help: None,
    })
}

pub(super) fn refused(error: &DataPlaneError) -> Refused {
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
