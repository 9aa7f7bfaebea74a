//! Following a rollout from the client's side.

mod feed;
mod follow;
mod interrupts;
mod summary;

pub(crate) use feed::{Choice, Feed};
pub(crate) use follow::{Watch, detached, see_through, watch_to_end};
pub(crate) use interrupts::Interrupts;
pub(crate) use summary::{Ended, Summary};
