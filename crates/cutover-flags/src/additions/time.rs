//! Points in time as documents write them.

use crate::problem::{Rule, shortened};
use crate::rule::Invalid;
use crate::source::{Kind, Node};

/// Seconds since 1970: a whole number, or a time as RFC 3339 writes it.
pub(super) fn seconds(node: &Node) -> Result<i64, Invalid> {
    let read = match &node.kind {
        Kind::Number(literal) => literal.parse().ok(),
        Kind::Text(text) => text.parse::<jiff::Timestamp>().ok().map(|time| time.as_second()),
        Kind::Null | Kind::Bool(_) | Kind::List(_) | Kind::Map(_) => None,
    };
    // The year 9999; sums of two times stay far from any limit.
    read.filter(|seconds| (0..=253_402_300_799).contains(seconds)).ok_or_else(|| {
        let given = node.as_text().map_or_else(|| node.sort().to_owned(), shortened);
        let message = format!(
            "{given:?} is not a time: write 2026-12-01T09:00:00Z or whole seconds since 1970"
        );
        Invalid { place: node.place, rule: Rule::Malformed, message }
    })
}

/// The time now, as a rule reads it.
pub(super) fn now() -> Node {
    Node::var("$flagd.timestamp")
}
