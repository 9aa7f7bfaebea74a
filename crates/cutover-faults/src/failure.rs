//! What keeps the harness itself from doing its work; never a fault of Cutover.

use std::io;

/// A run could not be made as it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The system refused.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// This machine cannot do what the fault needs: no root, no library.
    #[error("skipped: {0}")]
    Skipped(String),
    /// Something else.
    #[error("{0}")]
    Said(String),
}

/// Puts what was tried before the system's words.
pub(crate) fn cannot(what: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
    let what = what.into();
    move |source| Failure::System { what, source }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Said(format!("cannot read the journal: {error}"))
    }
}

impl From<cutover_files::FileError> for Failure {
    fn from(error: cutover_files::FileError) -> Failure {
        Failure::System {
            what: format!("{} {}", error.verb, error.path.display()),
            source: error.source,
        }
    }
}
