//! Brings tables into force: one at a time, stored before they are acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};

use cutover_core::dataplane::{AppState, DataPlaneState, Publication, Refusal, Seconds};
use cutover_core::id::Subject;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::Folders;
use crate::app::App;
use crate::keeper_link::KeeperLink;
use crate::listener::Listeners;
use crate::log::Log;
use crate::plane::Plane;
use crate::route::Route;
use crate::routes::Door;
use crate::state_file::{self, Stored, StoredApp};
use crate::{ofrep, visit};

/// Why the answer is no.
#[derive(Debug)]
pub(crate) enum Denied {
    /// An older engine, or an older table.
    Older(Refusal),
    /// It cannot be done.
    Cannot(Refusal),
    /// No such app.
    Unknown(Refusal),
}

type Apps = BTreeMap<Subject, Arc<Route>>;

/// The one who changes what is in force.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) plane: Arc<Plane>,
    pub(crate) folders: Folders,
    pub(crate) link: KeeperLink,
    pub(crate) listeners: Arc<Listeners>,
    pub(crate) log: Log,
    /// Random, so that readers of seconds see that the process is another one.
    pub(crate) epoch: u64,
    pub(crate) fence: AtomicU32,
    /// Held while something is changed.
    pub(crate) change: Mutex<()>,
    /// Apps whose table may be an old one; users are let in when the newest is there.
    pub(crate) awaited: std::sync::Mutex<BTreeSet<Subject>>,
}

impl Publisher {
    /// All that is in force; never waits for a change.
    pub(crate) fn state(&self) -> DataPlaneState {
        let routes = self.plane.routes();
        DataPlaneState {
            pid: std::process::id(),
            epoch: self.fence.load(Ordering::SeqCst),
            apps: routes.apps.iter().map(|(id, route)| (id.clone(), route.state())).collect(),
        }
    }

    /// Obeys no engine older than this one from now on.
    pub(crate) async fn hello(&self, epoch: u32) -> Result<DataPlaneState, Denied> {
        let _change = self.change.lock().await;
        self.check_epoch(epoch)?;
        if epoch > self.fence.load(Ordering::SeqCst) {
            self.store(epoch, &self.plane.routes().apps).await?;
            self.fence.store(epoch, Ordering::SeqCst);
        }
        Ok(self.state())
    }

    /// Brings a table into force: bind, store, swap, accept, answer.
    pub(crate) async fn put(
        &self,
        subject: Subject,
        publication: Publication,
    ) -> Result<AppState, Denied> {
        let _change = self.change.lock().await;
        self.check_epoch(publication.generation.epoch)?;
        let mut apps = self.plane.routes().apps.clone();
        let old = apps.get(&subject).cloned();
        if let Some(old) = &old {
            let (new, in_force) = (publication.generation, old.publication.generation);
            if publication == old.publication {
                return Ok(old.state());
            }
            if new <= in_force {
                return Err(older(format!(
                    "generation {}.{} is not newer than {}.{}, which is in force",
                    new.epoch, new.seq, in_force.epoch, in_force.seq
                )));
            }
        }
        check_place(&subject, &publication, &apps)?;
        let preview = old.as_ref().and_then(|old| {
            (old.publication.frontend.preview == publication.frontend.preview)
                .then_some(old.preview_at)
                .flatten()
        });
        let preview = match self.open(&subject, &publication, preview).await {
            Ok(preview) => preview,
            Err(error) => {
                self.close_unused().await;
                return Err(error);
            }
        };
        let stored = StoredApp { publication: publication.clone(), preview };
        if let Err(error) = self.store_with(&apps, &subject, Some(stored)).await {
            self.close_unused().await;
            return Err(error);
        }
        let app = match &old {
            Some(old) => Arc::clone(&old.app),
            None => App::new(subject.clone(), self.plane.second.load(Ordering::SeqCst)),
        };
        let route = Route::new(&app, publication, preview, old.as_deref());
        apps.insert(subject.clone(), Arc::clone(&route));
        self.plane.swap(apps);
        self.awaited().remove(&subject);
        self.let_users_in();
        self.close_unused().await;
        Ok(route.state())
    }

