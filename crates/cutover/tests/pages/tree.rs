//! The pages that there are.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder that pages are named from.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The text of a page.
pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Writes it anew, if that is asked for; gives whether it did.
pub(crate) fn update(name: &str, text: &str) -> bool {
    let asked = std::env::var_os("UPDATE_PAGES").is_some();
    if asked {
        cutover_files::write_atomic(&root().join(name), text.as_bytes()).unwrap();
    }
    asked
}
