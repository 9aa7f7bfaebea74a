//! Calls of operators: the table of them, and what each needs.

use std::sync::Arc;

use super::compile::{At, Compiler, Invalid, invalid};
use super::node::{Calculation, Each, How, Iteration, Node, Order, Other, Texts, VersionTest};
use super::variable::Segment;
use crate::coerce;
use crate::context::INJECTED;
use crate::problem::{Rule, shortened};
use crate::semver::{self, Comparison, Known, Version};
use crate::source::Node as Tree;
use crate::value::Value;

pub(super) type Compiled = Result<Node, Invalid>;

/// Every operator there is.
pub(crate) const OPERATORS: [&str; 39] = [
    "var",
    "missing",
    "missing_some",
    "if",
    "?:",
    "==",
    "===",
    "!=",
    "!==",
    "!",
    "!!",
    "or",
    "and",
    ">",
    ">=",
    "<",
    "<=",
    "max",
    "min",
    "+",
    "-",
    "*",
    "/",
    "%",
    "map",
    "reduce",
    "filter",
    "all",
    "none",
    "some",
    "merge",
    "in",
    "cat",
    "substr",
    "log",
    "fractional",
    "starts_with",
    "ends_with",
    "sem_ver",
];

pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    tree: &Tree,
    operator: &str,
    argument: &Tree,
    at: At,
) -> Compiled {
    let arguments = argument.arguments();
    let call = Call { tree, arguments, at };
    let node = match operator {
        "var" => return call.var(compiler),
        "if" | "?:" => return call.choice(compiler),
        "and" => return call.first_of(compiler, false),
        "or" => return call.first_of(compiler, true),
        "map" => return call.each(compiler, Each::Map),
        "filter" => return call.each(compiler, Each::Filter),
        "all" => return call.each(compiler, Each::All),
        "some" => return call.each(compiler, Each::Some),
        "none" => return call.each(compiler, Each::None),
        "reduce" => return call.reduce(compiler),
        "fractional" => return call.fractional(compiler),
        "sem_ver" => return call.version(compiler),
        "missing" => {
            compiler.reads_clock |= at == At::Root;
            return Ok(Node::Missing(compiler.nodes(arguments, at)?.into()));
        }
        "missing_some" => {
            compiler.reads_clock |= at == At::Root;
            return Ok(Node::MissingSome(call.two(compiler)?));
        }
        "==" => call.equal(compiler, false, false)?,
        "!=" => call.equal(compiler, false, true)?,
        "===" => call.equal(compiler, true, false)?,
        "!==" => call.equal(compiler, true, true)?,
        "!" => Node::Not(call.one(compiler)?),
        "!!" => Node::Truth(call.one(compiler)?),
        "<" => Node::Ordered(Order::Less, call.all(compiler)?),
        "<=" => Node::Ordered(Order::LessOrEqual, call.all(compiler)?),
        ">" => Node::Ordered(Order::Greater, call.all(compiler)?),
        ">=" => Node::Ordered(Order::GreaterOrEqual, call.all(compiler)?),
        "+" => Node::Calculate(Calculation::Add, call.all(compiler)?),
        "-" => Node::Calculate(Calculation::Subtract, call.all(compiler)?),
        "*" => Node::Calculate(Calculation::Multiply, call.all(compiler)?),
        "/" => Node::Calculate(Calculation::Divide, call.all(compiler)?),
        "%" => Node::Calculate(Calculation::Remainder, call.all(compiler)?),
        "min" => Node::Calculate(Calculation::Least, call.all(compiler)?),
        "max" => Node::Calculate(Calculation::Greatest, call.all(compiler)?),
        "merge" => Node::Merge(call.all(compiler)?),
        "in" => call.is_in(compiler)?,
        "cat" => Node::Cat(call.all(compiler)?),
        "substr" => Node::Substr(call.three(compiler)?),
        // Evaluation has nowhere to write to; the value is passed on.
        "log" => return call.one(compiler).map(|node| *node),
        "starts_with" => call.ends(compiler, Node::StartsWith)?,
        "ends_with" => call.ends(compiler, Node::EndsWith)?,
        unknown => return Err(unknown_operator(tree, unknown)),
    };
    Ok(compiler.folded(node, true))
}

fn unknown_operator(tree: &Tree, operator: &str) -> Invalid {
    let close = OPERATORS.iter().find(|known| {
        let plain = |text: &str| text.replace(['_', '-', ' '], "").to_lowercase();
        plain(known) == plain(operator)
    });
    let hint = close.map(|known| format!("; `{known}` is meant?")).unwrap_or_default();
    let message = format!("the operator `{}` does not exist{hint}", shortened(operator));
    invalid(tree, Rule::UnknownOperator, message)
}

