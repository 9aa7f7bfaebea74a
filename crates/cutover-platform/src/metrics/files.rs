//! Files of the spec that a source needs: secrets and certificates.

use std::path::Path;

use tokio::io::AsyncReadExt;

use super::failure::Failure;
use crate::local::below;

/// No secret and no certificate is larger.
const LARGEST: u64 = 1024 * 1024;

/// Reads a file, relative to the spec's folder; `what` it is, for messages.
pub(super) async fn read(base: &Path, file: &Path, what: &str) -> Result<Vec<u8>, Failure> {
    let path = below(base, file);
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::new(format!("cannot read {what} from {}: {why}", path.display()))
    };
    let opened = tokio::fs::File::open(&path).await.map_err(|error| wrong(&error))?;
    let mut bytes = Vec::new();
    // One byte more tells whether there are more.
    let read = opened.take(LARGEST + 1).read_to_end(&mut bytes).await;
    match read {
        Err(error) => Err(wrong(&error)),
        Ok(_) if bytes.len() as u64 > LARGEST => Err(wrong(&"it is larger than 1 MiB")),
        Ok(_) => Ok(bytes),
    }
}

/// Reads a secret of one line.
pub(super) async fn secret(base: &Path, file: &Path, what: &str) -> Result<String, Failure> {
    let bytes = read(base, file, what).await?;
    let wrong = |why: &str| {
        let path = below(base, file);
        Failure::new(format!("{what} in {} {why}", path.display()))
    };
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not text"))?;
    let line = text.trim_end_matches(['\r', '\n']);
    match line {
        "" => Err(wrong("is empty")),
        line if line.chars().any(char::is_control) => Err(wrong("is more than one line of text")),
        line => Ok(line.to_owned()),
    }
}
