//! Evaluation of compiled rules. Recursion is bounded by the depth of documents.

use std::borrow::Cow;

use super::iterate;
use super::node::{Calculation, How, Node, Order, Other, VersionTest};
use super::run::{Run, Scope};
use super::text;
use super::variable::{ask, keys, look_up, missing, whole};
use crate::coerce;
use crate::number::Number;
use crate::semver::{self, Comparison, Version};
use crate::value::Value;

static NULL: Value = Value::Null;

fn truth<'v>(truth: bool) -> Cow<'v, Value> {
    Cow::Owned(Value::Bool(truth))
}

fn null<'v>() -> Cow<'v, Value> {
    Cow::Borrowed(&NULL)
}

impl Node {
    /// The value of this part.
    #[inline]
    pub(crate) fn eval<'v>(&'v self, run: &'v Run<'v>, scope: Scope<'v>) -> Cow<'v, Value> {
        match self {
            Node::Const(value) => Cow::Borrowed(value),
            Node::Var(path) => Cow::Borrowed(look_up(run, scope, path).unwrap_or(&NULL)),
            Node::If(parts) => choose(parts, run, scope),
            Node::Equal { .. } => truth(self.is_true(run, scope)),
            Node::Fractional(fractional) => fractional.eval(run, scope),
            Node::VarOr(..)
            | Node::Ask(..)
            | Node::Whole
            | Node::FlagKey
            | Node::Timestamp
            | Node::List(_)
            | Node::And(_)
            | Node::Or(_)
            | Node::Not(_)
            | Node::Truth(_)
            | Node::Ordered(..)
            | Node::Calculate(..)
            | Node::Each(..)
            | Node::Reduce(..)
            | Node::Merge(_)
            | Node::In(_)
            | Node::Among(..)
            | Node::Cat(_)
            | Node::Substr(_)
            | Node::Missing(_)
            | Node::MissingSome(_)
            | Node::StartsWith(_)
            | Node::EndsWith(_)
            | Node::Version(_)
            | Node::Marked(..) => self.eval_rarer(run, scope),
        }
    }

    /// Is it true?
    #[inline]
    pub(super) fn is_true<'v>(&'v self, run: &'v Run<'v>, scope: Scope<'v>) -> bool {
        match self {
            Node::Among(needle, texts) => texts.contain(&needle.eval(run, scope)),
            Node::Equal { strict, negated, sides } => {
                let [one, other] = &**sides;
                let (one, other) = (one.eval(run, scope), other.eval(run, scope));
                compared(*strict, &one, &other, run) != *negated
            }
            other => coerce::is_true(&other.eval(run, scope)),
        }
    }

    fn eval_rarer<'v>(&'v self, run: &'v Run<'v>, scope: Scope<'v>) -> Cow<'v, Value> {
        match self {
            Node::Const(_) | Node::Var(_) | Node::If(_) | Node::Equal { .. } => {
                self.eval(run, scope)
            }
            Node::Fractional(fractional) => fractional.eval(run, scope),
            Node::VarOr(path, default) => match look_up(run, scope, path) {
                Some(value) => Cow::Borrowed(value),
                None => default.eval(run, scope),
            },
            Node::Ask(path, default) => computed_var(path, default.as_deref(), run, scope),
            Node::Whole => whole(run, scope),
            Node::FlagKey => Cow::Owned(Value::text(run.flag_key)),
            Node::Timestamp => Cow::Owned(Value::Number(Number::Int(run.now))),
            Node::List(items) => {
                let room = run.spend(u32::try_from(items.len()).unwrap_or(u32::MAX));
                let items = items.iter().take_while(|_| room);
                let items = items.map(|item| item.eval(run, scope).into_owned()).collect();
                Cow::Owned(run.list(items))
            }
            Node::And(parts) => first_of(parts, false, run, scope),
            Node::Or(parts) => first_of(parts, true, run, scope),
            Node::Not(part) => truth(!part.is_true(run, scope)),
            Node::Truth(part) => truth(part.is_true(run, scope)),
            Node::Ordered(order, parts) => truth(ordered(*order, parts, run, scope)),
            Node::Calculate(how, parts) => {
                Cow::Owned(Value::Number(calculated(*how, parts, run, scope)))
            }
            Node::Each(how, iteration) => iterate::each(*how, iteration, run, scope),
            Node::Reduce(iteration, start) => iterate::reduce(iteration, start, run, scope),
            Node::Merge(parts) => iterate::merge(parts, run, scope),
            Node::In(sides) => {
                let [needle, hay] = &**sides;
                truth(text::is_in(&needle.eval(run, scope), &hay.eval(run, scope), run))
            }
            Node::Among(needle, texts) => truth(texts.contain(&needle.eval(run, scope))),
            Node::Cat(parts) => Cow::Owned(text::cat(parts, run, scope)),
            Node::Substr(parts) => Cow::Owned(text::substr(parts, run, scope)),
            Node::Missing(arguments) => {
                let keys = keys(run, scope, arguments);
                Cow::Owned(run.list(missing(run, scope, &keys)))
            }
            Node::MissingSome(sides) => missing_some(sides, run, scope),
            Node::StartsWith(sides) => ends(sides, run, scope, |text, end| text.starts_with(end)),
            Node::EndsWith(sides) => ends(sides, run, scope, |text, end| text.ends_with(end)),
            Node::Version(test) => test.eval(run, scope).map_or_else(null, truth),
            Node::Marked(call, node) => run.watch(call, || node.eval(run, scope)),
        }
    }
}

