//! Values of contexts and rules: JSON, shared rather than copied, and bounded in depth and weight.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::number::Number;

/// No value is nested deeper: everything that walks a value may recurse.
pub(crate) const DEEPEST: u16 = 192;
/// No value has more parts, counting shared ones as often as they appear; 16 bytes of text are one.
pub(crate) const HEAVIEST: u32 = 1 << 20;

/// A JSON value.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// `null`, and whatever is missing.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(Arc<str>),
    /// An array.
    List(Arc<List>),
    /// An object.
    Object(Arc<Object>),
}

/// The items of an array.
#[derive(Debug)]
pub struct List {
    items: Vec<Value>,
    depth: u16,
    weight: u32,
}

/// The entries of an object, ordered by length of the key, then by its bytes: that is the order of
/// deterministic CBOR (RFC 8949 §4.2.1).
#[derive(Debug, Clone, Default)]
pub struct Object {
    entries: Vec<(Box<str>, Value)>,
    depth: u16,
    weight: u32,
}

impl Value {
    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Value {
        Value::Text(Arc::from(text))
    }

    /// A list, unless it would be too deep or too heavy.
    pub(crate) fn list(items: Vec<Value>) -> Option<Value> {
        let (depth, weight) = measure(items.iter())?;
        Some(Value::List(Arc::new(List { items, depth, weight })))
    }

    /// What it costs to walk it.
    pub(crate) fn weight(&self) -> u32 {
        match self {
            Value::Null | Value::Bool(_) | Value::Number(_) => 1,
            Value::Text(text) => 1 + u32::try_from(text.len() / 16).unwrap_or(HEAVIEST),
            Value::List(list) => list.weight,
            Value::Object(object) => object.weight,
        }
    }

    fn depth(&self) -> u16 {
        match self {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => 0,
            Value::List(list) => list.depth,
            Value::Object(object) => object.depth,
        }
    }
}

/// Depth and weight of what has these parts, if that is not too much.
fn measure<'a>(parts: impl Iterator<Item = &'a Value>) -> Option<(u16, u32)> {
    let (mut depth, mut weight) = (0, 1_u32);
    for part in parts {
        depth = depth.max(part.depth());
        weight = weight.saturating_add(part.weight());
    }
    (depth < DEEPEST && weight <= HEAVIEST).then_some((depth + 1, weight))
}

impl List {
    /// Its items.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        &self.items
    }
}

impl Object {
    /// An object of these entries; the last one of a key counts. `None` if it is too deep or heavy.
    pub(crate) fn new(mut entries: Vec<(Box<str>, Value)>) -> Option<Object> {
        // A stable sort of the reversed entries puts the last one of a key first.
        entries.reverse();
        entries.sort_by(|(one, _), (other, _)| order(one, other));
        entries.dedup_by(|(later, _), (first, _)| later == first);
        let (depth, weight) = measure(entries.iter().map(|(_, value)| value))?;
        let keys = entries.iter().map(|(key, _)| key.len() / 16).sum::<usize>();
        let weight = weight.saturating_add(u32::try_from(keys).unwrap_or(HEAVIEST));
        (weight <= HEAVIEST).then_some(Object { entries, depth, weight })
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        const FEW: usize = 12;
        if self.entries.len() <= FEW {
            return self.entries.iter().find(|(known, _)| **known == *key).map(|(_, value)| value);
        }
        let at = self.entries.binary_search_by(|(known, _)| order(known, key)).ok()?;
        self.entries.get(at).map(|(_, value)| value)
    }

    /// All entries, in the order of deterministic CBOR.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (&**key, value))
    }
}

fn order(one: &str, other: &str) -> std::cmp::Ordering {
    one.len().cmp(&other.len()).then_with(|| one.as_bytes().cmp(other.as_bytes()))
}

/// As JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Number(number) if number.is_finite() => write!(f, "{number}"),
            Value::Number(_) => f.write_str("null"),
            Value::Text(text) => f.write_str(&quoted(text)),
            Value::List(list) => {
                f.write_str("[")?;
                for (at, item) in list.items.iter().enumerate() {
                    write!(f, "{}{item}", if at == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Value::Object(object) => {
                f.write_str("{")?;
                for (at, (key, value)) in object.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{value}", quoted(key))?;
                }
                f.write_str("}")
            }
        }
    }
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    // Writing a text to memory does not fail.
    serde_json::to_string(text).unwrap_or_default()
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

const TOO_MUCH: &str = "this value is nested too deep or has too many parts";

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }
    fn visit_i64<E>(self, whole: i64) -> Result<Value, E> {
        Ok(Value::Number(Number::Int(whole)))
    }
    fn visit_u64<E>(self, whole: u64) -> Result<Value, E> {
        Ok(Value::Number(whole.into()))
    }
    fn visit_f64<E>(self, float: f64) -> Result<Value, E> {
        Ok(Value::Number(Number::Float(float)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = vec![];
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Value::list(items).ok_or_else(|| A::Error::custom(TOO_MUCH))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = vec![];
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        let object = Object::new(entries).ok_or_else(|| A::Error::custom(TOO_MUCH))?;
        Ok(Value::Object(Arc::new(object)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_counts_and_lookups_find_all() {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(read(r#"{"bb":1,"a":2,"bb":3}"#).to_string(), r#"{"a":2,"bb":3}"#);
        let many: Vec<_> = (0..100).map(|n| (format!("k{n}").into(), Value::Bool(true))).collect();
        let object = Object::new(many).unwrap();
        assert!((0..100).all(|n| object.get(&format!("k{n}")).is_some()));
        assert!(object.get("k100").is_none());
    }

    #[test]
    fn shared_parts_weigh_as_often_as_they_appear() {
        let mut value = Value::text("x");
        for _ in 0..64 {
            match Value::list(vec![value.clone(), value.clone()]) {
                Some(heavier) => value = heavier,
                None => return assert!(value.weight() > HEAVIEST / 3),
            }
        }
        panic!("2^64 texts are not too heavy");
    }

    #[test]
    fn depth_ends_somewhere() {
        let mut value = Value::Null;
        let mut depth = 0;
        while let Some(deeper) = Value::list(vec![value.clone()]) {
            value = deeper;
            depth += 1;
        }
        assert_eq!(depth, DEEPEST);
    }
}
