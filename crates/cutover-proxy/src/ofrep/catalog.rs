//! All environments whose flags are served; publications come in here, one at a time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use cutover_core::dataplane::Refusal;
use cutover_core::id::Environment;
use cutover_core::served_flags::{FlagPublication, FlagSource, FlagsState, RefusedFlags, Tracks};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::environment::{Serving, now};
use super::served::{Served, digest};
use super::store::Stored;
use super::{LISTENER, store, visit};
use crate::Folders;
use crate::keeper_link::KeeperLink;
use crate::listener::Listeners;
use crate::log::Log;
use crate::plane::Plane;
use crate::publish::Denied;

type Environments = BTreeMap<Environment, Arc<Serving>>;

/// The one who changes what is served.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) environments: ArcSwap<Environments>,
    pub(crate) plane: Arc<Plane>,
    pub(crate) folders: Folders,
    pub(crate) link: KeeperLink,
    pub(crate) listeners: Arc<Listeners>,
    pub(crate) log: Log,
    /// Random, so that readers of tracks see that the process is another one.
    pub(crate) epoch: u64,
    /// Held while something is changed.
    pub(crate) change: Mutex<()>,
}

impl Catalog {
    /// All that is served; never waits for a change.
    pub(crate) fn state(&self) -> BTreeMap<Environment, FlagsState> {
        let environments = self.environments.load();
        environments
            .iter()
            .map(|(name, serving)| (name.clone(), self.told(name, serving)))
            .collect()
    }

    fn told(&self, name: &Environment, serving: &Serving) -> FlagsState {
        let asked = serving.served().listen;
        serving.state(self.listeners.address(&listener(name, asked)))
    }

    /// Serves a publication: compile, bind, store, swap, answer.
    pub(crate) async fn put(
        &self,
        name: Environment,
        publication: FlagPublication,
    ) -> Result<FlagsState, Denied> {
        let _change = self.change.lock().await;
        let old = self.environments.load().get(&name).cloned();
        if let Some(old) = &old {
            let (served, new) = (old.served(), publication.generation);
            if new == served.generation && digest(&publication) == served.digest {
                old.confirm(now());
                return Ok(self.told(&name, old));
            }
            if new <= served.generation {
                return Err(Denied::Older(refusal(format!(
                    "generation {}.{} is not newer than {}.{}, which is served",
                    new.epoch, new.seq, served.generation.epoch, served.generation.seq
                ))));
            }
        }
        let wanted = listener(&name, publication.listen);
        let served = self.bring(&name, publication, old.as_deref()).await;
        let served = served.map_err(|why| {
            if let Some(old) = &old {
                self.log
                    .line(&format!("flags of {name}: {}; serving the last good ones", why.reason));
                old.refuse(RefusedFlags { at: now(), reason: why.reason.clone() });
            }
            Denied::Cannot(why)
        });
        let serving = match (served, old) {
            (Err(denied), _) => {
                if self.listeners.address(&wanted).is_none() {
                    // The keeper may have it bound already; it may also be gone, and then it is closed.
                    let _ = self.link.close(wanted).await;
                }
                return Err(denied);
            }
            (Ok(served), Some(old)) => {
                old.swap(served);
                old
            }
            (Ok(served), None) => self.add(&name, served),
        };
        let listening = self.accept(&name, &serving).await;
        self.close_unused(&name).await;
        listening.map_err(Denied::Cannot)?;
        Ok(self.told(&name, &serving))
    }

    /// Everything that can fail, before anything is changed.
    async fn bring(
        &self,
        name: &Environment,
        publication: FlagPublication,
        old: Option<&Serving>,
    ) -> Result<Served, Refusal> {
        let before = old.map(|old| Arc::clone(&old.served()));
        let (own, at) = (name.clone(), now());
        let compiled = spawn_blocking(move || {
            let served = Served::compile(&own, &publication, at, before.as_deref());
            served.map(|served| (served, publication))
        });
        let (served, publication) = finished(compiled.await)?.map_err(refusal)?;
        let listen = publication.listen;
        if self.listeners.address(&listener(name, listen)).is_none() {
            self.bind(name, listen).await?;
        }
        let (folders, own) = (self.folders.clone(), name.clone());
        let stored = Stored { publication, since: served.since };
        let stored = spawn_blocking(move || store::store(&folders, &own, &stored));
        let why = |error: crate::StateError| refusal(format!("they cannot be stored: {error}"));
        finished(stored.await)?.map_err(why)?;
        Ok(served)
    }

    fn add(&self, name: &Environment, served: Served) -> Arc<Serving> {
        let serving = Arc::new(Serving::new(served, self.plane.stop.child_token()));
        let ending = Arc::clone(&serving);
        self.plane.tasks.spawn(async move { ending.see_out().await });
        let mut environments = Environments::clone(&self.environments.load());
        environments.insert(name.clone(), Arc::clone(&serving));
        self.environments.store(Arc::new(environments));
        serving
    }

    /// Has the keeper bind an address; the socket that is bound stays there until it is closed.
    async fn bind(
        &self,
        name: &Environment,
        listen: SocketAddr,
    ) -> Result<std::os::fd::OwnedFd, Refusal> {
        self.link.bind(listener(name, listen), listen).await.map_err(Refusal::from)
    }

