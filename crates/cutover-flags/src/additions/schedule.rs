//! `schedule`: variants for certain times.

use super::plain::{Parts, expect_keys, malformed};
use super::time::{now, seconds};
use crate::rule::Invalid;
use crate::source::{Kind, Node};

/// The rule with the schedule before it: the first entry whose time it is decides.
pub(super) fn put_before(rule: Node, schedule: &Node, parts: &Parts<'_>) -> Result<Node, Invalid> {
    let Kind::List(entries) = &schedule.kind else {
        return Err(malformed(schedule, "`schedule` is a list of {from, until, variant}"));
    };
    let mut arguments = vec![];
    for entry in entries {
        expect_keys(entry, &["from", "until", "variant"])?;
        let variant = entry.get("variant").unwrap_or(entry);
        let variant = parts.variant(variant)?;
        let from = entry.get("from").map(seconds).transpose()?;
        let until = entry.get("until").map(seconds).transpose()?;
        let limit = |operator, time: i64| Node::call(operator, [now(), Node::whole(time)]);
        arguments.push(match (from, until) {
            (None, None) => return Err(malformed(entry, "an entry needs `from`, `until` or both")),
            (Some(from), Some(until)) if from >= until => {
                return Err(malformed(entry, "`from` has to be before `until`"));
            }
            (Some(from), None) => limit(">=", from),
            (None, Some(until)) => limit("<", until),
            (Some(from), Some(until)) => Node::call("and", [limit(">=", from), limit("<", until)]),
        });
        arguments.push(Node::text(variant));
    }
    arguments.push(rule);
    Ok(Node::call("if", arguments))
}
