//! Feature flags that clients evaluate over HTTP: where definitions come from, and who serves them.

mod collect;
mod files;
mod git;
mod offer;
mod sources;
mod watch;

pub(crate) use collect::{Collector, open_tracks};
pub(crate) use files::read;
pub(crate) use git::Tree;
pub(crate) use offer::{Fetch, Offer, Offered};
pub(crate) use sources::is_url;
pub(crate) use watch::Flags;
