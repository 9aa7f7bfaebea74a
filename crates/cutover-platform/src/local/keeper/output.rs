//! What the app prints, written to a log that cannot fill the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use super::super::paths::Folder;

/// The thread that empties the app's pipe.
pub(in crate::local) struct Output {
    descriptor: i32,
    ended: Receiver<()>,
}

impl Output {
    /// Reads until every writer is gone.
    pub(in crate::local) fn follow(
        mut reader: PipeReader,
        folder: &Folder,
        limit: u64,
    ) -> io::Result<Output> {
        let mut log = Log::open(folder, limit)?;
        let descriptor = reader.as_raw_fd();
        let (done, ended) = mpsc::sync_channel(1);
        thread::Builder::new().name("output".to_owned()).spawn(move || {
            let mut bytes = vec![0; 16 * 1024];
            loop {
                match reader.read(&mut bytes) {
                    Ok(0) => break,
                    // What cannot be written is let go: a full disk must not block the app.
                    Ok(n) => drop(log.write(&bytes[..n])),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            // Nobody listens if the keeper did not want to wait.
            let _ = done.send(());
        })?;
        Ok(Output { descriptor, ended })
    }
    /// The number of the pipe's descriptor in this process, until every writer is gone.
    pub(super) fn descriptor(&self) -> i32 {
        self.descriptor
    }
    /// Returns when all output is in the log, or after a while.
    pub(super) fn last_words(&self, longest: Duration) {
        // Either way there is no more to wait for.
        let _ = self.ended.recv_timeout(longest);
    }
}

/// `log`, and `log.1` with what was before it.
struct Log {
    file: File,
    size: u64,
    limit: u64,
    path: PathBuf,
    older: PathBuf,
}

impl Log {
    fn open(folder: &Folder, limit: u64) -> io::Result<Log> {
        let path = folder.log();
        let file = append_to(&path)?;
        let size = file.metadata()?.len();
        Ok(Log { file, size, limit, path, older: folder.older_log() })
    }
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.size > 0 && self.size.saturating_add(more) > self.limit {
            fs::rename(&self.path, &self.older)?;
            self.file = append_to(&self.path)?;
            self.size = 0;
        }
        self.file.write_all(bytes)?;
        self.size += more;
        Ok(())
    }
}

fn append_to(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_over_its_limit_is_rotated_and_nothing_is_lost_before_the_second_time() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::named(state.path(), "shop/r1.0").unwrap();
        cutover_files::private_folder(folder.path()).unwrap();
        let mut log = Log::open(&folder, 100).unwrap();
        let mut written = String::new();
        for number in 0..15 {
            let line = format!("line {number:04}\n");
            log.write(line.as_bytes()).unwrap();
            written.push_str(&line);
        }
        let read = |path| fs::read_to_string(path).unwrap();
        let (older, log) = (read(folder.older_log()), read(folder.log()));
        assert!(older.len() <= 100 && log.len() <= 100, "{older:?} {log:?}");
        assert_eq!(older + &log, written);
    }
}
