//! The data plane of Cutover: listeners, routing, flags, mirror, hold, drain, measurements.
//!
//! Two processes share the work. The *keeper* ([`keep`]) holds the listening sockets and starts the
//! proxy again when it dies, so that connections queue meanwhile and are not refused. The *proxy*
//! ([`serve`]) does everything else; it is told what to do over its control socket, in the words of
//! [`cutover_core::dataplane`].

mod app;
mod attempt;
mod baggage;
mod ballast;
mod choose;
mod claim;
mod connect;
mod control;
mod copy;
mod dealing;
mod drain;
mod fd_passing;
mod fingerprint;
mod flags;
mod folders;
mod forward;
mod frames;
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
mod mirror;
mod ofrep;
mod pages;
mod pair;
mod part;
mod plane;
mod pool;
mod publish;
mod relay;
mod route;
mod routes;
mod serve;
mod split;
mod state_file;
mod tally;
mod tee;
mod upgrade;
mod visit;
mod wire;

pub use folders::Folders;
pub use keeper::{KeepError, keep};
pub use serve::{ServeError, serve};
pub use state_file::StateError;
