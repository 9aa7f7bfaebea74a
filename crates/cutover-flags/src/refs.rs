//! `$ref` and `segment`: shared parts of rules, put in where they are named.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};

use crate::problem::{Rule, shortened};
use crate::rule::Invalid;
use crate::source::{Entry, Kind, Node};

/// Rules are not nested deeper once references are put in.
const DEEPEST: usize = 250;
/// No rule has more parts once references are put in.
const LARGEST: usize = 200_000;
/// Over the whole document no more parts are put in.
const MOST_COPIED: usize = 2_000_000;

/// What can be referred to.
#[derive(Debug)]
pub(crate) struct Shared<'a> {
    evaluators: &'a [Entry],
    segments: Vec<(&'a str, Node)>,
    used: RefCell<BTreeSet<(&'static str, String)>>,
    /// How many parts may still be copied, over the whole document.
    left: Cell<usize>,
    /// Where each name stands, the last of doubled ones.
    places: HashMap<(&'static str, &'a str), usize>,
}

const REF: &str = "$ref";
const SEGMENT: &str = "segment";

impl<'a> Shared<'a> {
    pub(crate) fn new(evaluators: &'a [Entry], segments: Vec<(&'a str, Node)>) -> Shared<'a> {
        let places = evaluators
            .iter()
            .map(|entry| (REF, entry.key.as_str()))
            .enumerate()
            .chain(segments.iter().map(|(name, _)| (SEGMENT, *name)).enumerate())
            .map(|(at, key)| (key, at))
            .collect();
        let (used, left) = (RefCell::default(), Cell::new(MOST_COPIED));
        Shared { evaluators, segments, used, left, places }
    }

    /// The rule with everything put in.
    pub(crate) fn put_in(&self, tree: &Node) -> Result<Node, Invalid> {
        let mut left = LARGEST;
        self.walk(tree, &mut vec![], 0, &mut left)
    }

    /// What nothing refers to, with the kind of it.
    pub(crate) fn unused(&self) -> Vec<(&'static str, &str, Option<crate::problem::Place>)> {
        let used = self.used.borrow();
        let evaluators = self.evaluators.iter().map(|entry| (REF, &*entry.key, entry.place));
        let segments = self.segments.iter().map(|(name, node)| (SEGMENT, *name, node.place));
        evaluators
            .chain(segments)
            .filter(|(kind, name, _)| !used.contains(&(kind, (*name).to_owned())))
            .collect()
    }

    fn walk<'b>(
        &'b self,
        tree: &'b Node,
        open: &mut Vec<(&'static str, &'b str)>,
        depth: usize,
        left: &mut usize,
    ) -> Result<Node, Invalid> {
        let refused = |rule, message| Err(Invalid { place: tree.place, rule, message });
        *left = left.saturating_sub(1);
        if !open.is_empty() {
            self.left.set(self.left.get().saturating_sub(1));
        }
        if *left == 0 || self.left.get() == 0 || depth > DEEPEST {
            let message = format!(
                "with its references the rule has more than {LARGEST} parts, the document copies more than {MOST_COPIED}, or it is nested more than {DEEPEST} deep"
            );
            return refused(Rule::TooLarge, message);
        }
        if let Some((kind, name)) = reference(tree) {
            let Some(found) = self.find(kind, name) else {
                let message = format!("the {kind} {:?} does not exist", shortened(name));
                return refused(Rule::UnknownReference, message);
            };
            if open.contains(&(kind, name)) {
                let names: Vec<_> = open.iter().map(|(_, name)| *name).chain([name]).collect();
                let message = format!("references form a cycle: {}", names.join(" → "));
                return refused(Rule::Cycle, message);
            }
            self.used.borrow_mut().insert((kind, name.to_owned()));
            open.push((kind, name));
            let node = self.walk(found, open, depth + 1, left)?;
            open.pop();
            return Ok(node);
        }
        let kind = match &tree.kind {
            Kind::List(items) => {
                let items = items.iter().map(|item| self.walk(item, open, depth + 1, left));
                Kind::List(items.collect::<Result<_, _>>()?)
            }
            Kind::Map(entries) => {
                let mut copied = Vec::with_capacity(entries.len());
                for entry in entries {
                    let value = self.walk(&entry.value, open, depth + 1, left)?;
                    copied.push(Entry { place: entry.place, key: entry.key.clone(), value });
                }
                Kind::Map(copied)
            }
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => tree.kind.clone(),
        };
        Ok(Node { place: tree.place, kind })
    }

    fn find(&self, kind: &'static str, name: &str) -> Option<&Node> {
        let at = *self.places.get(&(kind, name))?;
        match kind {
            REF => self.evaluators.get(at).map(|entry| &entry.value),
            _ => self.segments.get(at).map(|(_, node)| node),
        }
    }
}

/// What a node refers to.
fn reference(tree: &Node) -> Option<(&'static str, &str)> {
    let (key, value) = tree.as_call()?;
    let kind = [REF, SEGMENT].into_iter().find(|kind| *kind == key)?;
    Some((kind, value.as_text()?))
}
