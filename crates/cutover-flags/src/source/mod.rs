//! Documents as their authors wrote them: where everything stands, and every number as written.

mod json;
mod tree;
mod write;
mod yaml;

use crate::changes;

pub(crate) use tree::{Entry, Kind, Node, Unreadable};
pub(crate) use write::to_json;

/// No document is nested deeper; what is would only cost stack.
pub(crate) const DEEPEST: usize = 128;

/// The most bytes that a document may have.
pub const LARGEST_DOCUMENT: usize = 8 << 20;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON (RFC 8259).
    Json,
    /// YAML 1.2; plain scalars are taken as JSON would take them, so that `off` is a text.
    Yaml,
}

impl Format {
    /// The format that a file name's ending tells; JSON unless it is `.yaml` or `.yml`.
    #[must_use]
    pub fn of_name(name: &str) -> Format {
        match name.ends_with(".yaml") || name.ends_with(".yml") {
            true => Format::Yaml,
            false => Format::Json,
        }
    }
}

/// A document with flag definitions.
#[derive(Debug, Clone)]
pub struct Source {
    /// What messages call it, and what the selector `source=…` asks for.
    pub name: String,
    /// The document.
    pub text: String,
    /// How it is written.
    pub format: Format,
    /// What is laid over its flags, by key: a JSON merge patch (RFC 7396).
    pub changes: Option<String>,
}

impl Source {
    /// A document whose name tells its format.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Source {
        let format = Format::of_name(name);
        Source { name: name.to_owned(), text: text.to_owned(), format, changes: None }
    }

    /// The document with its flags changed, by key, as a JSON merge patch (RFC 7396) says.
    #[must_use]
    pub fn with_changes(self, changes: &str) -> Source {
        Source { changes: Some(changes.to_owned()), ..self }
    }
}

/// Reads a document, and lays over it what has changed.
pub(crate) fn read_changed(source: &Source) -> Result<Node, Unreadable> {
    let mut root = read(source)?;
    if let Some(changes) = &source.changes {
        changes::lay_over(&mut root, changes).map_err(|error| Unreadable {
            place: None,
            message: format!("the changes laid over it cannot be read: {}", error.message),
        })?;
    }
    Ok(root)
}

/// Reads a document as it is written.
pub(crate) fn read(source: &Source) -> Result<Node, Unreadable> {
    if source.text.len() > LARGEST_DOCUMENT {
        let size = source.text.len();
        let message = format!("it has {size} bytes; at most {LARGEST_DOCUMENT} are accepted");
        return Err(Unreadable { place: None, message });
    }
    match source.format {
        Format::Json => json::read(&source.text),
        Format::Yaml => yaml::read(&source.text),
    }
}
