//! Calls of operators: the table of them, and what each needs.

use std::sync::Arc;

use super::compile::{At, Compiler, Invalid, invalid};
use super::fractional::{Buckets, Entry, Fractional, MOST, Weight, prefix, weight_of};
use super::node::{Calculation, Each, How, Iteration, Node, Order, Other, Texts, VersionTest};
use super::run::{Run, Scope};
use super::variable::Segment;
use crate::coerce;
use crate::context::{Context, INJECTED};
use crate::problem::{Rule, shortened};
use crate::semver::{self, Comparison, Known, Version};
use crate::source::{Kind, Node as Tree};
use crate::value::Value;

type Compiled = Result<Node, Invalid>;

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
struct Call<'t> {
    tree: &'t Tree,
    arguments: &'t [Tree],
    at: At,
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

    fn always_null(&self, compiler: &mut Compiler<'_>, why: &str) -> Node {
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

    fn fractional(&self, compiler: &mut Compiler<'_>) -> Compiled {
        let (by, entries) = match self.arguments {
            [Tree { kind: Kind::List(_), .. }, ..] => (None, self.arguments),
            [first, entries @ ..] => (Some(compiler.node(first, self.at)?), entries),
            [] => return Ok(self.always_null(compiler, "it has no entries")),
        };
        // All of them have to be right, even beside one that spoils the call.
        let compiled: Vec<Option<Entry>> =
            entries.iter().map(|entry| self.entry(compiler, entry)).collect::<Result<_, _>>()?;
        let Some(compiled) = compiled.into_iter().collect() else {
            let why = "entries are [variant] or [variant, whole number]";
            return Ok(self.always_null(compiler, why));
        };
        let buckets = buckets(compiled);
        match &buckets {
            Buckets::Fixed { total: 0, .. } => {
                compiler.warn(self.tree, Rule::ZeroWeights, "all weights are zero");
                // A bucketing value that is computed may turn out to be one more entry.
                if by.as_ref().is_none_or(|by| by.known().is_some()) {
                    return Ok(Node::Const(Value::Null));
                }
            }
            Buckets::Fixed { total, .. } if *total > MOST => {
                return Ok(self.always_null(compiler, "the weights are more than 2^31 - 1"));
            }
            Buckets::Fixed { .. } | Buckets::Computed(_) => {}
        }
        let prefix = prefix(compiler.bucketing, compiler.flag_key);
        let bucketing = compiler.bucketing;
        Ok(Node::Fractional(Box::new(Fractional { bucketing, prefix, by, buckets })))
    }

    /// An entry; `None` if it can never be one.
    fn entry(&self, compiler: &mut Compiler<'_>, tree: &Tree) -> Result<Option<Entry>, Invalid> {
        let Kind::List(parts) = &tree.kind else {
            let node = compiler.node(tree, self.at)?;
            let hopeless = node.known().is_some_and(|value| !matches!(value, Value::List(_)));
            return Ok((!hopeless).then_some(Entry::Value(node)));
        };
        let nodes = compiler.nodes(parts, self.at)?;
        let (variant, weight) = match <[Node; 1]>::try_from(nodes) {
            Ok([variant]) => (variant, Weight::Fixed(1)),
            Err(nodes) => match <[Node; 2]>::try_from(nodes) {
                Ok([variant, Node::Const(weight)]) => match weight_of(&weight) {
                    Some(weight) => (variant, Weight::Fixed(weight)),
                    None => return Ok(None),
                },
                Ok([variant, weight]) => (variant, Weight::Computed(weight)),
                Err(_) => return Ok(None),
            },
        };
        let hopeless = matches!(variant.known(), Some(Value::List(_) | Value::Object(_)));
        Ok((!hopeless).then_some(Entry::Pair(variant, weight)))
    }
}

/// Entries with their ends added up, if every weight is known.
fn buckets(entries: Vec<Entry>) -> Buckets {
    let known = |entry: &Entry| matches!(entry, Entry::Pair(_, Weight::Fixed(_)));
    if !entries.iter().all(known) {
        return Buckets::Computed(entries.into());
    }
    let (mut total, mut ends, mut variants) = (0_u32, vec![], vec![]);
    for entry in entries {
        if let Entry::Pair(variant, Weight::Fixed(weight)) = entry {
            // A weight is below 2^31, so one too many ends at a total that is refused.
            total = total.saturating_add(weight);
            ends.push(total);
            variants.push(variant);
        }
    }
    Buckets::Fixed { total, ends: ends.into(), variants: variants.into() }
}

fn constant_condition(compiler: &mut Compiler<'_>, condition: &Tree, always: &str) {
    let message = format!("this condition is always {always}");
    compiler.warn(condition, Rule::ConstantCondition, message);
}

impl Node {
    /// The value that this always has.
    pub(super) fn known(&self) -> Option<&Value> {
        match self {
            Node::Const(value) => Some(value),
            _ => None,
        }
    }

    /// Worked out, if all parts are known.
    pub(super) fn folded(self) -> Node {
        let known = |nodes: &[Node]| nodes.iter().all(|node| node.known().is_some());
        let all_known = match &self {
            Node::List(parts)
            | Node::Ordered(_, parts)
            | Node::Calculate(_, parts)
            | Node::Merge(parts)
            | Node::Cat(parts) => known(parts),
            Node::Equal { sides, .. } => known(&**sides),
            Node::In(sides) | Node::StartsWith(sides) | Node::EndsWith(sides) => known(&**sides),
            Node::Substr(parts) => known(&**parts),
            Node::Not(part) | Node::Truth(part) => part.known().is_some(),
            _ => false,
        };
        if !all_known {
            return self;
        }
        let context = Context::empty();
        let run = Run::new("", &context, 0);
        let value = self.eval(&run, Scope::Root).into_owned();
        if run.is_exhausted() { self } else { Node::Const(value) }
    }
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

    #[test]
    fn what_is_known_is_worked_out_at_once() {
        let compiled = |json: &str| {
            let source = crate::source::Source::new("rule.json", json);
            let tree = crate::source::read(&source).unwrap();
            super::super::compile(&tree, "f", Bucketing::V3, false).unwrap().0.node
        };
        for (json, value) in [
            (r#"{"+":[1,{"*":[2,3]}]}"#, "7"),
            (r#"{"if":[{"==":[1,"1"]},"a","b"]}"#, "\"a\""),
            (r#"{"if":[false,"a",{"var":"x"},"b"]}"#, "?"),
            (r#"{"and":[1,0,{"var":"x"}]}"#, "0"),
            (r#"{"or":[0,"",null]}"#, "null"),
            (r#"{"cat":["a",1,null,true]}"#, "\"a1true\""),
            (r#"{"fractional":[["a",0],["b",-1]]}"#, "null"),
        ] {
            let known = compiled(json).known().map_or("?".into(), Value::to_string);
            assert_eq!(known, value, "{json}");
        }
        let nine = r#"{"in":[{"var":"x"},["1","2","3","4","5","6","7","8","9"]]}"#;
        assert!(matches!(compiled(nine), Node::Among(..)));
        assert!(matches!(compiled(r#"{"if":[false,1,{"var":"x"},2]}"#), Node::If(_)));
    }
}
