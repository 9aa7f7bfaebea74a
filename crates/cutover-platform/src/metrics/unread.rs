//! Why a source could not be looked at.

use std::error::Error;

/// Why, and what to do about it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Unread {
    pub(super) reason: String,
    pub(super) help: Option<String>,
}

impl Unread {
    pub(super) fn new(reason: impl Into<String>) -> Unread {
        Unread { reason: reason.into(), help: None }
    }
    pub(super) fn help(self, help: impl Into<String>) -> Unread {
        Unread { help: Some(help.into()), ..self }
    }
}

/// An error with all that is below it, in one line; what is said twice is left out.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        below = cause.source();
    }
    text
}
