//! How a rule deals users out, as far as its text tells.

use super::fractional::Buckets;
use super::node::Node;
use crate::value::Value;

/// The one `fractional` at the ends of a rule.
#[derive(Debug, Default)]
pub(crate) struct Dealt {
    /// What is named and its weight; `None` says nothing, so that the default variant is taken.
    pub(crate) entries: Vec<(Option<String>, u32)>,
    /// Does the rule name variants for some users without it?
    pub(crate) picks: bool,
}

/// The users' shares; `None` if the rule deals nobody out, more than once, or by weights that are
/// not in its text.
pub(crate) fn dealt(node: &Node) -> Option<Dealt> {
    let mut dealt = Dealt::default();
    let is_plain = collect(node, &mut dealt);
    (is_plain && !dealt.entries.is_empty()).then_some(dealt)
}

/// False if the ends are of any other kind.
fn collect(node: &Node, dealt: &mut Dealt) -> bool {
    match node {
        Node::Const(value) => {
            dealt.picks |= !matches!(value, Value::Null);
            true
        }
        Node::If(parts) => {
            let (pairs, rest) = parts.as_chunks::<2>();
            pairs.iter().map(|[_, end]| end).chain(rest).all(|end| collect(end, dealt))
        }
        Node::Fractional(fractional) if dealt.entries.is_empty() => match fractional.buckets() {
            Buckets::Fixed { ends, variants, .. } => {
                let starts = std::iter::once(&0).chain(ends.iter());
                let weights = starts.zip(ends.iter()).map(|(start, end)| end - start);
                for (variant, weight) in variants.iter().zip(weights) {
                    match variant {
                        Node::Const(value) => dealt.entries.push((name(value), weight)),
                        _ => return false,
                    }
                }
                true
            }
            Buckets::Computed(_) => false,
        },
        _ => false,
    }
}

fn name(value: &Value) -> Option<String> {
    match value {
        Value::Text(name) => Some(name.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::List(_) | Value::Object(_) => None,
    }
}
