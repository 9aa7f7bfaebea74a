//! Calls of `fractional`: what can be known of weights and bucketing value in advance.

use super::call::Call;
use super::compile::{Compiler, Invalid};
use super::fractional::{Buckets, Entry, Fractional, MOST, Weight, prefix, weight_of};
use super::node::Node;
use crate::problem::Rule;
use crate::source::{Kind, Node as Tree};
use crate::value::Value;

impl Call<'_> {
    pub(super) fn fractional(&self, compiler: &mut Compiler<'_>) -> Result<Node, Invalid> {
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
