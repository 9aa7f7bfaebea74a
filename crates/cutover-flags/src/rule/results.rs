//! What a rule can say, as far as its text tells.

use std::collections::BTreeSet;

use super::fractional::{Buckets, Entry};
use super::node::Node;
use crate::value::Value;

/// The results that a rule can have.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Results {
    /// Variants that are named.
    pub(crate) named: BTreeSet<String>,
    /// Can it say nothing, so that the default variant is taken?
    pub(crate) null: bool,
    /// Can it say things that only an evaluation tells?
    pub(crate) open: bool,
}

/// What a rule can say.
pub(crate) fn results(node: &Node) -> Results {
    let mut results = Results::default();
    collect(node, &mut results);
    results
}

fn collect(node: &Node, results: &mut Results) {
    match node {
        Node::Const(value) => constant(value, results),
        Node::If(parts) => {
            let (pairs, rest) = parts.as_chunks::<2>();
            pairs.iter().for_each(|[_, value]| collect(value, results));
            match rest {
                [last] => collect(last, results),
                _ => results.null = true,
            }
        }
        Node::Fractional(fractional) => {
            // Without a user, and with weights that sink to nothing, it says nothing.
            results.null = true;
            match fractional.buckets() {
                Buckets::Fixed { variants, ends, .. } => {
                    let starts = std::iter::once(&0).chain(ends.iter());
                    for ((variant, end), start) in variants.iter().zip(ends.iter()).zip(starts) {
                        if end > start {
                            collect(variant, results);
                        }
                    }
                }
                Buckets::Computed(entries) => {
                    for entry in entries {
                        match entry {
                            Entry::Pair(variant, _) => collect(variant, results),
                            Entry::Value(_) => results.open = true,
                        }
                    }
                }
            }
        }
        Node::Equal { .. }
        | Node::Ordered(..)
        | Node::Not(_)
        | Node::Truth(_)
        | Node::In(_)
        | Node::Among(..) => both(results),
        Node::StartsWith(_) | Node::EndsWith(_) | Node::Version(_) => {
            both(results);
            results.null = true;
        }
        Node::Marked(_, node) => collect(node, results),
        _ => {
            results.open = true;
            results.null = true;
        }
    }
}

fn both(results: &mut Results) {
    results.named.extend(["true".to_owned(), "false".to_owned()]);
}

fn constant(value: &Value, results: &mut Results) {
    match value {
        Value::Null => results.null = true,
        Value::Bool(truth) => {
            results.named.insert(truth.to_string());
        }
        Value::Number(number) => {
            results.named.insert(number.to_string());
        }
        Value::Text(text) => {
            results.named.insert(text.to_string());
        }
        // An error when it happens.
        Value::List(_) | Value::Object(_) => results.open = true,
    }
}
