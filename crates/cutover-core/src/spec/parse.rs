//! From text to a checked spec.

use super::Spec;
use super::check::check;
use super::problem::{Problem, in_order};
use super::reader::read;
use super::told::Told;
use super::tree::Node;
use super::whereabouts::Whereabouts;

/// A file as read.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name, for messages.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Larger files are refused: no spec is, and YAML can be made to grow.
const LARGEST: usize = 256 * 1024;

/// Reads a spec, with overlays merged over it one after the other (`cutover.production.yaml`, then
/// settings of the command line), and checks all of it.
///
/// An overlay's maps are merged key by key; anything else in it replaces what was there.
///
/// # Errors
/// Everything that is wrong, at once, in the order of the files and of the places in them; of more
/// than [`MOST_PROBLEMS`](super::MOST_PROBLEMS) only the first, and one more that says how many
/// there are. Only where a file is no YAML at all, the rest cannot be looked at.
pub fn parse(base: &Source, overlays: &[Source]) -> Result<Spec, Vec<Problem>> {
    let sources: Vec<&Source> = std::iter::once(base).chain(overlays).collect();
    let files: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    let (root, problems) = trees(&sources).map_err(|problems| in_order(problems, &files))?;
    let told = Told::new(files.clone(), problems);
    let spec: Option<Spec> = read(&root, &told);
    let whole = spec.is_some();
    // Without `app` or `release` there is no spec, but the rules for the rest can still be looked
    // at.
    let standing = root.with_stand_ins();
    let spec = spec.or_else(|| read(&standing, &told));
    if let Some(spec) = &spec {
        check(spec, &Whereabouts::in_tree(&root, &told));
    }
    let problems = in_order(told.into_problems(), &files);
    match spec.filter(|_| whole && problems.is_empty()) {
        Some(spec) => Ok(spec),
        None => Err(problems),
    }
}

/// All sources as one tree, and what is wrong with their form.
fn trees(sources: &[&Source]) -> Result<(Node, Vec<Problem>), Vec<Problem>> {
    let mut whole: Option<Node> = None;
    let (mut problems, mut unreadable) = (vec![], vec![]);
    for (number, source) in sources.iter().enumerate() {
        if source.text.len() > LARGEST {
            let message = format!("the file is larger than {} KiB", LARGEST / 1024);
            unreadable.push(Problem::whole(&source.name, message));
            continue;
        }
        match (Node::read(source, number, &mut problems), &mut whole) {
            (Err(problem), _) => unreadable.push(problem),
            (Ok(node), None) => whole = Some(node),
            (Ok(node), Some(whole)) => whole.merge(node),
        }
    }
    match whole.filter(|_| unreadable.is_empty()) {
        Some(whole) => Ok((whole, problems)),
        None => Err(unreadable.into_iter().chain(problems).collect()),
    }
}
