//! Values as other kinds of values, by the rules of JavaScript that JSONLogic took over
//! (<https://jsonlogic.com/truthy.html>, ECMA-262 §7).

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::number::Number;
use crate::value::Value;

/// Does it count as true? An empty list does not, an empty object does.
#[inline]
pub(crate) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => {
            let float = number.as_f64();
            float != 0.0 && !float.is_nan()
        }
        Value::Text(text) => !text.is_empty(),
        Value::List(list) => !list.items().is_empty(),
        Value::Object(_) => true,
    }
}

/// As a number; NaN if it is none.
pub(crate) fn number(value: &Value) -> Number {
    const NAN: Number = Number::Float(f64::NAN);
    match value {
        Value::Null => Number::Int(0),
        Value::Bool(truth) => Number::Int((*truth).into()),
        Value::Number(number) => *number,
        Value::Text(text) => number_of_text(text).unwrap_or(NAN),
        Value::List(list) => match list.items() {
            [] => Number::Int(0),
            [only] => match only {
                Value::Bool(_) | Value::Object(_) => NAN,
                Value::Null | Value::Number(_) | Value::Text(_) | Value::List(_) => number(only),
            },
            _ => NAN,
        },
        Value::Object(_) => NAN,
    }
}

fn number_of_text(text: &str) -> Option<Number> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Number::Int(0));
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Number::Int(whole));
    }
    // Rust reads words such as `inf` and `nan`, which JavaScript does not.
    let plain = |byte: u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    text.bytes().all(plain).then(|| text.parse().ok()).flatten().map(Number::of_f64)
}

/// As text, for `cat`, `in` and `substr`.
pub(crate) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Text(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed("null"),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::List(list) => {
            let mut joined = String::new();
            for (at, item) in list.items().iter().enumerate() {
                if at > 0 {
                    joined.push(',');
                }
                if !matches!(item, Value::Null) {
                    joined.push_str(&text(item));
                }
            }
            Cow::Owned(joined)
        }
        Value::Object(_) => Cow::Borrowed("[object Object]"),
    }
}

/// `===`, except that lists and objects are equal if their parts are.
#[inline]
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Number(one), Value::Number(other)) => one == other,
        (Value::Text(one), Value::Text(other)) => one == other,
        (Value::List(one), Value::List(other)) => {
            let (one, other) = (one.items(), other.items());
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let equal = |((a, one), (b, other)): ((&str, &Value), (&str, &Value))| {
                a == b && same(one, other)
            };
            one.iter().len() == other.iter().len() && one.iter().zip(other.iter()).all(equal)
        }
        (
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Object(_),
            _,
        ) => false,
    }
}

/// `==`: values of different kinds are compared as numbers, lists and objects as their text; null
/// equals null only.
#[inline]
pub(crate) fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Null, _) | (_, Value::Null) => {
            matches!((one, other), (Value::Null, Value::Null))
        }
        (Value::Text(one), Value::Text(other)) => one == other,
        (Value::List(_), Value::List(_)) | (Value::Object(_), Value::Object(_)) => same(one, other),
        (Value::List(_), Value::Object(_)) | (Value::Object(_), Value::List(_)) => false,
        (Value::Text(plain), made @ (Value::List(_) | Value::Object(_)))
        | (made @ (Value::List(_) | Value::Object(_)), Value::Text(plain)) => text(made) == **plain,
        (Value::Bool(_) | Value::Number(_), _) | (_, Value::Bool(_) | Value::Number(_)) => {
            number(one) == number(other)
        }
    }
}

/// The order of two values: of texts by their characters, of everything else as numbers. `None`
/// where one is no number.
#[inline]
pub(crate) fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => Some(one.cmp(other)),
        (Value::Number(Number::Int(one)), Value::Number(Number::Int(other))) => {
            Some(one.cmp(other))
        }
        (
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Object(_),
            _,
        ) => number(one).as_f64().partial_cmp(&number(other).as_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn truth_is_that_of_jsonlogic() {
        for (json, truth) in [
            ("0", false),
            ("1", true),
            ("-0.0", false),
            ("\"\"", false),
            ("\"0\"", true),
            ("[]", false),
            ("[0]", true),
            ("{}", true),
            ("null", false),
            ("false", false),
        ] {
            assert_eq!(is_true(&read(json)), truth, "{json}");
        }
        assert!(!is_true(&Value::Number(Number::Float(f64::NAN))));
    }

    #[test]
    fn numbers_are_those_of_javascript() {
        for (json, float) in [
            ("\"\"", 0.0),
            ("\" 12 \"", 12.0),
            ("\"1e3\"", 1000.0),
            ("\"-.5\"", -0.5),
            ("null", 0.0),
            ("true", 1.0),
            ("[]", 0.0),
            ("[\"5\"]", 5.0),
            ("[[7]]", 7.0),
            ("[null]", 0.0),
        ] {
            assert_eq!(number(&read(json)).as_f64(), float, "{json}");
        }
        for json in ["\"12a\"", "\"inf\"", "\"NaN\"", "[1,2]", "{}", "[true]", "\"-\"", "\"1_0\""] {
            assert!(number(&read(json)).as_f64().is_nan(), "{json}");
        }
    }

    #[test]
    fn loose_equality_is_that_of_javascript() {
        for (one, other, is) in [
            ("1", "\"1\"", true),
            ("1", "1.0", true),
            ("0", "false", true),
            ("\"\"", "0", true),
            ("null", "0", false),
            ("null", "false", false),
            ("null", "null", true),
            ("\"a\"", "[\"a\"]", true),
            ("\"a,b\"", "[\"a\",\"b\"]", true),
            ("[1]", "1", true),
            ("[1,2]", "[1,2]", true),
            ("[1]", "{}", false),
            ("\"true\"", "true", false),
            ("\"[object Object]\"", "{}", true),
            ("\"1\"", "true", true),
            ("\"x\"", "0", false),
        ] {
            assert_eq!(equal(&read(one), &read(other)), is, "{one} == {other}");
            assert_eq!(equal(&read(other), &read(one)), is, "{other} == {one}");
        }
        assert!(!same(&read("1"), &read("\"1\"")) && same(&read("1"), &read("1.0")));
        assert!(same(&read(r#"{"a":[1],"b":2}"#), &read(r#"{"b":2,"a":[1]}"#)));
    }

    #[test]
    fn order_is_by_text_or_by_number() {
        assert_eq!(order(&read("\"10\""), &read("\"9\"")), Some(Ordering::Less));
        assert_eq!(order(&read("\"10\""), &read("9")), Some(Ordering::Greater));
        assert_eq!(order(&read("null"), &read("1")), Some(Ordering::Less));
        assert_eq!(order(&read("\"a\""), &read("1")), None);
    }

    #[test]
    fn text_of_lists_leaves_nulls_out() {
        assert_eq!(text(&read("[1,null,[true,\"x\"],10.0]")), "1,,true,x,10");
    }
}
