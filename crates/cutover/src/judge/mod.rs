//! Judging what was counted, outside of a rollout: replays, and what a plan can find out.

mod counts;
mod outlook;
mod replay;
mod traffic;

pub(crate) use counts::{BadLine, Lines};
pub(crate) use outlook::{Foreseen, Outlook, Wait};
pub(crate) use replay::{Replay, Step};
pub(crate) use traffic::Measured;
