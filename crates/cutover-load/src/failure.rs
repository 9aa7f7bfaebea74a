//! Why a request has no complete answer.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

use serde::{Serialize, Serializer};

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Nobody listened.
    Refused,
    /// The connection was reset.
    Reset,
    /// The connection was closed before the answer, or in the middle of it.
    ClosedEarly,
    /// No complete answer in time.
    Timeout,
    /// The proxy answered in the place of the app, with this status.
    Proxy(u16),
    /// What came was not HTTP.
    Malformed,
    /// The load's own machine had no file, port or memory left: nothing about the server.
    Own,
    /// Anything else.
    Other,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("refused"),
            Self::Reset => f.write_str("reset"),
            Self::ClosedEarly => f.write_str("closed-early"),
            Self::Timeout => f.write_str("timeout"),
            Self::Proxy(status) => write!(f, "proxy-{status}"),
            Self::Malformed => f.write_str("malformed"),
            Self::Own => f.write_str("own"),
            Self::Other => f.write_str("other"),
        }
    }
}

/// Serialised as it is displayed, so that it can be a key.
impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One failure: its class, and what the system said.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    pub(crate) detail: String,
}

impl Failure {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { reason, detail }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(of_io(&error), error.to_string())
    }
}

impl From<hyper::Error> for Failure {
    fn from(error: hyper::Error) -> Self {
        let io = causes(&error).find_map(|cause| cause.downcast_ref::<io::Error>());
        let reason = match io.map(of_io) {
            Some(reason) => reason,
            None if error.is_incomplete_message() || error.is_canceled() || error.is_closed() => {
                Reason::ClosedEarly
            }
            None if error.is_parse() => Reason::Malformed,
            None => Reason::Other,
        };
        let words: Vec<_> = causes(&error).map(ToString::to_string).collect();
        Self::new(reason, words.join(": "))
    }
}

fn of_io(error: &io::Error) -> Reason {
    match error.kind() {
        ErrorKind::ConnectionRefused => Reason::Refused,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            Reason::Reset
        }
        ErrorKind::UnexpectedEof | ErrorKind::NotConnected => Reason::ClosedEarly,
        ErrorKind::TimedOut => Reason::Timeout,
        ErrorKind::AddrNotAvailable | ErrorKind::OutOfMemory => Reason::Own,
        ErrorKind::InvalidData => Reason::Malformed,
        // EMFILE and ENFILE have no kind of their own; the numbers are the same on every Linux.
        _ if matches!(error.raw_os_error(), Some(23 | 24)) => Reason::Own,
        _ => Reason::Other,
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
