//! Instances as processes of this machine.
//!
//! Each instance runs under a *keeper*, a small process of its own that survives the daemon: exit
//! status and output of a process can only be had by its parent. The platform and the keepers talk
//! through one folder for each instance:
//!
//! | file | written by | holds |
//! |---|---|---|
//! | `start.json` | platform | everything the keeper needs to start the app, for one attempt |
//! | `secrets/NAME` | platform | secrets as they were at the last start |
//! | `stop` | platform | that a stop was asked |
//! | `ready` | platform | since when the present attempt is ready |
//! | `lock` | keeper | held while the keeper lives |
//! | `keeper.json` | keeper | which processes this attempt has |
//! | `exits.jsonl` | keeper; platform if the keeper died | how the last attempts ended |
//! | `log`, `log.1` | keeper | what the app printed |
//! | `keeper.log` | keeper | what the keeper itself had to say |

mod boottime;
mod command;
mod exits;
mod files;
mod instance;
mod keeper;
mod logs;
mod paths;
mod platform;
mod ports;
mod preflight;
mod processes;
mod prune;
mod secrets;

pub(crate) use command::below;
pub(crate) use files::MARK;
pub use keeper::{KeepError, keep};
pub(crate) use logs::printable;
pub use platform::LocalPlatform;