    /// Accepts clients, unless that is done already.
    async fn accept(&self, name: &Environment, serving: &Arc<Serving>) -> Result<(), Refusal> {
        let listen = serving.served().listen;
        let listener = listener(name, listen);
        if self.listeners.address(&listener).is_none() {
            let socket = self.bind(name, listen).await?;
            let (plane, own) = (Arc::clone(&self.plane), Arc::clone(serving));
            let welcome = move |stream, _| {
                plane.users.spawn(visit::serve(Arc::clone(&own), stream));
            };
            let opened = self.listeners.open(&self.plane, listener.clone(), socket, welcome);
            opened.map_err(|error| refusal(format!("cannot accept on {listen}: {error}")))?;
            self.listeners.begin_at(&listener);
        }
        serving.set_listening();
        Ok(())
    }

    /// Serves an environment no longer.
    pub(crate) async fn delete(&self, name: &Environment) -> Result<(), Denied> {
        let _change = self.change.lock().await;
        let mut environments = Environments::clone(&self.environments.load());
        let Some(serving) = environments.remove(name) else { return Ok(()) };
        let (folders, own) = (self.folders.clone(), name.clone());
        let removed = spawn_blocking(move || store::remove(&folders, &own)).await;
        let why = |error: std::io::Error| refusal(format!("they cannot be removed: {error}"));
        finished(removed).and_then(|removed| removed.map_err(why)).map_err(Denied::Cannot)?;
        self.environments.store(Arc::new(environments));
        serving.end.cancel();
        self.close_unused(name).await;
        Ok(())
    }

    /// The documents that are served, as they were stored.
    pub(crate) async fn sources(&self, name: &Environment) -> Result<Vec<FlagSource>, Denied> {
        let _change = self.change.lock().await;
        let unknown = || Denied::Unknown(refusal(format!("no flags are served for {name}")));
        if !self.environments.load().contains_key(name) {
            return Err(unknown());
        }
        let (folders, own) = (self.folders.clone(), name.clone());
        let stored = spawn_blocking(move || store::load(&folders, &own)).await;
        let (stored, _) =
            finished(stored).and_then(|stored| stored.map_err(refusal)).map_err(Denied::Cannot)?;
        Ok(stored.publication.sources)
    }

    /// Tracks after a cursor of the process with this epoch, if one is given.
    pub(crate) fn tracks(
        &self,
        name: &Environment,
        after: u64,
        epoch: Option<u64>,
    ) -> Result<Tracks, Denied> {
        let environments = self.environments.load();
        let serving = environments
            .get(name)
            .ok_or_else(|| Denied::Unknown(refusal(format!("no flags are served for {name}"))))?;
        let after = if epoch.is_none_or(|epoch| epoch == self.epoch) { after } else { 0 };
        // First: tracks may be of versions that are served no longer, never of one to come.
        let version = serving.served().version.clone();
        Ok(Tracks { epoch: self.epoch, version, ..serving.tracks(after) })
    }

    /// Serves what was stored, at the start. Flags that cannot be used keep nobody from routing.
    pub(crate) async fn restore(&self) {
        let _change = self.change.lock().await;
        let folders = self.folders.clone();
        let all = spawn_blocking(move || store::all(&folders)).await.unwrap_or_default();
        for (name, found) in all {
            let say = |why: &str| self.log.line(&format!("flags of {name}: {why}"));
            let Stored { publication, since } = match found {
                Ok((stored, warning)) => {
                    warning.iter().for_each(|warning| say(warning));
                    stored
                }
                Err(why) => {
                    say(&format!("{why}; not served until they are published again"));
                    continue;
                }
            };
            let own = name.clone();
            let compiled = spawn_blocking(move || Served::compile(&own, &publication, since, None));
            match compiled.await.map_err(|error| error.to_string()).flatten() {
                Ok(served) => drop(self.add(&name, served)),
                Err(why) => say(&format!("{why}; not served until they are published again")),
            }
        }
    }

    /// Opens the listeners that are missing; true if all are open.
    pub(crate) async fn open_missing(&self) -> bool {
        let _change = self.change.lock().await;
        let environments = Arc::clone(&self.environments.load());
        let mut is_complete = true;
        for (name, serving) in environments.iter() {
            if let Err(why) = self.accept(name, serving).await {
                self.log.line(&format!("flags of {name}: {why}; trying again"));
                is_complete = false;
            }
        }
        is_complete
    }

    /// Closes the listeners of an environment that it does not need.
    async fn close_unused(&self, name: &Environment) {
        let needed =
            self.environments.load().get(name).map(|it| listener(name, it.served().listen));
        let own = format!("{LISTENER}{name}:");
        let open = self.listeners.names().into_iter().filter(|open| open.starts_with(&own));
        for unused in open.filter(|open| Some(open) != needed.as_ref()) {
            self.link.give_back(&unused, &self.listeners, &self.log).await;
        }
    }
}

fn listener(name: &Environment, listen: SocketAddr) -> String {
    format!("{LISTENER}{name}:{listen}")
}

fn finished<T>(ended: Result<T, tokio::task::JoinError>) -> Result<T, Refusal> {
    ended.map_err(|error| refusal(error.to_string()))
}

fn refusal(reason: String) -> Refusal {
    Refusal { reason, taken: None }
}
