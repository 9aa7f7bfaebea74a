//! The journal of a world, read beside the daemon.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::failure::Failure;

/// One record.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) index: u64,
    pub(crate) subject: String,
    pub(crate) record: Value,
}

impl Entry {
    /// The record's kind, like `begun`.
    pub(crate) fn kind(&self) -> &str {
        match &self.record {
            Value::String(kind) => kind,
            Value::Object(object) => object.keys().next().map_or("", String::as_str),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => "",
        }
    }
}

/// The journal, open for reading. It is closed before a daemon is killed: what the next daemon
/// finds must be what a crash leaves.
pub(crate) struct Journal(Connection);

impl Journal {
    pub(crate) fn open(state: &Path) -> Result<Journal, Failure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(state.join("journal.db"), flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(2))?;
        Ok(Journal(connection))
    }

    /// The number of the newest record.
    pub(crate) fn newest(&self) -> Result<u64, Failure> {
        let query = "SELECT coalesce(max(idx), 0) FROM records";
        Ok(self.0.query_row(query, [], |row| row.get(0))?)
    }
    /// How many records came after one.
    pub(crate) fn count_after(&self, index: u64) -> Result<u32, Failure> {
        let query = "SELECT count(*) FROM records WHERE idx > ?1";
        Ok(self.0.query_row(query, [index], |row| row.get(0))?)
    }
    /// All records.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, Failure> {
        let mut query = self.0.prepare("SELECT idx, subject, body FROM records ORDER BY idx")?;
        let rows = query.query_map([], |row| {
            Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        let entry = |row: rusqlite::Result<(u64, String, String)>| {
            let (index, subject, body) = row?;
            let record = serde_json::from_str(&body).unwrap_or(Value::Null);
            Ok(Entry { index, subject, record })
        };
        rows.map(entry).collect()
    }
}
