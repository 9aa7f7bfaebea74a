//! The few things an operator must be able to read afterwards.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Appends lines to the proxy's log.
#[derive(Debug, Clone)]
pub(crate) struct Log(pub(crate) PathBuf);

impl Log {
    /// Adds a line. A log that cannot be written must not stop traffic, so failures are ignored.
    pub(crate) fn line(&self, text: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.0);
        if let Ok(mut file) = file {
            // One write, so that lines of keeper and proxy do not mix.
            let _ = file.write_all(format!("{now} {text}\n").as_bytes());
        }
    }
}
