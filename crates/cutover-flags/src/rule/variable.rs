//! `var`, `missing` and `missing_some`.

use std::borrow::Cow;

use super::node::Node;
use super::run::{Run, Scope};
use crate::coerce;
use crate::context::INJECTED;
use crate::value::{Object, Value};

/// One step of a path: a key of an object, or the index of a list.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) key: Box<str>,
    index: Option<usize>,
}

impl Segment {
    pub(crate) fn path(path: &str) -> Box<[Segment]> {
        path.split('.').map(|key| Segment { key: key.into(), index: index(key) }).collect()
    }
}

/// The index that a key means, if it is written as one: `1`, yet not `01`.
fn index(key: &str) -> Option<usize> {
    let plain = key == "0" || !key.starts_with(['0', '+']);
    plain.then(|| key.parse().ok()).flatten()
}

fn part<'v>(value: &'v Value, key: &str, index: Option<usize>) -> Option<&'v Value> {
    match value {
        Value::Object(object) => object.get(key),
        Value::List(list) => list.items().get(index?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => None,
    }
}

/// The value at a path; null is as good as missing.
#[inline]
pub(super) fn look_up<'v>(
    run: &'v Run<'v>,
    scope: Scope<'v>,
    path: &[Segment],
) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    let mut value = match scope {
        Scope::Root => run.context.attributes().get(&first.key)?,
        Scope::Item(item) => part(item, &first.key, first.index)?,
        Scope::Fold(current, accumulator) => match &*first.key {
            "current" => current,
            "accumulator" => accumulator,
            _ => return None,
        },
    };
    for segment in rest {
        value = part(value, &segment.key, segment.index)?;
    }
    (!matches!(value, Value::Null)).then_some(value)
}

/// The value at a path that is known only now.
pub(super) fn ask<'v>(run: &'v Run<'v>, scope: Scope<'v>, path: &str) -> Option<Cow<'v, Value>> {
    if path.is_empty() {
        return Some(whole(run, scope));
    }
    if matches!(scope, Scope::Root) && path.split('.').next() == Some(INJECTED) {
        return injected(run, path.split_once('.').map(|(_, rest)| rest)).map(Cow::Owned);
    }
    if !run.spend(1 + u32::try_from(path.len() / 16).unwrap_or(u32::MAX)) {
        return None;
    }
    look_up(run, scope, &Segment::path(path)).map(Cow::Borrowed)
}

/// What the evaluator adds to the context: all of it, or one part.
fn injected(run: &Run<'_>, key: Option<&str>) -> Option<Value> {
    let flag_key = || Value::text(run.flag_key);
    let timestamp = || Value::Number(crate::number::Number::Int(run.now));
    match key {
        Some("flagKey") => Some(flag_key()),
        Some("timestamp") => Some(timestamp()),
        Some(_) => None,
        None => {
            let entries = vec![("flagKey".into(), flag_key()), ("timestamp".into(), timestamp())];
            Object::new(entries).map(|object| Value::Object(object.into()))
        }
    }
}

/// All that is in scope.
pub(super) fn whole<'v>(run: &'v Run<'v>, scope: Scope<'v>) -> Cow<'v, Value> {
    let entries = match scope {
        Scope::Item(item) => return Cow::Borrowed(item),
        Scope::Root => {
            let known = run.context.attributes();
            let mut entries: Vec<(Box<str>, Value)> =
                known.iter().map(|(key, value)| (key.into(), value.clone())).collect();
            entries.push((INJECTED.into(), injected(run, None).unwrap_or_default()));
            entries
        }
        Scope::Fold(current, accumulator) => {
            vec![("current".into(), current.clone()), ("accumulator".into(), accumulator.clone())]
        }
    };
    let room = run.spend(1 + u32::try_from(entries.len()).unwrap_or(u32::MAX));
    match Object::new(entries).filter(|_| room) {
        Some(object) => Cow::Owned(Value::Object(object.into())),
        None => {
            run.exhaust();
            Cow::Owned(Value::Null)
        }
    }
}

/// The keys among these that are missing, null or an empty text.
pub(super) fn missing<'v>(run: &'v Run<'v>, scope: Scope<'v>, keys: &[Value]) -> Vec<Value> {
    let is_missing = |key: &&Value| match ask(run, scope, &coerce::text(key)) {
        Some(value) => match &*value {
            Value::Null => true,
            Value::Text(text) => text.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Object(_) => false,
        },
        None => true,
    };
    keys.iter().take_while(|_| run.spend(1)).filter(is_missing).cloned().collect()
}

/// The keys that `missing` was called with: a list as first argument, or all arguments.
pub(super) fn keys<'v>(run: &'v Run<'v>, scope: Scope<'v>, arguments: &'v [Node]) -> Vec<Value> {
    let mut keys = vec![];
    for (at, argument) in arguments.iter().enumerate() {
        let value = argument.eval(run, scope);
        match &*value {
            Value::List(list) if at == 0 => {
                run.spend(u32::try_from(list.items().len()).unwrap_or(u32::MAX));
                return list.items().to_vec();
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Object(_) => keys.push(value.into_owned()),
        }
    }
    keys
}
