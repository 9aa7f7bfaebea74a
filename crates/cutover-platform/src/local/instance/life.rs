//! The task of one instance.
//!
//! It looks where the instance is, does the next thing, and looks again; nothing is remembered
//! that the folder does not hold. So a task of a later platform goes on where this one ended.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use cutover_core::id::InstanceId;
use cutover_core::observed::State;
use cutover_core::release::Release;
use cutover_core::spec::Drain;
use cutover_files::Lock;
use rustix::process::Signal;
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::boottime::Moment;
use super::super::exits::{self, Ending, Exit};
use super::super::files::{self, Kept, Start, StopAsked};
use super::super::paths::Folder;
use super::super::processes::GIVE_UP;
use super::board::{Board, Status, Wish};
use super::grip::Grip;
use super::leftovers::Leftovers;
use super::spare::SpareReader;
use super::start::{self, World};
use super::survey::{self, Situation};
use super::watch::Watch;

/// Before looking again at a folder whose keeper is just coming or going.
const LOOK: Duration = Duration::from_millis(10);
/// Before trying again what the file system refused.
const RETRY: Duration = Duration::from_secs(1);
/// What a keeper may need beyond the grace it gives the app.
const BEYOND_GRACE: Duration = GIVE_UP.saturating_add(Duration::from_secs(5));
/// A stop that lasts so much longer than the grace is worth telling.
const SLOW: Duration = Duration::from_secs(1);

/// One instance, from the first look at it to its removal.
pub(crate) struct Life {
    pub(super) id: InstanceId,
    pub(super) folder: Folder,
    pub(super) board: Arc<Board>,
    world: Arc<World>,
    pub(super) wish: watch::Receiver<Wish>,
    pub(super) exits: Vec<Exit>,
    keeper: Option<Child>,
    /// Of the attempt that runs, or that lost its keeper.
    pub(super) spare: Option<SpareReader>,
}

/// The wish can change no more: the platform is gone, or the instance is.
struct Over;

impl Life {
    /// Reads what there is of an instance; gives what to say of it, too.
    pub(crate) fn found(
        id: InstanceId,
        board: &Arc<Board>,
        world: &Arc<World>,
    ) -> (Life, Status, watch::Sender<Wish>) {
        let folder = Folder::new(&world.state, &board.subject, id);
        let mut exits = Vec::new();
        survey::merge(&mut exits, &folder);
        let status = survey::first_status(&folder, &exits);
        let (sender, wish) = watch::channel(Wish { stop: folder.stop().exists(), run: None });
        let life = Life {
            id,
            folder,
            board: Arc::clone(board),
            world: Arc::clone(world),
            wish,
            exits,
            keeper: None,
            spare: None,
        };
        (life, status, sender)
    }

    /// Runs until the instance is removed.
    pub(crate) async fn run(mut self) {
        while self.step().await.is_ok() {}
    }

    async fn step(&mut self) -> Result<(), Over> {
        survey::merge(&mut self.exits, &self.folder);
        match survey::look(&self.folder, &self.exits) {
            Situation::Running(running) => {
                let (kept, start) = *running;
                self.mind(&kept, &start).await
            }
            Situation::Orphaned(kept) => {
                self.bury(&kept).await;
                Ok(())
            }
            Situation::Empty | Situation::Ended => self.rest().await,
            Situation::Unclear(why) => {
                self.show(|status| {
                    if status.state != State::Stopping {
                        status.detail = Some(why);
                    }
                    false
                });
                tokio::time::sleep(LOOK).await;
                Ok(())
            }
        }
    }

    /// Nothing runs: remove it, start it, or wait.
    async fn rest(&mut self) -> Result<(), Over> {
        self.reap().await;
        self.spare = None;
        let wish = self.wish.borrow_and_update().clone();
        if wish.stop {
            return self.remove().await;
        }
        self.show_ended();
        let Some(release) = wish.run else {
            return self.wish.changed().await.map_err(|_| Over);
        };
        let age = self.exits.last().map_or(Duration::MAX, |exit| exit.at.age());
        let left = exits::wait(&self.exits).saturating_sub(age);
        if left.is_zero() {
            self.start(release).await;
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(left) => Ok(()),
            changed = self.wish.changed() => changed.map_err(|_| Over),
        }
    }

