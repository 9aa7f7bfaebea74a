//! The pages that there are.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder that pages are named from.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The pages of the guide and all that is below `docs/`, by their names.
pub(crate) fn pages() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["docs", "docs/decisions", "patterns"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                found.push(format!("{folder}/{name}"));
            }
        }
    }
    found.sort();
    assert!(found.len() > 15, "{found:?}");
    found
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