/// A call, with what it stands in.
pub(super) struct Call<'t> {
    pub(super) tree: &'t Tree,
    pub(super) arguments: &'t [Tree],
    pub(super) at: At,
}

impl Call<'_> {
    /// An argument; null if there is none.
    fn nth(&self, compiler: &mut Compiler<'_>, at: usize) -> Compiled {
        match self.arguments.get(at) {
            Some(tree) => compiler.node(tree, self.at),
            None => Ok(Node::Const(Value::Null)),
        }
    }

    fn one(&self, compiler: &mut Compiler<'_>) -> Result<Box<Node>, Invalid> {
        self.nth(compiler, 0).map(Box::new)
    }

    fn two(&self, compiler: &mut Compiler<'_>) -> Result<Box<[Node; 2]>, Invalid> {
        Ok(Box::new([self.nth(compiler, 0)?, self.nth(compiler, 1)?]))
    }

    fn three(&self, compiler: &mut Compiler<'_>) -> Result<Box<[Node; 3]>, Invalid> {
        Ok(Box::new([self.nth(compiler, 0)?, self.nth(compiler, 1)?, self.nth(compiler, 2)?]))
    }

    fn all(&self, compiler: &mut Compiler<'_>) -> Result<Box<[Node]>, Invalid> {
        compiler.nodes(self.arguments, self.at).map(Vec::into)
    }

    fn equal(&self, compiler: &mut Compiler<'_>, strict: bool, negated: bool) -> Compiled {
        Ok(Node::Equal { strict, negated, sides: self.two(compiler)? })
    }

    pub(super) fn always_null(&self, compiler: &mut Compiler<'_>, why: &str) -> Node {
        compiler.warn(self.tree, Rule::AlwaysNull, format!("this is always null: {why}"));
        Node::Const(Value::Null)
    }

    fn var(&self, compiler: &mut Compiler<'_>) -> Compiled {
        let default = match self.arguments.get(1) {
            Some(tree) => Some(Box::new(compiler.node(tree, self.at)?)),
            None => None,
        };
        let path = match self.nth(compiler, 0)? {
            Node::Const(path) => path,
            path => {
                // Which variable it is cannot be told before.
                compiler.reads_clock |= self.at == At::Root;
                return Ok(Node::Ask(Box::new(path), default));
            }
        };
        let path = match path {
            Value::Null => String::new(),
            path => coerce::text(&path).into_owned(),
        };
        let (first, rest) = path.split_once('.').unwrap_or((&path, ""));
        if path.is_empty() || (self.at == At::Root && first == INJECTED) {
            compiler.reads_clock |= self.at == At::Root && rest != "flagKey";
            return Ok(match (first, rest) {
                ("", _) => Node::Whole,
                (_, "flagKey") => Node::FlagKey,
                (_, "timestamp") => Node::Timestamp,
                _ => Node::Ask(Box::new(Node::Const(Value::text(&path))), default),
            });
        }
        let path = Segment::path(&path);
        Ok(match default {
            Some(default) => Node::VarOr(path, default),
            None => Node::Var(path),
        })
    }

    /// `if`, without the branches that are never taken.
    fn choice(&self, compiler: &mut Compiler<'_>) -> Compiled {
        let mut parts = vec![];
        let mut rest = self.arguments;
        loop {
            match rest {
                [condition, value, after @ ..] => {
                    let test = compiler.node(condition, self.at)?;
                    let value = compiler.node(value, self.at)?;
                    rest = after;
                    match test.known().filter(|_| !compiler.marked).map(coerce::is_true) {
                        Some(true) => {
                            constant_condition(compiler, condition, "true");
                            parts.push(value);
                            // What follows is never reached, yet has to be right.
                            compiler.nodes(rest, self.at)?;
                            break;
                        }
                        Some(false) => constant_condition(compiler, condition, "false"),
                        None => parts.extend([test, value]),
                    }
                }
                [last] => {
                    parts.push(compiler.node(last, self.at)?);
                    break;
                }
                [] => break,
            }
        }
        Ok(match parts.len() {
            0 => Node::Const(Value::Null),
            1 => parts.swap_remove(0),
            _ => Node::If(parts.into()),
        })
    }

    /// `and` and `or`, up to the first part that settles it.
    fn first_of(&self, compiler: &mut Compiler<'_>, settled_by: bool) -> Compiled {
        let mut parts = vec![];
        let mut settled = false;
        for (at, tree) in self.arguments.iter().enumerate() {
            let part = compiler.node(tree, self.at)?;
            if settled {
                continue;
            }
            let truth = part.known().filter(|_| !compiler.marked).map(coerce::is_true);
            settled = truth == Some(settled_by);
            let last = at + 1 == self.arguments.len();
            if settled || last || truth.is_none() {
                parts.push(part);
            }
        }
        Ok(match parts.len() {
            0 => Node::Const(Value::Null),
            1 => parts.swap_remove(0),
            _ if settled_by => Node::Or(parts.into()),
            _ => Node::And(parts.into()),
        })
    }

    fn iteration(&self, compiler: &mut Compiler<'_>) -> Result<Box<Iteration>, Invalid> {
        let over = self.nth(compiler, 0)?;
        let before = compiler.parts;
        let body = match self.arguments.get(1) {
            Some(tree) => compiler.node(tree, At::Inside)?,
            None => Node::Const(Value::Null),
        };
        Ok(Box::new(Iteration { over, body, size: 1 + compiler.parts - before }))
    }

    fn each(&self, compiler: &mut Compiler<'_>, how: Each) -> Compiled {
        Ok(Node::Each(how, self.iteration(compiler)?))
    }

    fn reduce(&self, compiler: &mut Compiler<'_>) -> Compiled {
        let iteration = self.iteration(compiler)?;
        Ok(Node::Reduce(iteration, Box::new(self.nth(compiler, 2)?)))
    }

    /// `in`; a list of texts becomes a table.
    fn is_in(&self, compiler: &mut Compiler<'_>) -> Compiled {
        let sides = self.two(compiler)?;
        let texts: Option<Vec<_>> = match &*sides {
            [Node::Const(_), _] => None,
            [_, Node::Const(Value::List(list))] => {
                let text = |item: &Value| match item {
                    Value::Text(text) => Some(Arc::clone(text)),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::List(_)
                    | Value::Object(_) => None,
                };
                list.items().iter().map(text).collect::<Option<_>>()
            }
            _ => None,
        };
        Ok(match texts {
            Some(texts) => {
                let [needle, _] = *sides;
                Node::Among(Box::new(needle), Texts::new(texts))
            }
            None => Node::In(sides),
        })
    }

    fn ends(&self, compiler: &mut Compiler<'_>, node: fn(Box<[Node; 2]>) -> Node) -> Compiled {
        let sides = self.two(compiler)?;
        match self.arguments.len() {
            2 => Ok(node(sides)),
            _ => {
                compiler.nodes(self.arguments, self.at)?;
                Ok(self.always_null(compiler, "it needs two arguments"))
            }
        }
    }

    fn version(&self, compiler: &mut Compiler<'_>) -> Compiled {
        let nodes = compiler.nodes(self.arguments, self.at)?;
        let Ok([one, how, other]) = <[Node; 3]>::try_from(nodes) else {
            return Ok(self.always_null(compiler, "it needs a version, an operator and a version"));
        };
        for side in [&one, &other] {
            let bad = side.known().is_some_and(|value| {
                semver::text_of(value).is_none_or(|text| Version::parse(&text).is_none())
            });
            if bad {
                return Ok(self.always_null(compiler, "that is no version"));
            }
        }
        let how = match how {
            Node::Const(how) => match Comparison::of(&coerce::text(&how)) {
                Some(how) => How::Known(how),
                None => {
                    let why = "the operators are = != < <= > >= ^ and ~";
                    return Ok(self.always_null(compiler, why));
                }
            },
            how => How::Computed(how),
        };
        let known = other.known().and_then(|value| Known::parse(&semver::text_of(value)?));
        let other = known.map_or_else(|| Other::Computed(other), Other::Known);
        Ok(Node::Version(Box::new(VersionTest { one, how, other })))
    }
}

fn constant_condition(compiler: &mut Compiler<'_>, condition: &Tree, always: &str) {
    let message = format!("this condition is always {always}");
    compiler.warn(condition, Rule::ConstantCondition, message);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Bucketing;

    #[test]
    fn every_operator_of_the_table_exists_and_no_other() {
        for operator in OPERATORS {
            let tree = Tree::call(operator, []);
            let compiled = super::super::compile(&tree, "f", Bucketing::V3, false);
            assert!(compiled.is_ok(), "{operator}");
        }
        let tree = Tree::call("semver", []);
        let error = super::super::compile(&tree, "f", Bucketing::V3, false).unwrap_err();
        assert_eq!(error.message, "the operator `semver` does not exist; `sem_ver` is meant?");
    }
}
