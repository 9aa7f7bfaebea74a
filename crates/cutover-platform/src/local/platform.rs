//! The platform of local processes, as the engine sees it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cutover_core::id::{InstanceId, Subject};
use cutover_core::observed::State;
use cutover_core::release::Release;
use cutover_core::units::At;
use cutover_engine::ports::{KeepLeft, Left, Platform, PlatformError, Seen};
use tokio::task::JoinSet;

use super::boottime::{Moment, Timeline};
use super::instance::{Board, Entry, Life, Status, World};
use super::paths::{self, Folder};
use super::ports::Ports;
use super::{logs, preflight, prune};
use cutover_files::Program;

/// Instances as processes of this machine, each under its keeper.
///
/// Dropping it ends the watching, not the instances: the next platform with the same state folder
/// finds them, and those that were ready are ready at once.
#[derive(Debug)]
pub struct LocalPlatform {
    world: Arc<World>,
    timeline: Timeline,
    boards: Mutex<BTreeMap<Subject, Arc<Board>>>,
    lives: Mutex<JoinSet<()>>,
}

impl LocalPlatform {
    /// Keeps everything below `state` and starts keepers as `program keeper <subject>/<instance>`
    /// with `CUTOVER_STATE`, also when the program's file is gone. One at a time for a state folder: its owner holds the folder's lock.
    ///
    /// # Errors
    /// Where the state folder cannot be found or made.
    pub fn new(state: PathBuf, program: PathBuf) -> Result<LocalPlatform, PlatformError> {
        let failed = |what: &str, path: &PathBuf, source: std::io::Error| PlatformError {
            message: format!("cannot {what} {}", path.display()),
            help: None,
            source: Some(source.into()),
        };
        cutover_files::private_folder(&paths::instances(&state))
            .map_err(|error| failed("make the folder", &error.path.clone(), error.source))?;
        // One spelling for all, as processes are marked with it.
        let state =
            state.canonicalize().map_err(|error| failed("find the folder", &state, error))?;
        let program = std::path::absolute(&program)
            .map(|program| Program::open(&program))
            .map_err(|error| failed("find the program", &program, error))?;
        Ok(LocalPlatform {
            world: Arc::new(World { ports: Ports::open(&state), state, program }),
            timeline: Timeline::new(),
            boards: Mutex::new(BTreeMap::new()),
            lives: Mutex::new(JoinSet::new()),
        })
    }

    /// Ends the watching, and returns when it has ended. Instances run on.
    pub async fn stop_watching(self) {
        let mut lives = self.lives.into_inner().unwrap_or_else(PoisonError::into_inner);
        lives.shutdown().await;
    }

    /// The board of a subject; at the first call with everything found on disk.
    fn board(&self, subject: &Subject) -> Result<Arc<Board>, PlatformError> {
        let mut boards = self.boards.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(board) = boards.get(subject) {
            return Ok(Arc::clone(board));
        }
        let board = Arc::new(Board::new(subject.clone()));
        for id in self.on_disk(subject)? {
            self.adopt(id, &board, |_| {});
        }
        boards.insert(subject.clone(), Arc::clone(&board));
        Ok(board)
    }

    fn on_disk(&self, subject: &Subject) -> Result<Vec<InstanceId>, PlatformError> {
        let path = paths::instances(&self.world.state).join(subject.to_string());
        let failed = |source| PlatformError {
            message: format!("cannot read the instances in {}", path.display()),
            help: None,
            source: Some(Box::new(source)),
        };
        match std::fs::read_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(failed(error)),
            Ok(entries) => {
                let mut found = Vec::new();
                for entry in entries {
                    let name = entry.map_err(failed)?.file_name();
                    found.extend(name.to_str().and_then(|name| name.parse::<InstanceId>().ok()));
                }
                Ok(found)
            }
        }
    }

    /// Puts an instance on the board and starts its task.
    fn adopt(&self, id: InstanceId, board: &Arc<Board>, wish: impl FnOnce(&mut Entry)) {
        let (life, status, sender) = Life::found(id, board, &self.world);
        let mut entry = Entry { status, wish: sender };
        wish(&mut entry);
        board.entries().insert(id, entry);
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of instances that were removed have ended.
        while lives.try_join_next().is_some() {}
        lives.spawn(life.run());
    }

    fn seen(&self, status: &Status) -> Seen {
        Seen {
            state: status.state,
            since: self.timeline.at(&status.since),
            address: status.address,
            exits: status.exits.iter().map(|exit| self.timeline.at(exit)).collect(),
            detail: status.detail.clone(),
        }
    }
}

