//! Definitions in files and folders.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use cutover_core::served_flags::FlagSource;
use cutover_core::units::At;
use cutover_flags::LARGEST_DOCUMENT;

/// The most files of one environment.
pub(super) const MOST_FILES: usize = 1000;
/// The most bytes of all files of one environment.
pub(super) const LARGEST: usize = 32 << 20;

/// Definitions that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("{} cannot be read", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} has no file that ends in .json, .yaml or .yml", .0.display())]
    Empty(PathBuf),
    #[error("{} is larger than {LARGEST_DOCUMENT} bytes", .0.display())]
    TooLarge(PathBuf),
    #[error("there are more than {MOST_FILES} files with flags, or more than {LARGEST} bytes")]
    TooMuch,
}

/// What shows that a file may have changed: which file it is, its size and its time. A symlink is
/// followed, so that one that is swapped shows, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    path: PathBuf,
    what: Option<(u64, u64, u64, i64, i64)>,
}

/// The files of all paths; those of a folder in the order of their names.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Unreadable> {
    let mut found = vec![];
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let failed = |source| Unreadable::File { path: path.clone(), source };
        let mut own = vec![];
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?.path();
            let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or(".");
            if is_document(name) && !entry.is_dir() {
                own.push(entry);
            }
        }
        if own.is_empty() {
            return Err(Unreadable::Empty(path.clone()));
        }
        own.sort();
        found.extend(own);
    }
    match found.len() > MOST_FILES {
        true => Err(Unreadable::TooMuch),
        false => Ok(found),
    }
}

/// Is a file of a folder meant? Hidden ones are of editors, and of ConfigMaps.
pub(super) fn is_document(name: &str) -> bool {
    let ending = [".json", ".yaml", ".yml"].iter().any(|ending| name.ends_with(ending));
    ending && !name.starts_with('.')
}

/// What all files look like now. A path that cannot be looked at is a stamp, too.
pub(super) fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path: PathBuf| {
        let what = fs::metadata(&path)
            .ok()
            .map(|it| (it.dev(), it.ino(), it.len(), it.mtime(), it.mtime_nsec()));
        Stamp { path, what }
    };
    files(paths).unwrap_or_else(|_| paths.to_vec()).into_iter().map(stamp).collect()
}

/// When each file was written last; one that cannot be looked at is missing.
pub(super) fn changed_at(paths: &[PathBuf]) -> BTreeMap<String, At> {
    let written = |path: PathBuf| {
        let time = fs::metadata(&path).ok()?.modified().ok()?;
        let since = time.duration_since(UNIX_EPOCH).ok()?;
        let at = At(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        Some((path.display().to_string(), at))
    };
    files(paths).unwrap_or_default().into_iter().filter_map(written).collect()
}

/// Reads all documents.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<FlagSource>, Unreadable> {
    let mut sources = vec![];
    let mut size = 0;
    for path in files(paths)? {
        let text = document(&path)?;
        size += text.len();
        if size > LARGEST {
            return Err(Unreadable::TooMuch);
        }
        sources.push(FlagSource { name: path.display().to_string(), text, changes: None });
    }
    Ok(sources)
}

fn document(path: &Path) -> Result<String, Unreadable> {
    let failed = |source| Unreadable::File { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(failed)?;
    if usize::try_from(metadata.len()).unwrap_or(usize::MAX) > LARGEST_DOCUMENT {
        return Err(Unreadable::TooLarge(path.to_owned()));
    }
    if !metadata.is_file() {
        return Err(failed(io::ErrorKind::InvalidInput.into()));
    }
    fs::read_to_string(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use cutover_files::write_atomic;

    use super::*;

    #[test]
    fn a_swapped_symlink_shows_and_hidden_files_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        // As Kubernetes lays a ConfigMap out.
        for (version, text) in [("..1", "{\"a\":1}"), ("..2", "{\"b\":2}")] {
            fs::create_dir(path(version)).unwrap();
            write_atomic(&path(version).join("flags.json"), text.as_bytes()).unwrap();
        }
        symlink("..1", path("..data")).unwrap();
        symlink("..data/flags.json", path("flags.json")).unwrap();
        write_atomic(&path("README.md"), b"no flags").unwrap();
        let paths = [folder.path().to_owned()];
        let before = stamps(&paths);
        assert_eq!(read(&paths).unwrap()[0].text, "{\"a\":1}");
        assert_eq!((before.len(), &stamps(&paths)), (1, &before));
        symlink("..2", path("..next")).unwrap();
        fs::rename(path("..next"), path("..data")).unwrap();
        assert_ne!(stamps(&paths), before);
        let sources = read(&paths).unwrap();
        assert_eq!((sources.len(), sources[0].text.as_str()), (1, "{\"b\":2}"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let empty = [folder.path().to_owned()];
        assert!(matches!(read(&empty), Err(Unreadable::Empty(_))));
        let missing = [folder.path().join("x.json")];
        let error = read(&missing).unwrap_err().to_string();
        assert!(error.ends_with("x.json cannot be read"), "{error}");
        assert_eq!(stamps(&missing).len(), 1);
        // A pipe would block for ever.
        assert!(read(&["/dev/null".into()]).is_err());
    }
}
