//! Commands that come with a later version.

use crate::failure::{Done, Failure};

/// Whatever is given to it.
#[derive(Debug, clap::Args)]
pub(super) struct Later {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _rest: Vec<String>,
}

pub(super) fn refuse(name: &str) -> Done {
    Err(Failure::usage(format!("`cutover {name}` is not in this build"))
        .help("cutover help lists what is"))
}