    async fn start(&mut self, release: Arc<Release>) {
        self.show(|status| {
            status.state = State::Starting;
            status.since = Moment::now();
            status.detail = Some("starting".to_owned());
            true
        });
        let attempt = self.next_attempt();
        let (world, folder) = (Arc::clone(&self.world), self.folder.clone());
        let subject = self.board.subject.clone();
        let prepared =
            blocking(move || start::prepare(&world, &folder, &subject, &release, attempt)).await;
        let failed = match prepared {
            Ok(Ok(())) => match start::spawn(&self.world, &self.folder).await {
                Ok(started) => {
                    self.keeper = Some(started.keeper);
                    if started.runs {
                        return;
                    }
                    self.reap().await;
                    survey::merge(&mut self.exits, &self.folder);
                    let said = self.exits.iter().any(|exit| exit.attempt == attempt);
                    // Another keeper may have been faster; a second start is no start.
                    if said || Lock::is_held(&self.folder.lock()).unwrap_or(false) {
                        return;
                    }
                    "its keeper ended at once, see keeper.log".to_owned()
                }
                Err(error) => error.to_string(),
            },
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        let at = Moment::now();
        // A keeper that died before it could say so may have begun.
        let left = self.end(&Leftovers::of(&self.folder, None), Drain::default().stop.0).await;
        let ending = Ending::NotStarted(failed);
        self.note(Exit { attempt, ending, at, ran_ms: 0, ready_ms: None, left }).await;
    }

    /// Greater than that of every attempt there has been.
    fn next_attempt(&self) -> u32 {
        let started = files::read::<Start>(&self.folder.start()).ok().flatten();
        let started = started.map_or(0, |start| start.attempt);
        let ended = self.exits.last().map_or(0, |exit| exit.attempt);
        started.max(ended) + 1
    }

    /// The keeper lives: probe the app until the keeper has gone, and stop both if wished.
    async fn mind(&mut self, kept: &Kept, start: &Start) -> Result<(), Over> {
        let Ok(Some(grip)) = Grip::take(&self.folder, kept) else {
            // It went just now.
            tokio::time::sleep(LOOK).await;
            return Ok(());
        };
        let record = survey::readiness(&self.folder, kept);
        let mut watch = Watch::new(start, kept, record.as_ref());
        self.show_running(kept, &watch, record.as_ref());
        self.spare = SpareReader::open(kept);
        let (mut tell_at, mut force_at) = (None, None);
        loop {
            let stop = self.wish.borrow_and_update().stop;
            if stop && force_at.is_none() {
                self.ask_to_stop(&grip).await;
                let kill_at = Instant::now() + start.grace.0;
                (tell_at, force_at) = (Some(kill_at + SLOW), Some(kill_at + BEYOND_GRACE));
            }
            tokio::select! {
                biased;
                () = grip.gone() => return Ok(()),
                changed = self.wish.changed() => changed.map_err(|_| Over)?,
                () = tokio::time::sleep_until(tell_at.unwrap_or_else(Instant::now)),
                    if tell_at.is_some() =>
                {
                    tell_at = None;
                    self.show_stubborn("some of its processes do not end, even by KILL");
                }
                () = tokio::time::sleep_until(force_at.unwrap_or_else(Instant::now)),
                    if force_at.is_some() =>
                {
                    // Its processes are ended as leftovers then.
                    grip.signal(Signal::KILL);
                    grip.gone().await;
                    return Ok(());
                }
                finding = watch.next(), if force_at.is_none() => {
                    self.show_finding(kept, finding).await;
                }
            }
        }
    }

    async fn ask_to_stop(&self, grip: &Grip) {
        self.show_stopping();
        let (path, at) = (self.folder.stop(), Moment::now());
        // Written first, so that the end is known to have been asked for, whoever sees it. If it
        // cannot be written, stopping is still what is wanted.
        let _ = blocking(move || files::write(&path, &StopAsked { at })).await;
        grip.signal(Signal::TERM);
    }

    /// Remembers an exit, also if it cannot be written.
    pub(super) async fn note(&mut self, exit: Exit) {
        exits::push(&mut self.exits, exit.clone());
        let folder = self.folder.clone();
        let _ = blocking(move || exits::append(&folder, &exit)).await;
    }

    /// Takes away what is left on disk, and then the instance itself or its stop.
    async fn remove(&mut self) -> Result<(), Over> {
        self.show_stopping();
        let (world, folder) = (Arc::clone(&self.world), self.folder.clone());
        match blocking(move || remove(&world, &folder)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) | Err(error) => {
                let path = self.folder.path().display();
                let detail = format!("stopped, but cannot remove {path}: {error}");
                self.show(|status| {
                    status.detail = Some(detail);
                    false
                });
                tokio::time::sleep(RETRY).await;
                return Ok(());
            }
        }
        self.exits.clear();
        let again = {
            let mut entries = self.board.entries();
            let again =
                entries.get(&self.id).is_some_and(|entry| entry.wish.borrow().run.is_some());
            if again && let Some(entry) = entries.get_mut(&self.id) {
                entry.status = Status::starting();
                entry.wish.send_modify(|wish| wish.stop = false);
            } else {
                entries.remove(&self.id);
            }
            again
        };
        self.board.tell();
        if again { Ok(()) } else { Err(Over) }
    }

    /// Waits for a keeper that was started here and has ended, so that no zombie stays.
    pub(super) async fn reap(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            // How it ended is told by its record.
            let _ = keeper.wait().await;
        }
    }
}

/// Removes a folder while nobody can start in it: its lock is held meanwhile.
pub(crate) fn remove(world: &World, folder: &Folder) -> io::Result<()> {
    if folder.path().exists() {
        let lock = Lock::try_take(&folder.lock()).map_err(|error| error.source)?;
        if lock.is_none() {
            return Err(io::Error::other("a keeper has just been started in it"));
        }
        std::fs::remove_dir_all(folder.path())?;
    }
    world.ports.give_back(folder.name())
}

/// Work that syncs files, off the threads that must answer at once.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}
