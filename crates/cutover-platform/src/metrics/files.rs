//! Files of the spec that a source needs: secrets and certificates.

use std::path::Path;

use tokio::io::AsyncReadExt;

use super::unread::Unread;
use crate::local::below;

/// No secret and no certificate is larger.
const LARGEST: u64 = 1024 * 1024;

/// Reads a file, relative to the spec's folder; `what` it is, for messages.
pub(super) async fn read(base: &Path, file: &Path, what: &str) -> Result<Vec<u8>, Unread> {
    let path = below(base, file);
    let unread = |why: &dyn std::fmt::Display| {
        Unread::new(format!("cannot read {what} from {}: {why}", path.display()))
    };
    let opened = tokio::fs::File::open(&path).await.map_err(|error| unread(&error))?;
    let mut bytes = Vec::new();
    // One byte more tells whether there are more.
    let read = opened.take(LARGEST + 1).read_to_end(&mut bytes).await;
    match read {
        Err(error) => Err(unread(&error)),
        Ok(_) if bytes.len() as u64 > LARGEST => Err(unread(&"it is larger than 1 MiB")),
        Ok(_) => Ok(bytes),
    }
}

/// Reads a secret of one line.
pub(super) async fn secret(base: &Path, file: &Path, what: &str) -> Result<String, Unread> {
    let bytes = read(base, file, what).await?;
    let path = below(base, file);
    let path = path.display();
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(Unread::new(format!("{what} in {path} is not text")));
    };
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(Unread::new(format!("{what} in {path} is empty"))),
        line if line.chars().any(char::is_control) => {
            Err(Unread::new(format!("{what} in {path} is more than one line of text")))
        }
        line => Ok(line.to_owned()),
    }
}
