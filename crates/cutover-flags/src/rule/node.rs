//! A compiled rule.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::fractional::Fractional;
use super::run::{Run, Scope};
use super::variable::Segment;
use crate::keys::FastKeys;
use crate::semver::{Comparison, Known};
use crate::value::Value;

/// A rule, ready to run.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) node: Node,
    /// Can its result change with time alone?
    pub(crate) reads_clock: bool,
}

impl Rule {
    /// What the rule says; null if nothing.
    #[inline]
    pub(crate) fn decide<'v>(&'v self, run: &'v Run<'v>) -> Cow<'v, Value> {
        self.node.eval(run, Scope::Root)
    }
}

/// A part of a rule. Whatever the document fixes is worked out already.
#[derive(Debug)]
pub(crate) enum Node {
    Const(Value),
    /// A variable of the current scope.
    Var(Box<[Segment]>),
    /// The same with a default.
    VarOr(Box<[Segment]>, Box<Node>),
    /// A variable whose path is computed, perhaps with a default.
    Ask(Box<Node>, Option<Box<Node>>),
    /// Everything in the current scope.
    Whole,
    FlagKey,
    Timestamp,
    List(Box<[Node]>),
    If(Box<[Node]>),
    And(Box<[Node]>),
    Or(Box<[Node]>),
    Not(Box<Node>),
    Truth(Box<Node>),
    Equal {
        strict: bool,
        negated: bool,
        sides: Box<[Node; 2]>,
    },
    Ordered(Order, Box<[Node]>),
    Calculate(Calculation, Box<[Node]>),
    Each(Each, Box<Iteration>),
    Reduce(Box<Iteration>, Box<Node>),
    Merge(Box<[Node]>),
    In(Box<[Node; 2]>),
    /// `in` with constant texts.
    Among(Box<Node>, Texts),
    Cat(Box<[Node]>),
    Substr(Box<[Node; 3]>),
    Missing(Box<[Node]>),
    MissingSome(Box<[Node; 2]>),
    StartsWith(Box<[Node; 2]>),
    EndsWith(Box<[Node; 2]>),
    Version(Box<VersionTest>),
    Fractional(Box<Fractional>),
    /// For explanations only: the source of a call beside it.
    Marked(Box<str>, Box<Node>),
}

/// Texts to look one up in.
#[derive(Debug)]
pub(crate) enum Texts {
    Few(Box<[Arc<str>]>),
    Many(HashSet<Arc<str>, FastKeys>),
}

impl Texts {
    pub(crate) fn new(texts: Vec<Arc<str>>) -> Texts {
        const FEW: usize = 8;
        match texts.len() <= FEW {
            true => Texts::Few(texts.into()),
            false => Texts::Many(texts.into_iter().collect()),
        }
    }

    #[inline]
    pub(crate) fn contain(&self, value: &Value) -> bool {
        match (self, value) {
            (Texts::Few(texts), Value::Text(text)) => texts.iter().any(|known| known == text),
            (Texts::Many(texts), Value::Text(text)) => texts.contains(text),
            (
                Texts::Few(_) | Texts::Many(_),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Object(_),
            ) => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calculation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Least,
    Greatest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Each {
    Map,
    Filter,
    All,
    Some,
    None,
}

/// A rule that is run for every item of a list.
#[derive(Debug)]
pub(crate) struct Iteration {
    pub(crate) over: Node,
    pub(crate) body: Node,
    /// What one run costs.
    pub(crate) size: u32,
}

/// `sem_ver`; versions that stand in the document were checked when it was read.
#[derive(Debug)]
pub(crate) struct VersionTest {
    pub(crate) one: Node,
    pub(crate) how: How,
    pub(crate) other: Other,
}

#[derive(Debug)]
pub(crate) enum Other {
    Known(Known),
    Computed(Node),
}

#[derive(Debug)]
pub(crate) enum How {
    Known(Comparison),
    Computed(Node),
}
