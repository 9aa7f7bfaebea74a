//! Where an environment's definitions come from: files and folders, a commit, URLs. What was good
//! last is kept where a source cannot be reached.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use cutover_core::served_flags::FlagSource;
use cutover_core::spec::{Auth, Tls};
use cutover_engine::api::{Refused, RefusedKind};
use cutover_flags::LARGEST_DOCUMENT;
use cutover_platform::{Document, Fetched, Unfetched};
use tokio::time::Instant;

use super::Offer;
use super::files::{self, Stamp, stamps};
use super::git::GitError;

/// What shows that a source may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// Files and folders.
    Files(Vec<Stamp>),
    /// The commit that is meant; none before it was found.
    Commit(Option<String>),
    /// How often the document behind a URL was another one.
    Url(PathBuf, u64),
}

/// What is remembered of sources that are not files.
#[derive(Debug, Default)]
pub(super) struct Sources {
    commit: Option<String>,
    urls: HashMap<PathBuf, Remote>,
}

/// A document behind a URL.
#[derive(Debug, Default)]
struct Remote {
    /// What was there last.
    text: Option<String>,
    etag: Option<http::HeaderValue>,
    changes: u64,
    looked: Option<Instant>,
    missing: Option<Unfetched>,
}

/// Is this a URL and no file?
pub(crate) fn is_url(path: &Path) -> bool {
    let text = path.to_str().unwrap_or_default();
    text.starts_with("http://") || text.starts_with("https://")
}

impl Sources {
    /// What all sources look like now, and what cannot be looked at; that looks as it did before.
    pub(super) async fn look(&mut self, offer: &Offer) -> (Vec<Seen>, Option<Refused>) {
        if let Some(tree) = &offer.git {
            let missing = match tree.commit().await {
                Ok(commit) => {
                    self.commit = Some(commit);
                    None
                }
                Err(error) => Some(of_git(&error)),
            };
            return (vec![Seen::Commit(self.commit.clone())], missing);
        }
        let (mut seen, mut missing) = (vec![], None);
        for path in &offer.paths {
            if !is_url(path) {
                let path = vec![path.clone()];
                let stamps = tokio::task::spawn_blocking(move || stamps(&path));
                seen.push(Seen::Files(stamps.await.unwrap_or_default()));
                continue;
            }
            let remote = self.urls.entry(path.clone()).or_default();
            remote.look(offer, path).await;
            seen.push(Seen::Url(path.clone(), remote.changes));
            missing = missing.or_else(|| remote.missing.as_ref().map(of_url));
        }
        (seen, missing)
    }

    /// All documents, as they were looked at last.
    pub(super) async fn read(&self, offer: &Offer) -> Result<Vec<FlagSource>, Refused> {
        if let Some(tree) = &offer.git {
            let commit = self.commit.clone().unwrap_or_default();
            return tree.read(&commit, &offer.paths).await.map_err(|error| of_git(&error));
        }
        let mut sources = vec![];
        for path in &offer.paths {
            if is_url(path) {
                let remote = self.urls.get(path).and_then(|remote| remote.text.clone());
                sources.extend(remote.map(|text| FlagSource {
                    name: name(path),
                    text,
                    changes: None,
                }));
                continue;
            }
            let path = vec![path.clone()];
            let read = tokio::task::spawn_blocking(move || files::read(&path)).await;
            let read = read.map_err(|error| preflight(error.to_string()))?;
            sources.extend(read.map_err(|error| preflight(with_cause(&error)))?);
        }
        let size: usize = sources.iter().map(|source| source.text.len()).sum();
        if sources.len() > files::MOST_FILES || size > files::LARGEST {
            return Err(preflight(files::Unreadable::TooMuch.to_string()));
        }
        Ok(sources)
    }
}

impl Remote {
    /// Asks whether there is something else, if it is time to.
    async fn look(&mut self, offer: &Offer, path: &Path) {
        let fetch = &offer.fetch;
        if self.looked.is_some_and(|at| at.elapsed() < fetch.every.0) {
            return;
        }
        let bearer_file = fetch.bearer_file.clone();
        let document = Document {
            url: path.to_string_lossy().into_owned(),
            auth: bearer_file.map(|file| Auth { bearer_file: Some(file), ..Auth::default() }),
            tls: fetch.ca.clone().map(|ca| Tls { ca: Some(ca), ..Tls::default() }),
            deadline: fetch.deadline.0,
            largest: LARGEST_DOCUMENT,
        };
        // Its files are absolute.
        let fetched = document.fetch(Path::new("/"), self.etag.as_ref()).await;
        self.looked = Some(Instant::now());
        self.missing = match fetched {
            Ok(Fetched::Unchanged) => None,
            Ok(Fetched::Text { text, etag }) => {
                self.etag = etag;
                if self.text.as_ref() != Some(&text) {
                    self.text = Some(text);
                    self.changes += 1;
                }
                None
            }
            Err(missing) => Some(missing),
        };
    }
}

/// What messages and selectors call a URL: without its query, which may hold a secret.
fn name(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.split(['?', '#']).next().unwrap_or_default().to_owned()
}

fn of_url(missing: &Unfetched) -> Refused {
    let name = name(Path::new(&missing.url));
    let message = format!("{name} cannot be fetched: {}", missing.reason);
    Refused { kind: RefusedKind::Preflight, message, help: missing.help.clone() }
}

fn of_git(error: &GitError) -> Refused {
    preflight(with_cause(error))
}

fn with_cause(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

fn preflight(message: String) -> Refused {
    Refused { kind: RefusedKind::Preflight, message, help: None }
}
