//! Feature flags that clients evaluate over HTTP: where definitions come from, who changes them, and
//! who serves them.

mod amend;
mod change;
mod collect;
mod files;
mod follow;
mod git;
mod ledger;
mod moves;
mod offer;
mod overlay;
mod person;
mod sources;
mod stale;
mod watch;

pub(crate) use change::{Asked, Change, Changed, Edit, How, Setting, Standing, State};
pub(crate) use collect::{Collector, open_tracks};
pub(crate) use files::read;
pub(crate) use git::Tree;
pub(crate) use moves::{Move, Moves, Who};
pub(crate) use offer::{Fetch, Offer, Offered};
pub(crate) use overlay::source;
pub(crate) use person::digest;
pub(crate) use sources::is_url;
pub(crate) use stale::StaleFlags;
pub(crate) use watch::Flags;
