//! From text to a checked spec.

use super::{Problem, Spec};

/// A file as read.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name, for messages.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Reads a spec, with an overlay merged over it (`cutover.production.yaml`), and checks all of it.
///
/// # Errors
/// Everything that is wrong, at once where possible.
pub fn parse(base: &Source, _overlay: Option<&Source>) -> Result<Spec, Vec<Problem>> {
    Err(vec![Problem {
        file: base.name.clone(),
        place: None,
        message: String::new(),
        help: None,
    }])
}
