//! Where in the files a rule is broken.

use super::problem::{Problem, is_like};
use super::required::required;
use super::told::Told;
use super::tree::{Entry, Kind, Node, Place};

/// Finds the place of what a rule speaks of, by its keys.
#[derive(Debug)]
pub(super) struct Whereabouts<'a> {
    root: Option<&'a Node>,
    told: &'a Told<'a>,
}

/// Keys from the top of the spec to a value; in lists the number of an item.
pub(super) type Path<'a> = &'a [&'a str];

impl<'a> Whereabouts<'a> {
    pub(super) fn in_tree(root: &'a Node, told: &'a Told<'_>) -> Whereabouts<'a> {
        Whereabouts { root: Some(root), told }
    }
    /// For a spec that did not come from a file.
    pub(super) fn nowhere(told: &'a Told<'_>) -> Whereabouts<'a> {
        Whereabouts { root: None, told }
    }

    /// Tells what is wrong with the first of these values that is there. Nothing is told where one
    /// of them could not be read: that has been told, and the rule may be kept once it is mended.
    pub(super) fn wrong(&self, paths: &[Path<'_>], message: &str, help: &str) {
        let help = Some(help.to_owned());
        let Some(root) = self.root else {
            return self.told.tell(None, message.to_owned(), help);
        };
        if paths.iter().any(|path| is_uncertain(root, path)) {
            return;
        }
        let there = paths.iter().filter_map(|path| place(root, path)).find(|(_, whole)| *whole);
        let place = there.or_else(|| place(root, paths.first()?)).map(|(place, _)| place);
        self.told.tell(Some(place.unwrap_or(root.place)), message.to_owned(), help);
    }
}

/// What is left to be read of a part of a node.
fn step<'a>(node: &'a Node, part: &str) -> Option<(Place, &'a Node)> {
    match &node.kind {
        Kind::Map(_) => node.entry(part).map(|entry| (entry.place, &entry.value)),
        Kind::List(items) => {
            let number: usize = part.parse().ok()?;
            let item = items.iter().filter(|item| !item.broken.get()).nth(number)?;
            Some((item.place, item))
        }
        Kind::Scalar(_) => None,
    }
}

/// The place of the value at the end of a path, or of the last key on the way to it that is there;
/// and whether it was the whole way.
fn place(root: &Node, path: Path<'_>) -> Option<(Place, bool)> {
    let mut node = root;
    let mut last = None;
    for part in path {
        let Some((key, value)) = step(node, part) else { return last.map(|place| (place, false)) };
        last = Some(key);
        node = value;
    }
    Some((node.place, true))
}

/// Is anything on the way, or below its end, not what the file wants it to be?
fn is_uncertain(root: &Node, path: Path<'_>) -> bool {
    let mut node = root;
    for (depth, part) in path.iter().enumerate() {
        let Some((_, value)) = step(node, part) else {
            // What may be left out has a default; what may not has a stand-in. And it may be there
            // under a mistyped name.
            let mistyped = |entry: &Entry| entry.value.broken.get() && is_like(&entry.key, part);
            return (depth == 0 && required("Spec").iter().any(|(key, _)| key == part))
                || node.entries().iter().any(mistyped);
        };
        node = value;
        if node.broken.get() {
            return true;
        }
    }
    is_broken(node)
}

fn is_broken(node: &Node) -> bool {
    node.broken.get()
        || match &node.kind {
            Kind::Scalar(_) => false,
            Kind::List(items) => items.iter().any(is_broken),
            Kind::Map(entries) => entries.iter().any(|entry| is_broken(&entry.value)),
        }
}

/// What is wrong with a spec that did not come from a file.
pub(super) fn without_file(look: impl FnOnce(&Whereabouts<'_>)) -> Vec<Problem> {
    let told = Told::new(vec!["spec"], vec![]);
    look(&Whereabouts::nowhere(&told));
    told.into_problems()
}
