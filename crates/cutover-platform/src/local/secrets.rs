//! Secrets: read at each start, given to the app as files, and kept out of everything shown.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use cutover_core::release::Release;
use cutover_core::spec::SecretForm;

use super::command::below;
use super::paths::Folder;

/// A shorter text is found in too much that is not secret.
const SHORTEST: usize = 4;
/// One line of a longer secret counts as secret only from this length on.
const SHORTEST_LINE: usize = 8;

/// A secret that cannot be given to the app.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("cannot read the secret {name} from {}: {source}", path.display())]
    Read { name: String, path: PathBuf, source: io::Error },
    #[error("the secret {0} is not text, so it can only be given as a file")]
    NotText(String),
    #[error("cannot store the secret {name}: {reason}")]
    Store { name: String, reason: String },
}

/// Reads one secret as it is now.
pub(crate) fn read(release: &Release, name: &str) -> Result<Vec<u8>, SecretError> {
    let file = match release.spec.release.secrets.get(name) {
        Some(secret) => &secret.file,
        None => return Ok(Vec::new()),
    };
    let path = below(&release.base, file);
    std::fs::read(&path).map_err(|source| SecretError::Read { name: name.to_owned(), path, source })
}

/// Copies all secrets of a release into the instance's folder; gives the variables that tell the
/// app about them.
pub(crate) fn place(
    release: &Release,
    folder: &Folder,
) -> Result<BTreeMap<String, String>, SecretError> {
    let mut env = BTreeMap::new();
    for (name, secret) in &release.spec.release.secrets {
        let value = read(release, name)?;
        let store = |error: cutover_files::FileError| SecretError::Store {
            name: name.clone(),
            reason: format!("{error}: {}", error.source),
        };
        // Kept as a file in both forms: this is also how logs are scrubbed later.
        let path = folder.secrets().join(name);
        cutover_files::private_folder(&folder.secrets()).map_err(store)?;
        cutover_files::write_atomic(&path, &value).map_err(store)?;
        match secret.form {
            SecretForm::File => {
                env.insert(format!("{name}_FILE"), path.display().to_string());
            }
            SecretForm::Env => {
                let text =
                    String::from_utf8(value).map_err(|_| SecretError::NotText(name.clone()))?;
                let text = text.strip_suffix('\n').unwrap_or(&text);
                env.insert(name.clone(), text.to_owned());
            }
        }
    }
    Ok(env)
}

/// The texts that must not be shown.
#[derive(Debug, Default)]
pub(crate) struct Known {
    texts: Vec<String>,
}

impl Known {
    /// Those of an instance's last start.
    pub(crate) fn of(folder: &Folder) -> Known {
        let mut texts = Vec::new();
        for entry in std::fs::read_dir(folder.secrets()).into_iter().flatten().flatten() {
            let Ok(value) = std::fs::read(entry.path()) else {
                continue;
            };
            let value = String::from_utf8_lossy(&value);
            let whole = value.trim();
            if whole.len() >= SHORTEST && !whole.contains('\n') {
                texts.push(whole.to_owned());
            }
            // Logs are read by lines, so a secret of several lines is known by each of them.
            if whole.contains('\n') {
                let lines = whole.lines().map(str::trim);
                texts.extend(lines.filter(|line| line.len() >= SHORTEST_LINE).map(str::to_owned));
            }
        }
        // The longest first, so that none hides behind a shorter one that it contains.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Known { texts }
    }
    /// The text without secrets.
    pub(crate) fn scrub(&self, text: &str) -> String {
        self.texts.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_one_and_of_several_lines_are_scrubbed() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::named(state.path(), "shop/r1.0").unwrap();
        cutover_files::private_folder(&folder.secrets()).unwrap();
        for (name, value) in [
            ("A", "hunter2\n"),
            ("B", "abc"),
            ("C", "-----BEGIN-----\nMIIEvQIBADANBg\ntrue\n"),
            ("D", "hunter2-longer"),
        ] {
            cutover_files::write_atomic(&folder.secrets().join(name), value.as_bytes()).unwrap();
        }
        let known = Known::of(&folder);
        assert_eq!(
            known.scrub("hunter2 abc true MIIEvQIBADANBg hunter2-longer"),
            "[redacted] abc true [redacted] [redacted]"
        );
    }
}