/// Walking both sides is work; a list is as heavy as it has parts.
#[inline]
fn compared(strict: bool, one: &Value, other: &Value, run: &Run<'_>) -> bool {
    let weight = one.weight().min(other.weight());
    if weight > 1 && !run.spend(weight) {
        return false;
    }
    if strict { coerce::same(one, other) } else { coerce::equal(one, other) }
}

/// `if`: condition, value, condition, value, …, else.
#[inline]
fn choose<'v>(parts: &'v [Node], run: &'v Run<'v>, scope: Scope<'v>) -> Cow<'v, Value> {
    let mut rest = parts;
    loop {
        match rest {
            [condition, value, after @ ..] => {
                if condition.is_true(run, scope) {
                    return value.eval(run, scope);
                }
                rest = after;
            }
            [last] => return last.eval(run, scope),
            [] => return null(),
        }
    }
}

/// `and`, `or`: the first part that is false or true, else the last one.
fn first_of<'v>(
    parts: &'v [Node],
    wanted: bool,
    run: &'v Run<'v>,
    scope: Scope<'v>,
) -> Cow<'v, Value> {
    let mut last = null();
    for part in parts {
        last = part.eval(run, scope);
        if coerce::is_true(&last) == wanted {
            break;
        }
    }
    last
}

fn computed_var<'v>(
    path: &'v Node,
    default: Option<&'v Node>,
    run: &'v Run<'v>,
    scope: Scope<'v>,
) -> Cow<'v, Value> {
    let path = path.eval(run, scope);
    let found = match &*path {
        Value::Null => Some(whole(run, scope)),
        Value::Text(_) | Value::Number(_) | Value::Bool(_) | Value::List(_) | Value::Object(_) => {
            run.spend(path.weight());
            ask(run, scope, &coerce::text(&path))
        }
    };
    let found = found.filter(|value| !matches!(**value, Value::Null));
    found.unwrap_or_else(|| default.map_or_else(null, |default| default.eval(run, scope)))
}

/// Does every part stand in this order to the next one? `between` is three parts.
fn ordered<'v>(order: Order, parts: &'v [Node], run: &'v Run<'v>, scope: Scope<'v>) -> bool {
    let Some((first, rest)) = parts.split_first() else { return false };
    let mut one = first.eval(run, scope);
    for next in rest {
        let other = next.eval(run, scope);
        let found = coerce::order(&one, &other);
        let holds = found.is_some_and(|found| match order {
            Order::Less => found.is_lt(),
            Order::LessOrEqual => found.is_le(),
            Order::Greater => found.is_gt(),
            Order::GreaterOrEqual => found.is_ge(),
        });
        if !holds {
            return false;
        }
        one = other;
    }
    !rest.is_empty()
}

