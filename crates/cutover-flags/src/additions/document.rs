//! A whole document as plain flags.

use super::plain::Plain;
use super::requires::Others;
use super::{BUCKETING, segments};
use crate::load::MOST_METADATA;
use crate::problem::{Place, Problem, Rule, Severity, shortened};
use crate::refs::Shared;
use crate::rule::Bucketing;
use crate::source::{self, Entry, Kind, Node, Source};

/// A document without additions and references.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) flags: Vec<Plain>,
    /// Metadata of the set: text, numbers and booleans.
    pub(crate) metadata: Vec<Entry>,
    pub(crate) bucketing: Bucketing,
    pub(crate) set: Option<String>,
    pub(crate) problems: Vec<Problem>,
}

/// A document that cannot be turned into one for flagd.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} cannot be turned into a document for flagd: {}", .0.first().map_or("it", |p| &p.source), .0.iter().filter(|p| p.is_error()).map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct NotPortable(pub Vec<Problem>);

/// Turns a document with additions into one that any flagd evaluates alike: plain JSON, in which
/// bucketing is stored, and references and additions are written out.
///
/// # Errors
/// Where the document or a flag of it is broken; the problems say which.
pub fn compile_to_flagd(source: &Source) -> Result<String, NotPortable> {
    let document = Document::read(source);
    if document.problems.iter().any(Problem::is_error) {
        return Err(NotPortable(document.problems));
    }
    let mut metadata = document.metadata;
    if !metadata.iter().any(|entry| entry.key == BUCKETING) {
        let value = Node::text(document.bucketing.name());
        metadata.push(Entry { place: None, key: BUCKETING.to_owned(), value });
    }
    let flags = document.flags.into_iter().map(|flag| Entry {
        place: None,
        key: flag.key,
        value: flag.body,
    });
    let root = Node::map([
        ("$schema", Node::text("https://flagd.dev/schema/v0/flags.json")),
        ("metadata", Node::new(Kind::Map(metadata))),
        ("flags", Node::new(Kind::Map(flags.collect()))),
    ]);
    Ok(source::to_json(&root))
}

impl Document {
    pub(crate) fn read(source: &Source) -> Document {
        let mut reader = Reader { source: &source.name, problems: vec![] };
        let root = match source::read_changed(source) {
            Ok(root) => root,
            Err(error) => {
                reader.error(error.place, Rule::Unreadable, error.message);
                return reader.nothing();
            }
        };
        if !matches!(root.kind, Kind::Map(_)) {
            let message = format!("a document is an object, not {}", root.sort());
            reader.error(root.place, Rule::Unreadable, message);
            return reader.nothing();
        }
        reader.doubled(&root);
        reader.document(&root)
    }
}