    /// Takes an app out.
    pub(crate) async fn delete(&self, subject: &Subject, epoch: u32) -> Result<(), Denied> {
        let _change = self.change.lock().await;
        self.check_epoch(epoch)?;
        let mut apps = self.plane.routes().apps.clone();
        if apps.contains_key(subject) {
            self.store_with(&apps, subject, None).await?;
            apps.remove(subject);
            self.plane.swap(apps);
            self.awaited().remove(subject);
            self.let_users_in();
            self.close_unused().await;
        }
        Ok(())
    }

    /// Counts after a cursor.
    pub(crate) fn seconds(&self, subject: &Subject, after: u64) -> Result<Seconds, Denied> {
        match self.plane.routes().apps.get(subject) {
            Some(route) => Ok(route.app.measure.after(after, self.epoch)),
            None => Err(Denied::Unknown(refusal(format!("there is no app {subject}")))),
        }
    }

    /// Brings what was stored into force, at the start. True if all listeners could be opened.
    pub(crate) async fn restore(&self, stored: Stored) -> bool {
        let _change = self.change.lock().await;
        self.fence.store(stored.fence, Ordering::SeqCst);
        let mut apps = Apps::new();
        for (subject, app) in stored.apps {
            let owner = App::new(subject.clone(), self.plane.second.load(Ordering::SeqCst));
            let route = Route::new(&owner, app.publication, app.preview, None);
            apps.insert(subject, route);
        }
        self.plane.swap(apps);
        self.open_missing().await
    }

    /// Users are not let in before these have a newer table, or [`Publisher::wait_no_longer`].
    pub(crate) fn wait_for_news(&self, of: impl Iterator<Item = Subject>) {
        self.awaited().extend(of);
    }

    /// What is at hand has to do.
    pub(crate) fn wait_no_longer(&self) {
        self.awaited().clear();
        self.let_users_in();
    }