fn calculated<'v>(
    how: Calculation,
    parts: &'v [Node],
    run: &'v Run<'v>,
    scope: Scope<'v>,
) -> Number {
    let mut numbers = parts.iter().map(|part| coerce::number(&part.eval(run, scope)));
    match how {
        Calculation::Add => numbers.fold(Number::Int(0), add),
        Calculation::Multiply => numbers.fold(Number::Int(1), multiply),
        Calculation::Subtract => match (numbers.next(), numbers.next()) {
            (Some(one), Some(other)) => subtract(one, other),
            (Some(one), None) => subtract(Number::Int(0), one),
            (None, _) => Number::Float(f64::NAN),
        },
        Calculation::Divide => match (numbers.next(), numbers.next()) {
            (Some(one), Some(other)) => Number::of_f64(one.as_f64() / other.as_f64()),
            (_, None) | (None, _) => Number::Float(f64::NAN),
        },
        Calculation::Remainder => match (numbers.next(), numbers.next()) {
            (Some(one), Some(other)) => Number::of_f64(one.as_f64() % other.as_f64()),
            (_, None) | (None, _) => Number::Float(f64::NAN),
        },
        Calculation::Least => extreme(numbers, f64::INFINITY, |one, least| one < least),
        Calculation::Greatest => extreme(numbers, f64::NEG_INFINITY, |one, most| one > most),
    }
}

/// The extreme number; NaN if there is one.
fn extreme(
    numbers: impl Iterator<Item = Number>,
    start: f64,
    beats: impl Fn(f64, f64) -> bool,
) -> Number {
    let mut best = Number::Float(start);
    for number in numbers {
        if number.as_f64().is_nan() {
            return number;
        }
        if beats(number.as_f64(), best.as_f64()) {
            best = number;
        }
    }
    best
}

fn add(one: Number, other: Number) -> Number {
    exact(one, other, i64::checked_add)
        .unwrap_or_else(|| Number::of_f64(one.as_f64() + other.as_f64()))
}

fn subtract(one: Number, other: Number) -> Number {
    exact(one, other, i64::checked_sub)
        .unwrap_or_else(|| Number::of_f64(one.as_f64() - other.as_f64()))
}

fn multiply(one: Number, other: Number) -> Number {
    exact(one, other, i64::checked_mul)
        .unwrap_or_else(|| Number::of_f64(one.as_f64() * other.as_f64()))
}

/// Whole numbers are calculated without a double where that fits.
fn exact(one: Number, other: Number, how: fn(i64, i64) -> Option<i64>) -> Option<Number> {
    match (one, other) {
        (Number::Int(one), Number::Int(other)) => how(one, other).map(Number::Int),
        (Number::Int(_) | Number::Wide(_) | Number::Float(_), _) => None,
    }
}

fn missing_some<'v>(sides: &'v [Node; 2], run: &'v Run<'v>, scope: Scope<'v>) -> Cow<'v, Value> {
    let [needed, keys] = sides;
    let needed = coerce::number(&needed.eval(run, scope)).as_f64();
    let keys = keys.eval(run, scope);
    let keys = match &*keys {
        Value::List(list) => list.items(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Object(_) => &[],
    };
    let missing = missing(run, scope, keys);
    let found = Number::Int(i64::try_from(keys.len() - missing.len()).unwrap_or(i64::MAX));
    let enough = found.as_f64() >= needed;
    Cow::Owned(run.list(if enough { vec![] } else { missing }))
}

fn ends<'v>(
    sides: &'v [Node; 2],
    run: &'v Run<'v>,
    scope: Scope<'v>,
    holds: impl Fn(&str, &str) -> bool,
) -> Cow<'v, Value> {
    let [text, end] = sides;
    match (&*text.eval(run, scope), &*end.eval(run, scope)) {
        (Value::Text(text), Value::Text(end)) => truth(holds(text, end)),
        (
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Object(_),
            _,
        ) => null(),
    }
}

impl VersionTest {
    fn eval<'v>(&'v self, run: &'v Run<'v>, scope: Scope<'v>) -> Option<bool> {
        let how = match &self.how {
            How::Known(how) => *how,
            How::Computed(how) => Comparison::of(&coerce::text(&how.eval(run, scope)))?,
        };
        let one = self.one.eval(run, scope);
        let one = semver::text_of(&one)?;
        let one = Version::parse(&one)?;
        match &self.other {
            Other::Known(other) => Some(how.holds(one, other.version())),
            Other::Computed(other) => {
                let other = other.eval(run, scope);
                Some(how.holds(one, Version::parse(&semver::text_of(&other)?)?))
            }
        }
    }
}
