//! From a tree to typed values, with every problem told and not only the first one.
//!
//! Serde ends at the first error. So a value that cannot be read is told, marked as broken and left
//! out, and the whole is read again, until nothing new is wrong.

use serde::de::value::StrDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::problem::{is_like, meant, short};
use super::required::required;
use super::told::{Told, Wrong};
use super::tree::{Entry, Kind, Node, Scalar, Sense};

/// Far more than are told; ends the reading of a file that holds nothing but mistakes.
const ROUNDS: usize = 200;

/// Keys that will have a meaning, and have none in this build.
const RESERVED: [&str; 7] =
    ["tls", "limits", "access-log", "trusted-hops", "notice", "notify", "hosts"];

/// Reads a value from a tree. `None` if a key that it needs is missing or broken.
pub(super) fn read<'a, T: Deserialize<'a>>(root: &'a Node, told: &'a Told<'_>) -> Option<T> {
    for _ in 0..ROUNDS {
        let before = told.left_out();
        match T::deserialize(Reader { node: root, root: true, told }) {
            Ok(value) => return Some(value),
            Err(wrong) => told.blame(root, wrong),
        };
        if told.left_out() == before {
            return None;
        }
    }
    None
}

fn expected(what: &str) -> Wrong {
    Wrong::Because(format!("expected {what}"), None)
}

/// One value of the tree.
struct Reader<'a> {
    node: &'a Node,
    /// Is it the whole file?
    root: bool,
    told: &'a Told<'a>,
}

impl<'a> Reader<'a> {
    fn scalar(&self) -> Option<&'a Scalar> {
        match &self.node.kind {
            Kind::Scalar(scalar) if scalar.sense != Sense::Nothing => Some(scalar),
            Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Something else than what is here was expected.
    fn expected(&self, what: &str, help: Option<String>) -> Wrong {
        let nothing = if self.node.is_nothing() { ", and there is nothing" } else { "" };
        Wrong::Because(format!("expected {what}{nothing}"), help)
    }

    /// A number that fits into its type; `range` says which do.
    fn number<N: TryFrom<i128>>(&self, range: &str) -> Result<N, Wrong> {
        let whole = |scalar: &Scalar| match scalar.sense {
            Sense::Whole(number) => Some(number),
            // A number in quotes is one.
            Sense::Text => scalar.text.parse().ok(),
            Sense::Nothing | Sense::Truth(_) | Sense::Fraction => None,
        };
        let number = self.scalar().and_then(whole);
        let number = number.ok_or_else(|| self.expected("a whole number", None))?;
        let range = format!("a whole number {range}");
        N::try_from(number).map_err(|_| self.expected(&range, None))
    }

    fn entries(&self) -> Result<&'a [Entry], Wrong> {
        match &self.node.kind {
            Kind::Map(entries) => Ok(entries),
            // A file with nothing in it lacks its keys.
            Kind::Scalar(_) if self.root && self.node.is_nothing() => Ok(&[]),
            Kind::Scalar(_) | Kind::List(_) => Err(self
                .expected("keys with values", Some("write it like `{ key: value }`".to_owned()))),
        }
    }

