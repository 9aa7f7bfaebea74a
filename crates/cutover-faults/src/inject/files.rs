//! Files that are damaged.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{daemons, signals};
use crate::failure::{Failure, cannot};
use crate::fault::Damage;
use crate::processes::Role;
use crate::scene::Scene;

/// How long the proxy may stay without any state until a person looks.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3);

pub(super) fn damage_proxy(scene: &mut Scene<'_>, damage: Damage) -> Result<(), Failure> {
    let newest = scene.world.proxy_file("state.json");
    let previous = scene.world.proxy_file("state.json.prev");
    let done = match damage {
        Damage::Truncated => there(|| truncate(&newest)),
        Damage::Garbled => there(|| garble(&newest)),
        Damage::PreviousGone => there(|| fs::remove_file(&previous)),
        Damage::Both => there(|| garble(&newest)).and_then(|()| there(|| garble(&previous))),
    };
    done.map_err(cannot(format!("damage the files of the proxy ({damage:?})")))?;
    let newcomer = signals::killed_proxy(scene)?;
    if damage == Damage::Both {
        std::thread::sleep(scene.choices.between(SHORTEST, LONGEST));
        for path in [&newest, &previous] {
            // A proxy that was killed as it wrote has left only one of them.
            match fs::rename(path, path.with_extension("aside")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(cannot("move the files of the proxy away")(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        let ran = scene.world.run("status")?;
        if ran.code != Some(0) {
            scene.effect.wrong.push(format!("no status without the proxy's files: {ran}"));
        }
    }
    newcomer.note(scene);
    Ok(())
}

/// Does something with a file that is being replaced just now: for a moment it may not be there.
fn there(mut damage: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let mut tries = 0..500;
    loop {
        match damage() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries.next().is_some() => {
                std::thread::sleep(Duration::from_millis(2));
            }
            done => return done,
        }
    }
}

/// Leaves the first half.
fn truncate(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    let length = file.metadata()?.len();
    file.set_len(length / 2)
}

/// Changes one byte in the middle.
fn garble(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let place = file.metadata()?.len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, place)?;
    file.write_all_at(&[byte[0] ^ 1], place)
}

/// The files of the journal: the database and what SQLite keeps beside it.
fn journal_files(state: &Path) -> [PathBuf; 3] {
    ["journal.db", "journal.db-wal", "journal.db-shm"].map(|name| state.join(name))
}

pub(super) fn garble_journal(scene: &mut Scene<'_>) -> Result<(), Failure> {
    // Whoever follows the release would start a daemon at once.
    for client in scene.world.with_role(Role::Client) {
        client.kill();
    }
    daemons::end(scene);
    let aside = scene.world.folder().join("journal");
    fs::create_dir(&aside).map_err(cannot("put the journal aside"))?;
    let state = scene.world.state();
    let files: Vec<PathBuf> =
        journal_files(&state).into_iter().filter(|path| path.exists()).collect();
    let put_aside =
        |path: &PathBuf| fs::rename(path, aside.join(path.file_name().unwrap_or_default()));
    for file in &files {
        put_aside(file).map_err(cannot("put the journal aside"))?;
    }
    let garbage = [0x5a_u8; 8192];
    let write = || File::create(state.join("journal.db"))?.write_all_at(&garbage, 0);
    write().map_err(cannot("garble the journal"))?;

    let ran = scene.world.run("status")?;
    if ran.code == Some(0) || !ran.stderr.contains("journal") {
        scene.effect.wrong.push(format!("a garbled journal is not told: {ran}"));
    }
    if !scene.users_are_served() {
        scene.effect.wrong.push("users are not served while the journal is garbled".to_owned());
    }

    for file in journal_files(&state) {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot("remove the garbled journal")(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    for file in &files {
        let kept = aside.join(file.file_name().unwrap_or_default());
        fs::rename(kept, file).map_err(cannot("put the journal back"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        cutover_files::write_atomic(&path, b"0123456789").unwrap();
        garble(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"0123446789");
        truncate(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"01234");
    }
}
