//! YAML as a tree in which every key and value knows its place.

use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Options, Spanned, alias_limits, budget, options};

use super::Source;
use super::problem::{Problem, short};

/// No spec is nested deeper; what is would only cost stack.
const DEEPEST: usize = 64;

/// Where something stands: in which of the sources, and (line, column) in it, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) source: usize,
    pub(super) line: u64,
    pub(super) column: u64,
}

/// A value.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) kind: Kind,
    /// A problem with it has been told; nothing more shall be read from it.
    pub(super) broken: Cell<bool>,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A value without parts: the text as written, and what YAML takes it for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) sense: Sense,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sense {
    Nothing,
    Truth(bool),
    Whole(i128),
    /// A number that is not whole.
    Fraction,
    Text,
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Node,
}

impl Node {
    /// Reads a source. What is wrong with it but can be read all the same goes to `problems`.
    ///
    /// # Errors
    /// Where it is no YAML, or nested too deep.
    pub(super) fn read(
        source: &Source,
        number: usize,
        problems: &mut Vec<Problem>,
    ) -> Result<Node, Problem> {
        let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(&source.text, limits())
            .map_err(|error| unreadable(source, &error))?;
        Ok(Build { source, number, problems }.node(raw))
    }

    /// A copy that has every key that a spec needs: where one is missing or broken, something
    /// stands in for it.
    pub(super) fn with_stand_ins(&self) -> Node {
        let scalar = Scalar { text: "app".to_owned(), sense: Sense::Text };
        let stand_ins = [("app", Kind::Scalar(scalar)), ("release", Kind::Map(vec![]))];
        let mut whole = self.clone();
        if whole.is_nothing() {
            whole.kind = Kind::Map(vec![]);
        }
        let Kind::Map(entries) = &mut whole.kind else { return whole };
        for (key, kind) in stand_ins {
            let sound = |entry: &Entry| entry.key == key && !entry.value.broken.get();
            if !entries.iter().any(sound) {
                let value = Node { place: self.place, kind, broken: Cell::new(false) };
                entries.push(Entry { key: key.to_owned(), place: self.place, value });
            }
        }
        whole
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.sense == Sense::Nothing)
    }

    /// The entries of a map; of anything else none.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Scalar(_) | Kind::List(_) => &[],
        }
    }

    /// The entry of a key.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// Lays another tree over this one: maps are merged key by key, anything else replaces what
    /// was there, and nothing changes nothing.
    pub(super) fn merge(&mut self, over: Node) {
        if over.is_nothing() {
            return;
        }
        match (&mut self.kind, over) {
            (Kind::Map(base), Node { kind: Kind::Map(entries), .. }) => {
                for over in entries {
                    match base.iter_mut().find(|entry| entry.key == over.key) {
                        Some(entry) => entry.value.merge(over.value),
                        None => base.push(over),
                    }
                }
            }
            (_, over) => *self = over,
        }
    }
}

fn limits() -> Options {
    options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
        budget: budget! { max_depth: DEEPEST },
        alias_limits: alias_limits! { max_total_replayed_events: 10_000 },
    }
}

fn unreadable(source: &Source, error: &serde_saphyr::Error) -> Problem {
    let place = error.location().map(|at| (at.line(), at.column()));
    let text = error.to_string();
    // The place is told apart from the text.
    let text = text.split(" at line ").next().unwrap_or_default().trim();
    let deep = text.contains("Depth") || text.contains("recursion limit");
    let message = match deep {
        true => format!("this is nested more than {DEEPEST} deep"),
        false => short(text),
    };
    Problem { file: source.name.clone(), place, message, help: None }
}

/// From what the parser tells to nodes.
struct Build<'a> {
    source: &'a Source,
    number: usize,
    problems: &'a mut Vec<Problem>,
}

impl Build<'_> {
    fn place(&self, at: Location) -> Place {
        Place { source: self.number, line: at.line(), column: at.column() }
    }

    fn node(&mut self, raw: Spanned<Raw>) -> Node {
        let place = self.place(raw.referenced);
        let kind = match raw.value {
            Raw::Scalar(Some(text), sense) => Kind::Scalar(Scalar { text, sense }),
            Raw::Scalar(None, sense) => {
                let text = self.written(raw.defined).to_owned();
                Kind::Scalar(Scalar { text, sense })
            }
            Raw::List(items) => Kind::List(items.into_iter().map(|item| self.node(item)).collect()),
            Raw::Map(pairs) => Kind::Map(self.entries(pairs)),
        };
        Node { place, kind, broken: Cell::new(false) }
    }

    fn entries(&mut self, pairs: Vec<(Spanned<String>, Spanned<Raw>)>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = vec![];
        for (key, value) in pairs {
            let entry = Entry {
                place: self.place(key.referenced),
                key: key.value,
                value: self.node(value),
            };
            match entries.iter().find(|known| known.key == entry.key) {
                Some(first) => {
                    let message = format!("the key `{}` is here a second time", short(&entry.key));
                    self.problems.push(Problem {
                        file: self.source.name.clone(),
                        place: Some((entry.place.line, entry.place.column)),
                        message,
                        help: Some(format!("the first one is in line {}", first.place.line)),
                    });
                }
                None => entries.push(entry),
            }
        }
        entries
    }

    /// A plain scalar as it stands in the source: `1.10` is another version than `1.1`.
    fn written(&self, at: Location) -> &str {
        let span = at.span();
        let bounds = span.byte_offset().zip(span.byte_len());
        let range = bounds.and_then(|(from, length)| {
            let from = usize::try_from(from).ok()?;
            Some(from..from + usize::try_from(length).ok()?)
        });
        range.and_then(|range| self.source.text.get(range)).unwrap_or_default()
    }
}

/// A value as the parser tells it; a scalar that is no text has to be looked up in the source.
enum Raw {
    Scalar(Option<String>, Sense),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(None, Sense::Nothing))
    }
    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(None, Sense::Nothing))
    }
    fn visit_bool<E>(self, truth: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(None, Sense::Truth(truth)))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(None, Sense::Whole(number.into())))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(None, Sense::Whole(number.into())))
    }
    fn visit_i128<E>(self, number: i128) -> Result<Raw, E> {
        Ok(Raw::Scalar(None, Sense::Whole(number)))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(None, Sense::Fraction))
    }
    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Some(text.to_owned()), Sense::Text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = vec![];
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut pairs = vec![];
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Raw::Map(pairs))
    }
}
