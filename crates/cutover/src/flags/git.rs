//! Definitions in a Git repository on this machine: those that are committed, so that an edit goes
//! live when it is committed and not when it is saved.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use cutover_core::served_flags::FlagSource;
use cutover_flags::LARGEST_DOCUMENT;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::files::{LARGEST, MOST_FILES, is_document};

/// No call of git takes longer.
const LONGEST: Duration = Duration::from_secs(10);
/// The most bytes of a folder's listing.
const LARGEST_LISTING: usize = 4 << 20;

/// A committed state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Tree {
    /// The repository, or a folder in it.
    pub(crate) repository: PathBuf,
    /// Which commit: a branch, a tag, or anything else that git takes for one.
    pub(crate) reference: String,
}

/// Why nothing is read from a repository.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    #[error("git cannot be run")]
    NoGit(#[source] std::io::Error),
    #[error("git did not answer within {} s", LONGEST.as_secs())]
    Slow,
    #[error("{} in {}: {said}", what, repository.display())]
    Refused { what: String, repository: PathBuf, said: String },
    #[error("{path} in {commit} has no file that ends in .json, .yaml or .yml")]
    Empty { path: String, commit: String },
    #[error("{0} is larger than {LARGEST_DOCUMENT} bytes, or is no text")]
    TooLarge(String),
    #[error("there are more than {MOST_FILES} files with flags, or more than {LARGEST} bytes")]
    TooMuch,
}

impl Tree {
    /// The commit that is meant now.
    pub(super) async fn commit(&self) -> Result<String, GitError> {
        let commit = format!("{}^{{commit}}", self.reference);
        let arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit];
        let what = format!("there is no commit {:?}", self.reference);
        let found = self.ask(&arguments, 1024, &what).await?;
        Ok(String::from_utf8_lossy(&found).trim().to_owned())
    }

    /// The documents at these paths in a commit; of folders those directly in them, by name.
    pub(super) async fn read(
        &self,
        commit: &str,
        paths: &[PathBuf],
    ) -> Result<Vec<FlagSource>, GitError> {
        let mut files = vec![];
        for path in paths {
            let path = path.to_string_lossy();
            files.extend(self.files(commit, path.trim_matches('/')).await?);
        }
        if files.len() > MOST_FILES {
            return Err(GitError::TooMuch);
        }
        let (mut sources, mut size) = (vec![], 0);
        for path in files {
            let what = format!("{path} cannot be read from {}", self.reference);
            let object = format!("{commit}:{path}");
            let blob = self.ask(&["cat-file", "blob", &object], LARGEST_DOCUMENT, &what).await?;
            let name = format!("{}:{path}", self.reference);
            let text = String::from_utf8(blob).map_err(|_| GitError::TooLarge(name.clone()))?;
            size += text.len();
            if size > LARGEST {
                return Err(GitError::TooMuch);
            }
            sources.push(FlagSource { name, text, changes: None });
        }
        Ok(sources)
    }

    /// The files that a path means.
    async fn files(&self, commit: &str, path: &str) -> Result<Vec<String>, GitError> {
        let path = if path == "." { "" } else { path };
        let object = format!("{commit}:{path}");
        let what = format!("there is no {path:?} in {}", self.reference);
        let kind = self.ask(&["cat-file", "-t", &object], 64, &what).await?;
        if kind.trim_ascii() != b"tree" {
            return Ok(vec![path.to_owned()]);
        }
        let listing = self.ask(&["ls-tree", "-z", &object], LARGEST_LISTING, &what).await?;
        let listing = String::from_utf8_lossy(&listing);
        // MODE SP TYPE SP OBJECT TAB NAME; a symlink has a mode of its own, and its text is no document.
        let name = |entry: &str| {
            let (head, name) = entry.split_once('\t')?;
            let is_file = head.starts_with("100") && is_document(name);
            let folder = if path.is_empty() { String::new() } else { format!("{path}/") };
            is_file.then(|| format!("{folder}{name}"))
        };
        let mut files: Vec<String> = listing.split('\0').filter_map(name).collect();
        files.sort();
        match files.is_empty() {
            true => Err(GitError::Empty { path: path.to_owned(), commit: self.reference.clone() }),
            false => Ok(files),
        }
    }

    /// What git prints. It runs without a shell, asks nobody for anything, and what the environment
    /// says of another repository does not count.
    async fn ask(&self, arguments: &[&str], most: usize, what: &str) -> Result<Vec<u8>, GitError> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.repository).args(arguments);
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
            command.env_remove(name);
        }
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let answer = async {
            let mut child = command.spawn()?;
            let (mut out, mut err) = (vec![], vec![]);
            let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
            // One byte more tells whether there are more.
            let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
            if let Some(pipe) = stdout {
                pipe.take(limit).read_to_end(&mut out).await?;
            }
            if out.len() > most {
                // It may still want to write.
                child.start_kill()?;
            }
            if let Some(pipe) = stderr {
                pipe.take(4096).read_to_end(&mut err).await?;
            }
            Ok::<_, std::io::Error>((child.wait().await?, out, err))
        };
        let answered = tokio::time::timeout(LONGEST, answer).await;
        let (status, out, err) = answered.map_err(|_| GitError::Slow)?.map_err(GitError::NoGit)?;
        if out.len() > most {
            return Err(GitError::TooLarge(what.to_owned()));
        }
        if status.success() {
            return Ok(out);
        }
        let said = String::from_utf8_lossy(&err);
        let said = said.lines().next().unwrap_or("git says no more").trim().to_owned();
        let repository = self.repository.clone();
        Err(GitError::Refused { what: what.to_owned(), repository, said })
    }
}