    /// Tells which keys a map has that it must not have, and which it has not.
    fn look_at_keys(&self, name: &str, entries: &[Entry], fields: &'static [&'static str]) {
        for Entry { key, place, value } in entries {
            if fields.contains(&key.as_str()) || value.broken.get() {
                continue;
            }
            self.told.leave_out(value);
            if self.root && RESERVED.contains(&key.as_str()) {
                let help = "remove it: this build has nothing behind it".to_owned();
                let message = format!("`{key}` is reserved for a later version");
                self.told.tell(Some(*place), message, Some(help));
            } else {
                let message = format!("unknown key `{}`", short(key));
                self.told.tell(Some(*place), message, meant(key, fields));
            }
        }
        for (key, meaning) in required(name) {
            // One that is there under a mistyped name has been told.
            let there = |entry: &Entry| {
                entry.key == *key
                    || !fields.contains(&entry.key.as_str()) && is_like(&entry.key, key)
            };
            if !entries.iter().any(there) {
                let message = format!("the key `{key}` is missing");
                let help = format!("add `{key}`: {meaning}");
                self.told.tell(Some(self.node.place), message, Some(help));
            }
        }
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.node.kind {
            Kind::List(_) => self.deserialize_seq(visitor),
            Kind::Map(_) => self.deserialize_map(visitor),
            Kind::Scalar(scalar) => match scalar.sense {
                Sense::Nothing => visitor.visit_unit(),
                Sense::Truth(truth) => visitor.visit_bool(truth),
                Sense::Whole(number) => visitor.visit_i128(number),
                Sense::Fraction | Sense::Text => visitor.visit_str(&scalar.text),
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.scalar().map(|scalar| (scalar.sense, scalar.text.as_str())) {
            Some((Sense::Truth(truth), _)) => visitor.visit_bool(truth),
            Some((Sense::Text, "true")) => visitor.visit_bool(true),
            Some((Sense::Text, "false")) => visitor.visit_bool(false),
            Some(_) | None => Err(self.expected("true or false", None)),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_u32(self.number(&format!("from 0 to {}", u32::MAX))?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_u64(self.number("from 0 on")?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        // In decimal: YAML has 0x10 for whole numbers only.
        let number = |scalar: &Scalar| match scalar.sense {
            Sense::Whole(_) | Sense::Fraction | Sense::Text => scalar.text.parse().ok(),
            Sense::Nothing | Sense::Truth(_) => None,
        };
        let finite = self.scalar().and_then(number).filter(|number: &f64| number.is_finite());
        visitor.visit_f64(finite.ok_or_else(|| self.expected("a number", None))?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.scalar() {
            Some(scalar) => visitor.visit_str(&scalar.text).map_err(|wrong| worded(wrong, scalar)),
            None => Err(self.expected("a text", None)),
        }
    }
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if self.node.is_nothing() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.node.kind {
            Kind::List(items) => visitor.visit_seq(Items { items: items.iter(), told: self.told }),
            Kind::Scalar(_) | Kind::Map(_) => {
                Err(self.expected("a list", Some("write it like `[one, two]`".to_owned())))
            }
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let entries = self.entries()?;
        visitor.visit_map(Pairs { entries: entries.iter(), value: None, told: self.told })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.look_at_keys(name, self.entries()?, fields);
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let one_of = || self.expected("a name", Some(format!("one of {}", variants.join(", "))));
        let given = &self.scalar().ok_or_else(one_of)?.text;
        if !variants.contains(&given.as_str()) {
            let message = format!("unknown value `{}`", short(given));
            return Err(Wrong::Because(message, meant(given, variants)));
        }
        visitor.visit_enum(Name(given))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 char bytes byte_buf unit unit_struct tuple
        tuple_struct identifier ignored_any
    }
}

/// What the standard library says of an address, in words that help.
fn worded(wrong: Wrong, scalar: &Scalar) -> Wrong {
    match wrong {
        Wrong::Because(message, _) if message.contains("socket address") => Wrong::Because(
            format!("{:?} is not an address with a port", short(&scalar.text)),
            Some("write it like 127.0.0.1:8080".to_owned()),
        ),
        wrong => wrong,
    }
}

/// What is not broken of a list.
struct Items<'a> {
    items: std::slice::Iter<'a, Node>,
    told: &'a Told<'a>,
}

impl<'a> SeqAccess<'a> for Items<'a> {
    type Error = Wrong;
    fn next_element_seed<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Wrong> {
        let Some(node) = self.items.find(|node| !node.broken.get()) else { return Ok(None) };
        let value = seed.deserialize(Reader { node, root: false, told: self.told });
        value.map(Some).map_err(|wrong| self.told.blame(node, wrong))
    }
}

/// What is not broken of a map.
struct Pairs<'a> {
    entries: std::slice::Iter<'a, Entry>,
    value: Option<&'a Node>,
    told: &'a Told<'a>,
}

impl<'a> MapAccess<'a> for Pairs<'a> {
    type Error = Wrong;
    fn next_key_seed<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Wrong> {
        let Some(entry) = self.entries.find(|entry| !entry.value.broken.get()) else {
            return Ok(None);
        };
        self.value = Some(&entry.value);
        let key: StrDeserializer<'a, Wrong> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|wrong| self.told.blame(&entry.value, wrong))
    }
    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Wrong> {
        let node = self.value.take().ok_or(Wrong::Told)?;
        let value = seed.deserialize(Reader { node, root: false, told: self.told });
        value.map_err(|wrong| self.told.blame(node, wrong))
    }
}

/// The name of a variant. No value in a spec is a variant with more than a name.
struct Name<'a>(&'a str);

impl<'a> EnumAccess<'a> for Name<'a> {
    type Error = Wrong;
    type Variant = Bare;
    fn variant_seed<S: DeserializeSeed<'a>>(self, seed: S) -> Result<(S::Value, Bare), Wrong> {
        let name: StrDeserializer<'a, Wrong> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, Bare))
    }
}

struct Bare;

impl<'a> VariantAccess<'a> for Bare {
    type Error = Wrong;
    fn unit_variant(self) -> Result<(), Wrong> {
        Ok(())
    }
    fn newtype_variant_seed<S: DeserializeSeed<'a>>(self, _: S) -> Result<S::Value, Wrong> {
        Err(expected("a name"))
    }
    fn tuple_variant<V: Visitor<'a>>(self, _: usize, _: V) -> Result<V::Value, Wrong> {
        Err(expected("a name"))
    }
    fn struct_variant<V: Visitor<'a>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Wrong> {
        Err(expected("a name"))
    }
}
