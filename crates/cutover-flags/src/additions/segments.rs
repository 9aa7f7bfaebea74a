//! `segments`: named groups of users, used in rules as `{"segment": "name"}`.

use super::plain::{expect_keys, malformed};
use crate::rule::Invalid;
use crate::source::{Kind, Node};

/// A segment as a rule that is true for its members: those in `include`, and those for whom `rule`
/// holds, yet never those in `exclude`. A segment that is no such object is itself the rule.
pub(super) fn rule(segment: &Node) -> Result<Node, Invalid> {
    const KEYS: [&str; 3] = ["include", "exclude", "rule"];
    let is_ours = segment.entries().iter().any(|entry| KEYS.contains(&entry.key.as_str()));
    if !is_ours {
        return Ok(segment.clone());
    }
    expect_keys(segment, &KEYS)?;
    let listed = |key: &str| match segment.get(key) {
        Some(keys @ Node { kind: Kind::List(_), .. }) => {
            Ok(Some(Node::call("in", [Node::var("targetingKey"), keys.clone()])))
        }
        Some(other) => Err(malformed(other, "this is a list of targeting keys")),
        None => Ok(None),
    };
    let ways: Vec<Node> =
        listed("include")?.into_iter().chain(segment.get("rule").cloned()).collect();
    let member = Node::call("or", ways);
    let mut node = match listed("exclude")? {
        Some(excluded) => Node::call("and", [Node::call("!", [excluded]), member]),
        None => member,
    };
    node.place = segment.place;
    Ok(node)
}
