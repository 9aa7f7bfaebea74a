//! Subcommands that Cutover runs itself with: no runtime, no command tree.

use std::ffi::OsStr;

use crate::failure::{Done, Failure};

/// Runs the hidden subcommand of this name, if it is one.
pub(crate) fn dispatch(name: &OsStr, _argument: Option<&OsStr>) -> Option<Done> {
    match name.to_str()? {
        "keeper" | "proxy-keeper" | "proxy-serve" => Some(Err(Failure::usage("not in this build"))),
        _ => None,
    }
}
