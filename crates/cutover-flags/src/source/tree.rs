//! A document as a tree in which every value knows its place.

use crate::problem::Place;

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Where it begins; nowhere for what was put in.
    pub(crate) place: Option<Place>,
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    /// The literal as written; it is one that JSON allows.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) place: Option<Place>,
    pub(crate) key: String,
    pub(crate) value: Node,
}

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) place: Option<Place>,
    pub(crate) message: String,
}

impl Node {
    pub(crate) fn new(kind: Kind) -> Node {
        Node { place: None, kind }
    }

    pub(crate) fn null() -> Node {
        Node::new(Kind::Null)
    }

    pub(crate) fn text(text: &str) -> Node {
        Node::new(Kind::Text(text.to_owned()))
    }

    pub(crate) fn whole(number: i64) -> Node {
        Node::new(Kind::Number(number.to_string()))
    }

    pub(crate) fn list(items: impl IntoIterator<Item = Node>) -> Node {
        Node::new(Kind::List(items.into_iter().collect()))
    }

    pub(crate) fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Node)>) -> Node {
        let entry = |(key, value): (&str, Node)| Entry { place: None, key: key.to_owned(), value };
        Node::new(Kind::Map(entries.into_iter().map(entry).collect()))
    }

    /// A call of an operator with these arguments.
    pub(crate) fn call(operator: &str, arguments: impl IntoIterator<Item = Node>) -> Node {
        Node::map([(operator, Node::list(arguments))])
    }

    /// A call that reads a variable.
    pub(crate) fn var(path: &str) -> Node {
        Node::map([("var", Node::text(path))])
    }

    /// The entries of a map; of anything else none.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => &[],
        }
    }

    /// The value of a key; the last one counts, as in every JSON reader.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().rev().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    /// The operator and the argument, if this is an object of one key.
    pub(crate) fn as_call(&self) -> Option<(&str, &Node)> {
        match self.entries() {
            [entry] => Some((&entry.key, &entry.value)),
            _ => None,
        }
    }

    /// The arguments of a call: a single one needs no list.
    pub(crate) fn arguments(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => {
                std::slice::from_ref(self)
            }
        }
    }

    /// What kind of value it is, in words.
    pub(crate) fn sort(&self) -> &'static str {
        match self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a string",
            Kind::List(_) => "an array",
            Kind::Map(_) => "an object",
        }
    }
}