impl Platform for LocalPlatform {
    async fn preflight(&self, _: &Subject, release: &Release) -> Result<(), PlatformError> {
        preflight::check(&self.world.state, release)
    }

    async fn prepare(&self, _: &Subject, _: &Release) -> Result<(), PlatformError> {
        Ok(())
    }

    async fn observe(
        &self,
        subject: &Subject,
        now: At,
    ) -> Result<BTreeMap<InstanceId, Seen>, PlatformError> {
        self.timeline.note(now);
        let board = self.board(subject)?;
        let entries = board.entries();
        Ok(entries.iter().map(|(id, entry)| (*id, self.seen(&entry.status))).collect())
    }

    async fn converge(
        &self,
        subject: &Subject,
        wanted: &BTreeMap<InstanceId, Arc<Release>>,
        now: At,
    ) -> Result<(), PlatformError> {
        self.timeline.note(now);
        let board = self.board(subject)?;
        let _turn = board.turn.lock().await;
        let mut missing: BTreeMap<_, _> = wanted.iter().collect();
        let mut news = false;
        for (id, entry) in board.entries().iter_mut() {
            match missing.remove(id) {
                Some(release) => {
                    entry.wish.send_if_modified(|wish| {
                        let before = wish.run.replace(Arc::clone(release));
                        before.is_none()
                    });
                }
                None => news |= stop(entry),
            }
        }
        for (id, release) in missing {
            self.adopt(*id, &board, |entry| {
                entry.status = Status::starting();
                entry.wish.send_modify(|wish| wish.run = Some(Arc::clone(release)));
            });
            news = true;
        }
        if news {
            board.tell();
        }
        Ok(())
    }

    async fn logs(
        &self,
        subject: &Subject,
        instance: InstanceId,
        lines: usize,
    ) -> Result<Vec<String>, PlatformError> {
        let folder = Folder::new(&self.world.state, subject, instance);
        if !folder.path().is_dir() {
            return Err(PlatformError::new(format!("{subject} has no instance {instance}")));
        }
        let path = folder.log();
        let read = tokio::task::spawn_blocking(move || logs::tail(&folder, lines)).await;
        read.map_err(std::io::Error::other).flatten().map_err(|source| PlatformError {
            message: format!("cannot read {}", path.display()),
            help: None,
            source: Some(source.into()),
        })
    }

    async fn prune(
        &self,
        subject: &Subject,
        keep: &KeepLeft,
        dry_run: bool,
    ) -> Result<Vec<Left>, PlatformError> {
        let board = self.board(subject)?;
        // While it is held no instance comes to be; one that goes leaves the board last.
        let _turn = board.turn.lock().await;
        let mut left = self.on_disk(subject)?;
        left.retain(|id| !board.entries().contains_key(id));
        let (world, subject, keep) = (Arc::clone(&self.world), subject.clone(), keep.clone());
        let work = move || prune::prune(&world, &subject, left, &keep, dry_run);
        let done = tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other);
        done.flatten().map_err(|source| PlatformError {
            message: "cannot remove what old instances left".to_owned(),
            help: None,
            source: Some(source.into()),
        })
    }

    async fn changed(&self, subject: &Subject) {
        match self.board(subject) {
            Ok(board) => board.changed().await,
            // `observe` tells why it cannot be read; there is nothing that could change.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Wishes an instance to stop, and shows that at once; true if that is new.
fn stop(entry: &mut Entry) -> bool {
    entry.wish.send_if_modified(|wish| {
        let before = wish.stop;
        wish.stop = true;
        wish.run = None;
        !before
    });
    let news = entry.status.state != State::Stopping;
    if news {
        entry.status.state = State::Stopping;
        entry.status.since = Moment::now();
        entry.status.detail = Some("stopping".to_owned());
    }
    news
}