struct Reader<'a> {
    source: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn push(&mut self, severity: Severity, place: Option<Place>, rule: Rule, message: String) {
        let source = self.source.to_owned();
        self.problems.push(Problem { source, place, flag: None, severity, rule, message });
    }

    fn error(&mut self, place: Option<Place>, rule: Rule, message: String) {
        self.push(Severity::Error, place, rule, message);
    }

    fn warn(&mut self, place: Option<Place>, rule: Rule, message: String) {
        self.push(Severity::Warning, place, rule, message);
    }

    fn nothing(self) -> Document {
        Document {
            flags: vec![],
            metadata: vec![],
            bucketing: Bucketing::default(),
            set: None,
            problems: self.problems,
        }
    }

    /// Tells keys that stand twice, everywhere.
    fn doubled(&mut self, node: &Node) {
        if let Kind::List(items) = &node.kind {
            items.iter().for_each(|item| self.doubled(item));
        }
        let mut seen = std::collections::BTreeMap::new();
        for entry in node.entries() {
            if let Some(first) = seen.insert(entry.key.as_str(), entry.place) {
                let line =
                    first.map(|first: Place| format!("; the first one is in line {}", first.line));
                let message = format!(
                    "the key {:?} stands twice, and the last one counts{}",
                    shortened(&entry.key),
                    line.unwrap_or_default()
                );
                self.warn(entry.place, Rule::DuplicateKey, message);
            }
            self.doubled(&entry.value);
        }
    }

    fn document(mut self, root: &Node) -> Document {
        const KNOWN: [&str; 5] = ["$schema", "flags", "$evaluators", "metadata", "segments"];
        for entry in root.entries() {
            if !KNOWN.contains(&entry.key.as_str()) {
                let message = format!("the key {:?} has no meaning here", shortened(&entry.key));
                self.warn(entry.place, Rule::UnknownKey, message);
            }
        }
        let metadata = self.metadata(root.get("metadata"));
        let set = metadata.iter().find(|entry| entry.key == "flagSetId");
        let set = set.and_then(|entry| entry.value.as_text()).filter(|set| !set.is_empty());
        let bucketing = self.bucketing(&metadata, root);
        let flags = self.flags(root);
        let evaluators = self.map(root, "$evaluators");
        let segments = self.segments(root);
        let shared = Shared::new(evaluators, segments);
        let mut others = Others::new(&flags, &shared, bucketing);
        let plain: Vec<Plain> =
            flags.iter().filter_map(|flag| others.plain(&flag.key).cloned()).collect();
        for (kind, name, place) in shared.unused() {
            let kind = if kind == "$ref" { "evaluator" } else { "segment" };
            let message = format!("the {kind} {:?} is never used", shortened(name));
            self.warn(place, Rule::Unused, message);
        }
        for flag in &plain {
            if let Some(broken) = &flag.broken {
                self.problems.push(Problem {
                    source: self.source.to_owned(),
                    place: broken.place.or(flag.place),
                    flag: Some(flag.key.clone()),
                    severity: Severity::Error,
                    rule: broken.rule,
                    message: broken.message.clone(),
                });
            }
        }
        let set = set.map(str::to_owned);
        Document { flags: plain, metadata, bucketing, set, problems: self.problems }
    }

    /// The entries of a map that may be missing.
    fn map<'n>(&mut self, root: &'n Node, key: &str) -> &'n [Entry] {
        match root.get(key) {
            None => &[],
            Some(node) => {
                if !matches!(node.kind, Kind::Map(_) | Kind::Null) {
                    let message = format!("`{key}` is an object, not {}", node.sort());
                    self.error(node.place, Rule::Malformed, message);
                }
                node.entries()
            }
        }
    }

    fn metadata(&mut self, node: Option<&Node>) -> Vec<Entry> {
        if let Some(node) = node.filter(|node| source::to_json(node).len() > MOST_METADATA) {
            let message = format!("metadata has at most {MOST_METADATA} bytes");
            self.error(node.place, Rule::TooLarge, message);
            return vec![];
        }
        let mut metadata: Vec<Entry> = vec![];
        for entry in node.map(Node::entries).unwrap_or_default() {
            match &entry.value.kind {
                Kind::Text(_) | Kind::Number(_) | Kind::Bool(_) => {
                    metadata.retain(|known| known.key != entry.key);
                    metadata.push(entry.clone());
                }
                Kind::Null | Kind::List(_) | Kind::Map(_) => {
                    let message = format!(
                        "metadata is a string, number or boolean, not {}",
                        entry.value.sort()
                    );
                    self.error(entry.value.place, Rule::Malformed, message);
                }
            }
        }
        metadata
    }

    fn bucketing(&mut self, metadata: &[Entry], root: &Node) -> Bucketing {
        let entry = metadata.iter().find(|entry| entry.key == BUCKETING);
        let named = entry.and_then(|entry| entry.value.as_text()).map(Bucketing::of_name);
        match (entry, named.flatten()) {
            (None, _) => {
                let message = format!(
                    "users are put into buckets by v3, which may change with the default: say so with {BUCKETING:?}: \"v3\" in the metadata"
                );
                self.warn(root.place, Rule::BucketingNotStored, message);
                Bucketing::default()
            }
            (Some(_), Some(bucketing)) => bucketing,
            (Some(entry), None) => {
                let message = "bucketing is \"v2\" or \"v3\"".to_owned();
                self.error(entry.value.place, Rule::Malformed, message);
                Bucketing::default()
            }
        }
    }

    /// The flags: an object by key, or a list of flags that say their key.
    fn flags(&mut self, root: &Node) -> Vec<Entry> {
        let Some(node) = root.get("flags") else {
            self.error(root.place, Rule::Malformed, "the document has no `flags`".to_owned());
            return vec![];
        };
        let flags: Vec<Entry> = match &node.kind {
            Kind::Map(entries) => entries.clone(),
            Kind::List(items) => items.iter().filter_map(|item| self.keyed(item)).collect(),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {
                let message = format!("`flags` is an object or an array, not {}", node.sort());
                self.error(node.place, Rule::Malformed, message);
                vec![]
            }
        };
        // Of a key that stands twice, the last one counts.
        let last: std::collections::HashMap<&str, usize> =
            flags.iter().enumerate().map(|(at, flag)| (flag.key.as_str(), at)).collect();
        let keep: Vec<bool> =
            flags.iter().enumerate().map(|(at, flag)| last.get(&*flag.key) == Some(&at)).collect();
        let flags: Vec<Entry> =
            flags.into_iter().zip(keep).filter_map(|(flag, keep)| keep.then_some(flag)).collect();
        let sound = |flag: &Entry| (1..=LONGEST_KEY).contains(&flag.key.len());
        for flag in flags.iter().filter(|flag| !sound(flag)) {
            let message = format!("a flag's key has 1 to {LONGEST_KEY} bytes");
            self.error(flag.place, Rule::Malformed, message);
        }
        flags.into_iter().filter(sound).collect()
    }

    fn keyed(&mut self, item: &Node) -> Option<Entry> {
        let Some(key) = item.get("key").and_then(Node::as_text) else {
            let message = "a flag in an array needs a `key`".to_owned();
            self.error(item.place, Rule::Malformed, message);
            return None;
        };
        let mut value = item.clone();
        if let Kind::Map(entries) = &mut value.kind {
            entries.retain(|entry| entry.key != "key");
        }
        Some(Entry { place: item.place, key: key.to_owned(), value })
    }

    fn segments<'n>(&mut self, root: &'n Node) -> Vec<(&'n str, Node)> {
        let mut segments = vec![];
        for entry in self.map(root, "segments") {
            match segments::rule(&entry.value) {
                Ok(rule) => segments.push((entry.key.as_str(), rule)),
                Err(invalid) => self.error(invalid.place, invalid.rule, invalid.message),
            }
        }
        segments
    }
}

const LONGEST_KEY: usize = 1024;
