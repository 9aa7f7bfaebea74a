//! `cat`, `substr` and `in`.

use super::node::Node;
use super::run::{Run, Scope};
use crate::coerce;
use crate::value::Value;

/// All parts as one text; null adds nothing, as in the reference implementation.
pub(super) fn cat<'v>(parts: &'v [Node], run: &'v Run<'v>, scope: Scope<'v>) -> Value {
    let mut joined = String::new();
    for part in parts {
        if let Node::FlagKey = part {
            joined.push_str(run.flag_key);
            continue;
        }
        let value = part.eval(run, scope);
        match &*value {
            Value::Text(text) => joined.push_str(text),
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Object(_) => {
                if !run.spend(value.weight()) {
                    return Value::Null;
                }
                joined.push_str(&coerce::text(&value));
            }
        }
    }
    run.text(&joined)
}

/// Part of a text: from where, and how many characters; negative ones count from the end. The
/// third argument may be missing, which is null.
pub(super) fn substr<'v>(parts: &'v [Node; 3], run: &'v Run<'v>, scope: Scope<'v>) -> Value {
    let [text, from, length] = parts;
    let text = text.eval(run, scope);
    if !run.spend(text.weight()) {
        return Value::Null;
    }
    let text = coerce::text(&text);
    let characters = text.chars().count();
    let from = place(coerce::number(&from.eval(run, scope)).as_f64(), characters);
    let length = match &*length.eval(run, scope) {
        Value::Null => characters - from,
        value @ (Value::Bool(_)
        | Value::Number(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Object(_)) => match coerce::number(value).as_f64() {
            length if length < 0.0 => (characters - from).saturating_sub(whole(-length)),
            length => whole(length),
        },
    };
    let part: String = text.chars().skip(from).take(length).collect();
    run.text(&part)
}

/// Where a text of this many characters is cut.
fn place(from: f64, characters: usize) -> usize {
    match from < 0.0 {
        true => characters.saturating_sub(whole(-from)),
        false => whole(from).min(characters),
    }
}

/// The whole part of a number that is not negative; NaN is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts from floats saturate, and NaN becomes 0"
)]
fn whole(number: f64) -> usize {
    number as usize
}

/// Is a value an item of a list, or a text part of a text?
pub(super) fn is_in(needle: &Value, hay: &Value, run: &Run<'_>) -> bool {
    if !run.spend(hay.weight()) {
        return false;
    }
    match hay {
        Value::List(list) => list.items().iter().any(|item| coerce::same(needle, item)),
        Value::Text(text) => run.spend(needle.weight()) && text.contains(&*coerce::text(needle)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}
