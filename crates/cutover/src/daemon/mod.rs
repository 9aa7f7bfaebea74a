//! The daemon: an engine behind HTTP on a Unix socket, for one user.

mod door;
mod routes;
mod run;
mod start;
mod stream;
mod table;
mod world;

pub(crate) use run::run;
pub(crate) use start::{find_or_start, stop};
pub(crate) use table::Status;

/// Carries the protocol number in requests and answers.
pub(crate) const PROTOCOL_HEADER: &str = "x-cutover-protocol";
/// Carries the daemon's version in answers.
pub(crate) const VERSION_HEADER: &str = "x-cutover-version";