    fn awaited(&self) -> MutexGuard<'_, BTreeSet<Subject>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn let_users_in(&self) {
        if self.awaited().is_empty() {
            self.listeners.begin();
        }
    }

    /// Tries again to open the listeners that could not be opened at the start.
    pub(crate) async fn reopen(&self) -> bool {
        let _change = self.change.lock().await;
        self.open_missing().await
    }

    async fn open_missing(&self) -> bool {
        let mut apps = self.plane.routes().apps.clone();
        let (mut is_complete, mut is_moved) = (true, false);
        for (subject, route) in &mut apps {
            match self.open(subject, &route.publication, route.preview_at).await {
                Ok(preview) if preview != route.preview_at => {
                    // The port of the preview was taken meanwhile: it has another one.
                    let publication = route.publication.clone();
                    *route = Route::new(&route.app, publication, preview, Some(route.as_ref()));
                    is_moved = true;
                }
                Ok(_) => {}
                Err(Denied::Cannot(why) | Denied::Older(why) | Denied::Unknown(why)) => {
                    self.log.line(&format!("proxy: {subject}: {why}; trying again"));
                    is_complete = false;
                }
            }
        }
        if is_moved {
            self.plane.swap(apps);
        }
        self.let_users_in();
        is_complete
    }

    /// Opens the listeners that a publication needs and that are not open. The answer is where the
    /// preview listens: it begins with the first instance to preview, and stays.
    async fn open(
        &self,
        subject: &Subject,
        publication: &Publication,
        preview: Option<SocketAddr>,
    ) -> Result<Option<SocketAddr>, Denied> {
        let frontend = &publication.frontend;
        let name = users_name(frontend.listen);
        self.open_one(name, frontend.listen, Door::Users(frontend.listen)).await?;
        if preview.is_none() && publication.table.preview.is_empty() {
            return Ok(None);
        }
        let name = preview_name(subject, frontend.preview);
        let door = Door::Preview(subject.clone());
        if let Some(before) = preview
            && let Ok(address) = self.open_one(name.clone(), before, door.clone()).await
        {
            return Ok(Some(address));
        }
        self.open_one(name, frontend.preview, door).await.map(Some)
    }

    async fn open_one(
        &self,
        name: String,
        address: SocketAddr,
        door: Door,
    ) -> Result<SocketAddr, Denied> {
        if let Some(address) = self.listeners.address(&name) {
            return Ok(address);
        }
        let socket = self.link.bind(name.clone(), address).await;
        let socket = socket.map_err(|error| Denied::Cannot(error.into()))?;
        let plane = Arc::clone(&self.plane);
        let welcome = move |stream, from| {
            plane.users.spawn(visit::serve(Arc::clone(&plane), door.clone(), stream, from));
        };
        let opened = self.listeners.open(&self.plane, name, socket, welcome);
        opened.map_err(|error| {
            Denied::Cannot(refusal(format!("cannot accept on {address}: {error}")))
        })
    }

    /// Closes the listeners that nothing in force needs.
    async fn close_unused(&self) {
        let routes = self.plane.routes();
        let names = self.listeners.names().into_iter();
        for name in names.filter(|name| !name.starts_with(ofrep::LISTENER)) {
            let is_used = routes.apps.iter().any(|(subject, route)| {
                let frontend = &route.publication.frontend;
                name == users_name(frontend.listen)
                    || (route.preview_at.is_some()
                        && name == preview_name(subject, frontend.preview))
            });
            if !is_used {
                self.link.give_back(&name, &self.listeners, &self.log).await;
            }
        }
    }

    async fn store_with(
        &self,
        apps: &Apps,
        subject: &Subject,
        new: Option<StoredApp>,
    ) -> Result<(), Denied> {
        let mut stored = self.stored(self.fence.load(Ordering::SeqCst), apps);
        match new {
            Some(new) => stored.apps.insert(subject.clone(), new),
            None => stored.apps.remove(subject),
        };
        self.write(stored).await
    }

    async fn store(&self, fence: u32, apps: &Apps) -> Result<(), Denied> {
        self.write(self.stored(fence, apps)).await
    }

    fn stored(&self, fence: u32, apps: &Apps) -> Stored {
        let app = |(subject, route): (&Subject, &Arc<Route>)| {
            let publication = route.publication.clone();
            (subject.clone(), StoredApp { publication, preview: route.preview_at })
        };
        Stored { fence, apps: apps.iter().map(app).collect() }
    }

    async fn write(&self, stored: Stored) -> Result<(), Denied> {
        let folders = self.folders.clone();
        let written = spawn_blocking(move || state_file::store(&folders, &stored)).await;
        let why = match written {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(Denied::Cannot(refusal(format!("the table is not in force: {why}"))))
    }

    fn check_epoch(&self, epoch: u32) -> Result<(), Denied> {
        let fence = self.fence.load(Ordering::SeqCst);
        if epoch < fence {
            return Err(older(format!(
                "engine start {epoch} is older than {fence}, which is obeyed"
            )));
        }
        Ok(())
    }
}

fn check_place(subject: &Subject, new: &Publication, apps: &Apps) -> Result<(), Denied> {
    let key = |publication: &Publication| {
        let frontend = &publication.frontend;
        let path = frontend.path.as_deref().unwrap_or_default().trim_end_matches('/').to_owned();
        (frontend.listen, frontend.host.as_deref().map(str::to_ascii_lowercase), path)
    };
    let other =
        apps.iter().find(|(other, route)| *other != subject && key(&route.publication) == key(new));
    match other {
        None => Ok(()),
        Some((other, _)) => Err(Denied::Cannot(Refusal {
            reason: format!(
                "{other} is reached at {} under the same host and path",
                new.frontend.listen
            ),
            taken: Some(new.frontend.listen),
        })),
    }
}

fn users_name(listen: SocketAddr) -> String {
    format!("users:{listen}")
}

/// Holds the address that was asked for, so that another one is another socket.
fn preview_name(subject: &Subject, asked: SocketAddr) -> String {
    format!("preview:{subject}:{asked}")
}

fn older(reason: String) -> Denied {
    Denied::Older(refusal(reason))
}

fn refusal(reason: String) -> Refusal {
    Refusal { reason, taken: None }
}
