//! The demo.
use cutover_core::patterns::Pattern;

use crate::cli::Session;
use crate::failure::{Done, Failure};

pub(crate) async fn run(_session: &Session, _pattern: Pattern) -> Done {
    Err(Failure::usage("the demo is not in this build"))
}
