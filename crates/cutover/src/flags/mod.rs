//! Feature flags that clients evaluate over HTTP: where definitions come from, who changes them, and
//! who serves them.

mod amend;
mod change;
mod files;
mod follow;
mod ledger;
mod moves;
mod offer;
mod overlay;
mod person;
mod stale;
mod watch;

pub(crate) use change::{Asked, Change, Changed, Edit, How, Setting, Standing, State};
pub(crate) use files::{Unreadable, read};
pub(crate) use moves::{Move, Moves, Who};
pub(crate) use offer::{Offer, Offered};
pub(crate) use overlay::source;
pub(crate) use person::digest;
pub(crate) use stale::StaleFlags;
pub(crate) use watch::Flags;
