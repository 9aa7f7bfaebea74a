//! The data plane of Cutover: listeners, routing, hold, drain, measurements.
//!
//! Two processes share the work. The *keeper* ([`keep`]) holds the listening sockets and starts the
//! proxy again when it dies, so that connections queue meanwhile and are not refused. The *proxy*
//! ([`serve`]) does everything else; it is told what to do over its control socket, in the words of
//! [`cutover_core::dataplane`].

mod app;
mod ballast;
mod claim;
mod control;
mod deal;
mod drain;
mod fd_passing;
mod folders;
mod forward;
mod headers;
mod hold;
mod identity;
mod instance;
mod keeper;
mod keeper_link;
mod listener;
mod log;
mod marks;
mod measure;
mod metrics;
mod pages;
mod plane;
mod pool;
mod publish;
mod relay;
mod routes;
mod serve;
mod state_file;
mod tally;
mod upgrade;
mod visit;
mod wire;

pub use folders::Folders;
pub use keeper::{KeepError, keep};
pub use serve::{ServeError, serve};
pub use state_file::StateError;
