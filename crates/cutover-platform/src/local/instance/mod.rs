//! The life of one instance: one task that starts it, watches it, starts it again and stops it.

mod board;
mod burial;
mod detail;
mod grip;
mod leftovers;
mod life;
mod probe;
mod shown;
mod spare;
mod start;
mod survey;
mod watch;

pub(crate) use board::{Board, Entry, Status};
pub(crate) use life::{Life, remove};
pub(crate) use start::World;
