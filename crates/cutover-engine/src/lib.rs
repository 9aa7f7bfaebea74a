//! Drives rollouts.
//!
//! | module | holds |
//! |---|---|
//! | [`ports`] | what the engine needs from a platform, a data plane and a clock |
//! | [`api`] | what clients ask of it, and what they get back |
//! | `engine`, `driver` | one driver an app: look, decide (in `cutover-core`), record, act |
//! | [`prune`] | the same of pruning |
//! | [`journal`], [`events`] | what was decided, and what was told |
//! | [`tracks`] | who saw which variant of a flag, what came of it, and what that means |
//! | [`execute`] | running a program of the spec |
//! | [`clock`] | time that a stepped wall clock cannot move |

pub mod api;
mod book;
mod buckets;
pub mod clock;
mod context;
mod cut;
mod driver;
mod engine;
pub mod events;
mod evidence;
pub mod execute;
mod history;
mod hooks;
pub mod journal;
mod kept;
mod lineage;
pub mod ports;
pub mod prune;
mod readings;
mod recorded;
mod report;
mod tally;
pub mod tracks;
mod watch;

pub use engine::Engine;
pub use evidence::settings as judge_settings;
pub use hooks::HooksHere;
pub use kept::Kept;
