//! `fractional`: users fall into buckets by a hash, and buckets belong to variants by weight.
//!
//! Two algorithms, chosen per set of flags: every change of the hash moves every user. Both take
//! MurmurHash3 x86-32 of a key, and the bucket `(hash · total) >> 32`. In `v2` (flagd since
//! 2026-03) the key is the UTF-8 text, by default flag key and targeting key joined. In `v3`
//! (flagd's evaluation engines since 2026-10) it is the deterministic CBOR of any value, by default
//! of the array of flag key and targeting key.

use std::borrow::Cow;

use super::node::Node;
use super::run::{Run, Scope};
use crate::cbor;
use crate::coerce;
use crate::hash::{Murmur3, bucket};
use crate::number::Number;
use crate::value::Value;

/// How users are put into buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Bucketing {
    /// The text's bytes are hashed.
    V2,
    /// The value's deterministic CBOR is hashed.
    #[default]
    V3,
}

impl Bucketing {
    /// Its name in a document: `v2` or `v3`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Bucketing::V2 => "v2",
            Bucketing::V3 => "v3",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Bucketing> {
        [Bucketing::V2, Bucketing::V3].into_iter().find(|known| known.name() == name)
    }
}

/// The most that all weights may be together: 2^31 - 1.
pub(super) const MOST: u32 = i32::MAX as u32;

/// A compiled `fractional`.
#[derive(Debug)]
pub(crate) struct Fractional {
    pub(super) bucketing: Bucketing,
    /// The hash of what stands before the targeting key in the default bucketing value.
    pub(super) prefix: Murmur3,
    /// The bucketing value; the default one if there is none.
    pub(super) by: Option<Node>,
    pub(super) buckets: Buckets,
}

#[derive(Debug)]
pub(super) enum Buckets {
    /// Every weight stands in the document: where each bucket ends.
    Fixed {
        total: u32,
        ends: Box<[u32]>,
        variants: Box<[Node]>,
    },
    Computed(Box<[Entry]>),
}

#[derive(Debug)]
pub(super) enum Entry {
    Pair(Node, Weight),
    /// A list that is computed.
    Value(Node),
}

#[derive(Debug)]
pub(super) enum Weight {
    Fixed(u32),
    Computed(Node),
}

/// The hash of what stands before the targeting key where a rule names no bucketing value.
pub(super) fn prefix(bucketing: Bucketing, flag_key: &str) -> Murmur3 {
    let mut hash = Murmur3::default();
    match bucketing {
        Bucketing::V2 => hash.feed(flag_key.as_bytes()),
        Bucketing::V3 => {
            cbor::put_array_head(2, &mut hash);
            cbor::put_text(flag_key, &mut hash);
        }
    }
    hash
}

impl Fractional {
    pub(super) fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    #[inline]
    pub(crate) fn eval<'v>(&'v self, run: &'v Run<'v>, scope: Scope<'v>) -> Cow<'v, Value> {
        self.decide(run, scope).unwrap_or_default()
    }

    /// The variant; `None` where no user or no weight is known.
    #[inline]
    fn decide<'v>(&'v self, run: &'v Run<'v>, scope: Scope<'v>) -> Option<Cow<'v, Value>> {
        let mut first = None;
        let hash = match &self.by {
            None => self.hash_of_user(run)?,
            Some(Node::Cat(parts)) if parts.len() <= FEW && self.bucketing == Bucketing::V3 => {
                hash_of_parts(parts, run, scope)?
            }
            Some(by) => {
                let value = by.eval(run, scope);
                match &*value {
                    // A list is no bucketing value but a bucket.
                    Value::List(_) => {
                        first = Some(value);
                        self.hash_of_user(run)?
                    }
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::Text(_)
                    | Value::Object(_) => self.hash_of(&value, run)?,
                }
            }
        };
        match (&self.buckets, first) {
            (Buckets::Fixed { total, ends, variants }, None) => {
                let bucket = bucket(hash, *total);
                let at = ends.iter().position(|end| bucket < *end)?;
                run.note(|| told(hash, bucket, *total, at));
                Some(variants.get(at)?.eval(run, scope))
            }
            (buckets, first) => computed(first, buckets, hash, run, scope),
        }
    }

    #[inline]
    fn hash_of_user(&self, run: &Run<'_>) -> Option<u32> {
        let user = run.context.targeting_key()?;
        let mut hash = self.prefix;
        match self.bucketing {
            Bucketing::V2 => hash.feed(user.as_bytes()),
            Bucketing::V3 => cbor::put_text(user, &mut hash),
        }
        Some(hash.finish())
    }

    fn hash_of(&self, value: &Value, run: &Run<'_>) -> Option<u32> {
        let mut hash = Murmur3::default();
        match (self.bucketing, value) {
            (_, Value::Null) => return None,
            (Bucketing::V2, Value::Text(text)) => hash.feed(text.as_bytes()),
            (Bucketing::V2, _) => return None,
            (Bucketing::V3, Value::Text(text)) => cbor::put_text(text, &mut hash),
            (
                Bucketing::V3,
                Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Object(_),
            ) => {
                if !run.spend(value.weight()) {
                    return None;
                }
                cbor::put_value(value, &mut hash);
            }
        }
        Some(hash.finish())
    }
}

