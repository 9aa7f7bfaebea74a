//! Commands that come with a later version.

use crate::failure::{Done, Failure};

pub(super) fn refuse(name: &str) -> Done {
    Err(Failure::usage(format!("`cutover {name}` is not in this build"))
        .help("cutover help lists what is"))
}
