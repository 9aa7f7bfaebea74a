//! From documents to rules that run.

use super::call;
use super::fractional::Bucketing;
use super::node::{Node, Rule};
use crate::number::Number;
use crate::problem::{self, Place, shortened};
use crate::source::{Kind, Node as Tree, to_json};
use crate::value::{Object, Value};

/// Why a rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) place: Option<Place>,
    pub(crate) rule: problem::Rule,
    pub(crate) message: String,
}

/// What looks wrong with a rule that can be used.
pub(crate) type Note = Invalid;

/// No rule has more parts, once references and prerequisites are put in.
const LARGEST: u32 = 200_000;

/// Compiles the rule of a flag. With `marked`, nothing is worked out in advance and every call is
/// marked with its source, for explanations.
pub(crate) fn compile(
    tree: &Tree,
    flag_key: &str,
    bucketing: Bucketing,
    marked: bool,
) -> Result<(Rule, Vec<Note>), Invalid> {
    let mut compiler =
        Compiler { flag_key, bucketing, marked, notes: vec![], reads_clock: false, parts: 0 };
    let node = compiler.node(tree, At::Root)?;
    Ok((Rule { node, reads_clock: compiler.reads_clock }, compiler.notes))
}

/// Where variables are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Root,
    Inside,
}

pub(super) struct Compiler<'a> {
    pub(super) flag_key: &'a str,
    pub(super) bucketing: Bucketing,
    pub(super) marked: bool,
    pub(super) notes: Vec<Note>,
    pub(super) reads_clock: bool,
    pub(super) parts: u32,
}

impl Compiler<'_> {
    pub(super) fn node(&mut self, tree: &Tree, at: At) -> Result<Node, Invalid> {
        self.parts += 1;
        if self.parts > LARGEST {
            let message = format!("the rule has more than {LARGEST} parts");
            return Err(invalid(tree, problem::Rule::TooLarge, message));
        }
        if let Some((operator, argument)) = tree.as_call() {
            let node = call::compile(self, tree, operator, argument, at)?;
            return Ok(match self.marked {
                true => Node::Marked(brief(tree).into(), Box::new(node)),
                false => node,
            });
        }
        match &tree.kind {
            Kind::List(items) => {
                let items = self.nodes(items, at)?;
                Ok(self.folded(Node::List(items.into()), true))
            }
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => {
                constant(tree).map(Node::Const)
            }
        }
    }

    pub(super) fn nodes(&mut self, trees: &[Tree], at: At) -> Result<Vec<Node>, Invalid> {
        trees.iter().map(|tree| self.node(tree, at)).collect()
    }

    /// Works a part out at once if its own parts are known.
    pub(super) fn folded(&self, node: Node, pure: bool) -> Node {
        match pure && !self.marked {
            true => node.folded(),
            false => node,
        }
    }

    pub(super) fn warn(&mut self, tree: &Tree, rule: problem::Rule, message: impl Into<String>) {
        self.notes.push(invalid(tree, rule, message));
    }
}

pub(super) fn invalid(tree: &Tree, rule: problem::Rule, message: impl Into<String>) -> Invalid {
    Invalid { place: tree.place, rule, message: message.into() }
}

/// The call as written, in one short line.
pub(super) fn brief(tree: &Tree) -> String {
    // Long rules are not written out as a whole for the sake of their beginning.
    const FEW: usize = 40;
    match parts(tree, FEW) > FEW {
        true => {
            tree.as_call().map_or_else(String::new, |(operator, _)| format!("{{\"{operator}\":…}}"))
        }
        false => shortened(&to_json(tree)),
    }
}

fn parts(tree: &Tree, most: usize) -> usize {
    let mut count = 1;
    let children: &mut dyn Iterator<Item = &Tree> = match &tree.kind {
        Kind::List(items) => &mut items.iter(),
        Kind::Map(entries) => &mut entries.iter().map(|entry| &entry.value),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => &mut std::iter::empty(),
    };
    for child in children {
        if count > most {
            break;
        }
        count += parts(child, most.saturating_sub(count));
    }
    count
}

/// A value that stands in a document; objects of one key are values too, here.
pub(crate) fn constant(tree: &Tree) -> Result<Value, Invalid> {
    let too_much = || invalid(tree, problem::Rule::TooLarge, "this value has too many parts");
    Ok(match &tree.kind {
        Kind::Null => Value::Null,
        Kind::Bool(truth) => Value::Bool(*truth),
        Kind::Number(literal) => Value::Number(number(tree, literal)?),
        Kind::Text(text) => Value::text(text),
        Kind::List(items) => {
            let items = items.iter().map(constant).collect::<Result<_, _>>()?;
            Value::list(items).ok_or_else(too_much)?
        }
        Kind::Map(entries) => {
            let entry = |entry: &crate::source::Entry| {
                constant(&entry.value).map(|value| (entry.key.as_str().into(), value))
            };
            let entries = entries.iter().map(entry).collect::<Result<_, _>>()?;
            Value::Object(Object::new(entries).ok_or_else(too_much)?.into())
        }
    })
}

fn number(tree: &Tree, literal: &str) -> Result<Number, Invalid> {
    Number::of_literal(literal).map_err(|error| {
        let message = format!("the number {} {error}", shortened(literal));
        invalid(tree, problem::Rule::UnsafeNumber, message)
    })
}