/// How many parts of a `cat` are hashed without putting the text together.
const FEW: usize = 4;

/// The hash of a short `cat`.
fn hash_of_parts<'v>(parts: &'v [Node], run: &'v Run<'v>, scope: Scope<'v>) -> Option<u32> {
    let values = |at: usize| parts.get(at).map(|part| part_of_text(part, run, scope));
    let parts: [Option<Part<'v>>; FEW] = std::array::from_fn(values);
    let length = parts.iter().flatten().map(Part::len).sum::<usize>();
    if !run.spend(u32::try_from(length / 16).unwrap_or(u32::MAX).saturating_add(1)) {
        return None;
    }
    let mut hash = Murmur3::default();
    cbor::put_text_head(length, &mut hash);
    parts.iter().flatten().for_each(|part| hash.feed(part.as_bytes()));
    Some(hash.finish())
}

/// A part of a text: borrowed wherever it can be.
enum Part<'v> {
    Text(&'v str),
    Value(Cow<'v, Value>),
    Made(String),
}

impl Part<'_> {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Part::Text(text) => text.as_bytes(),
            Part::Value(value) => match &**value {
                Value::Text(text) => text.as_bytes(),
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::List(_)
                | Value::Object(_) => &[],
            },
            Part::Made(text) => text.as_bytes(),
        }
    }

    fn len(&self) -> usize {
        self.as_bytes().len()
    }
}

fn part_of_text<'v>(node: &'v Node, run: &'v Run<'v>, scope: Scope<'v>) -> Part<'v> {
    if let Node::FlagKey = node {
        return Part::Text(run.flag_key);
    }
    let value = node.eval(run, scope);
    match &*value {
        Value::Text(_) | Value::Null => Part::Value(value),
        Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Object(_) => {
            let affordable = run.spend(value.weight());
            Part::Made(if affordable { coerce::text(&value).into_owned() } else { String::new() })
        }
    }
}

fn told(hash: u32, bucket: u32, total: u32, at: usize) -> String {
    format!("hash {hash}, bucket {bucket} of {total}, in entry {}", at + 1)
}

/// Weights that are known only now. All of them count before any bucket is chosen.
fn computed<'v>(
    first: Option<Cow<'v, Value>>,
    buckets: &'v Buckets,
    hash: u32,
    run: &'v Run<'v>,
    scope: Scope<'v>,
) -> Option<Cow<'v, Value>> {
    let mut pairs: Vec<(Variant<'v>, u32)> = vec![];
    if let Some(first) = first {
        pairs.push(pair_of_list(&first)?);
    }
    match buckets {
        Buckets::Fixed { ends, variants, .. } => {
            let starts = std::iter::once(&0).chain(ends.iter());
            let weights = starts.zip(ends.iter()).map(|(start, end)| end - start);
            pairs.extend(variants.iter().map(Variant::Node).zip(weights));
        }
        Buckets::Computed(entries) => {
            for entry in entries {
                pairs.push(match entry {
                    Entry::Pair(variant, Weight::Fixed(weight)) => {
                        (Variant::Node(variant), *weight)
                    }
                    Entry::Pair(variant, Weight::Computed(weight)) => {
                        (Variant::Node(variant), weight_of(&weight.eval(run, scope))?)
                    }
                    Entry::Value(list) => pair_of_list(&list.eval(run, scope))?,
                });
            }
        }
    }
    let total: u64 = pairs.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let total = u32::try_from(total).ok().filter(|total| (1..=MOST).contains(total))?;
    let bucket = bucket(hash, total);
    let mut end = 0;
    let at = pairs.iter().position(|(_, weight)| {
        end += weight;
        bucket < end
    })?;
    run.note(|| told(hash, bucket, total, at));
    Some(match pairs.swap_remove(at).0 {
        Variant::Node(node) => node.eval(run, scope),
        Variant::Value(value) => Cow::Owned(value),
    })
}

enum Variant<'v> {
    Node(&'v Node),
    Value(Value),
}

/// Variant and weight of a list that is computed.
fn pair_of_list<'v>(value: &Value) -> Option<(Variant<'v>, u32)> {
    let Value::List(list) = value else { return None };
    match list.items() {
        [variant] => Some((Variant::Value(variant.clone()), 1)),
        [variant, weight] => Some((Variant::Value(variant.clone()), weight_of(weight)?)),
        _ => None,
    }
}

/// A weight: a whole number, negative ones are 0.
pub(super) fn weight_of(value: &Value) -> Option<u32> {
    let Value::Number(number) = value else { return None };
    let whole = Number::whole(*number)?.max(0);
    u32::try_from(whole).ok().filter(|weight| *weight <= MOST)
}
