//! Feature flags that clients evaluate over HTTP: where definitions come from, and who serves them.

mod collect;
mod files;
mod offer;
mod watch;

pub(crate) use collect::{Collector, open_tracks};
pub(crate) use files::{Unreadable, read};
pub(crate) use offer::{Offer, Offered};
pub(crate) use watch::Flags;
