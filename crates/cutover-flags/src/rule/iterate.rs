//! `map`, `filter`, `all`, `some`, `none`, `reduce` and `merge`.

use std::borrow::Cow;

use super::node::{Each, Iteration, Node};
use super::run::{Run, Scope};
use crate::value::Value;

fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(list) => list.items(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Object(_) => &[],
    }
}

/// Runs a rule for every item; what is no list has none. `all` of nothing is false.
pub(super) fn each<'v>(
    how: Each,
    iteration: &'v Iteration,
    run: &'v Run<'v>,
    scope: Scope<'v>,
) -> Cow<'v, Value> {
    let over = iteration.over.eval(run, scope);
    let items = items(&over);
    let mut affordable = items.iter().take_while(|_| run.spend(iteration.size));
    let holds = |item: &&Value| iteration.body.is_true(run, Scope::Item(item));
    let value = match how {
        Each::Map => {
            let mapped = |item| iteration.body.eval(run, Scope::Item(item)).into_owned();
            run.list(affordable.map(mapped).collect())
        }
        Each::Filter => run.list(affordable.filter(holds).cloned().collect()),
        Each::All => Value::Bool(!items.is_empty() && affordable.all(|item| holds(&item))),
        Each::Some => Value::Bool(affordable.any(|item| holds(&item))),
        Each::None => Value::Bool(!affordable.any(|item| holds(&item))),
    };
    Cow::Owned(value)
}

/// Runs a rule for every item with what came out so far.
pub(super) fn reduce<'v>(
    iteration: &'v Iteration,
    start: &'v Node,
    run: &'v Run<'v>,
    scope: Scope<'v>,
) -> Cow<'v, Value> {
    let over = iteration.over.eval(run, scope);
    let mut accumulator = start.eval(run, scope).into_owned();
    for item in items(&over) {
        if !run.spend(iteration.size) {
            break;
        }
        let next = iteration.body.eval(run, Scope::Fold(item, &accumulator)).into_owned();
        accumulator = next;
    }
    Cow::Owned(accumulator)
}

/// One list of all items of all lists; what is no list is an item.
pub(super) fn merge<'v>(parts: &'v [Node], run: &'v Run<'v>, scope: Scope<'v>) -> Cow<'v, Value> {
    let mut merged = vec![];
    for part in parts {
        let value = part.eval(run, scope);
        match &*value {
            Value::List(list) => {
                if !run.spend(u32::try_from(list.items().len()).unwrap_or(u32::MAX)) {
                    break;
                }
                merged.extend_from_slice(list.items());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Object(_) => {
                merged.push(value.into_owned());
            }
        }
    }
    Cow::Owned(run.list(merged))
}
