//! Feature flags over HTTP: OFREP 0.3 (open-feature/protocol, `service/openapi.yaml`), changes as
//! server-sent events, and tracks of who saw what.
//!
//! Definitions are compiled when they are published and stored before they are acknowledged, so that
//! a proxy that starts again gives the same answers, with no daemon. Requests look at one snapshot
//! and take no lock.

mod answer;
mod catalog;
mod counts;
mod environment;
mod evaluate;
mod events;
mod metrics;
mod origins;
mod path;
mod ring;
mod served;
mod store;
mod tokens;
mod track;
mod visit;

pub(crate) use catalog::Catalog;
pub(crate) use metrics::text;

/// What the names of its listeners begin with.
pub(crate) const LISTENER: &str = "flags:";
