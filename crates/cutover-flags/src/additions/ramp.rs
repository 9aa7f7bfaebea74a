//! `ramp`: a share of users who get a variant, fixed or growing with time.
//!
//! A user never leaves while the share grows: every variant has a lane of fixed width in the range
//! of the hash, and a lane is filled from its start. What is not filled is off. When a ramp in time
//! is rolled back, its share shrinks as fast as it grew, and those who came last leave first.
//!
//! `as-app: true` deals users by the default bucketing value of v3, the array of flag key and
//! targeting key: as the proxy deals them for a flag of an app.

use super::plain::{Parts, expect_keys, malformed};
use super::time::{now, seconds};
use crate::rule::{Bucketing, Invalid};
use crate::source::{Kind, Node};

/// A lane of a fixed share has this many parts: thousandths of a percent.
const WHOLE: i64 = 100_000;
const MOST_WEIGHT: i64 = i32::MAX as i64;

/// The rule, and where it says nothing, the ramp.
pub(super) fn put_after(
    rule: Node,
    ramp: &Node,
    parts: &Parts<'_>,
    bucketing: Bucketing,
) -> Result<Node, Invalid> {
    let tail = compile(ramp, parts, bucketing)?;
    Ok(with_tail(rule, tail))
}

fn compile(ramp: &Node, parts: &Parts<'_>, bucketing: Bucketing) -> Result<Node, Invalid> {
    let keys =
        ["variant", "split", "share", "from", "until", "rolled-back", "seed", "by", "as-app"];
    expect_keys(ramp, &keys)?;
    let lanes = lanes(ramp, parts)?;
    let width = lanes.iter().map(|(_, weight)| weight).sum::<i64>();
    let (filled, empty, whole) = filling(ramp)?;
    if width * whole > MOST_WEIGHT {
        return Err(malformed(ramp, "the ramp is too long for so many parts of a split"));
    }
    let text = |key, default: &str| match ramp.get(key) {
        Some(node) => {
            let words = format!("`{key}` is a string");
            node.as_text().map(str::to_owned).ok_or_else(|| malformed(node, &words))
        }
        None => Ok(default.to_owned()),
    };
    let seed = text("seed", parts.key)?;
    let by = text("by", "targetingKey")?;
    let mut entries = match as_app(ramp, bucketing)? {
        true => vec![],
        false => vec![Node::call("cat", [Node::text(&format!("{seed}/")), Node::var(&by)])],
    };
    let rest = parts.off.map_or_else(Node::null, Node::text);
    for (variant, weight) in &lanes {
        entries.push(Node::list([Node::text(variant), times(&filled, *weight)]));
        entries.push(Node::list([rest.clone(), times(&empty, *weight)]));
    }
    // Users who cannot be told apart would all be in one bucket.
    let known = Node::call("!=", [Node::var(&by), Node::null()]);
    Ok(Node::call("if", [known, Node::call("fractional", entries), Node::null()]))
}

/// Are users dealt as the proxy deals them for a flag of an app?
fn as_app(ramp: &Node, bucketing: Bucketing) -> Result<bool, Invalid> {
    match ramp.get("as-app").map(|node| (&node.kind, node)) {
        None | Some((Kind::Bool(false), _)) => Ok(false),
        Some((Kind::Bool(true), node)) if bucketing != Bucketing::V3 => {
            Err(malformed(node, "users of an app are in the buckets of v3, and the set has others"))
        }
        Some((Kind::Bool(true), node)) => {
            let own = ["split", "seed", "by"].iter().any(|key| ramp.get(key).is_some());
            match own {
                true => Err(malformed(node, "`as-app` goes without `split`, `seed` and `by`")),
                false => Ok(true),
            }
        }
        Some((_, node)) => Err(malformed(node, "`as-app` is true or false")),
    }
}

/// The variants, with the widths of their lanes.
fn lanes<'a>(ramp: &'a Node, parts: &Parts<'_>) -> Result<Vec<(&'a str, i64)>, Invalid> {
    match (ramp.get("variant"), ramp.get("split")) {
        (Some(variant), None) => Ok(vec![(parts.variant(variant)?, 1)]),
        (None, Some(split @ Node { kind: Kind::Map(entries), .. })) if !entries.is_empty() => {
            let mut lanes: Vec<(&str, i64)> = vec![];
            for entry in entries {
                let weight = match &entry.value.kind {
                    Kind::Number(literal) => literal.parse::<u16>().ok().filter(|w| *w > 0),
                    Kind::Null | Kind::Bool(_) | Kind::Text(_) | Kind::List(_) | Kind::Map(_) => {
                        None
                    }
                };
                let words = "the parts of a split are whole numbers from 1 to 65535";
                let weight = weight.ok_or_else(|| malformed(&entry.value, words))?;
                parts.is_variant(&entry.key, split)?;
                lanes.push((&entry.key, weight.into()));
            }
            Ok(lanes)
        }
        _ => Err(malformed(ramp, "a ramp needs either `variant` or `split: {variant: part, …}`")),
    }
}

/// How much of a lane is filled and how much is empty, and what both are together.
fn filling(ramp: &Node) -> Result<(Node, Node, i64), Invalid> {
    match (ramp.get("share"), ramp.get("from"), ramp.get("until")) {
        (Some(share), None, None) => {
            let filled = thousandths(share)?;
            Ok((Node::whole(filled), Node::whole(WHOLE - filled), WHOLE))
        }
        (None, Some(from), Some(until)) => {
            let (from, until) = (seconds(from)?, seconds(until)?);
            let turned = ramp.get("rolled-back").map(seconds).transpose()?;
            if from >= until || turned.is_some_and(|turned| turned < from) {
                return Err(malformed(ramp, "`from` has to be before `until` and `rolled-back`"));
            }
            let front = front(from, until, turned);
            let filled = Node::call("-", [front.clone(), Node::whole(from)]);
            let empty = Node::call("-", [Node::whole(until), front]);
            Ok((filled, empty, until - from))
        }
        _ => Err(malformed(ramp, "a ramp needs either `share` or `from` and `until`")),
    }
}

/// The time up to which the lane is filled, between `from` and `until`. Rolled back at T, the front
/// that had come to P runs back: P - (now - T), as in flagd's ADR on progressive rollouts.
fn front(from: i64, until: i64, turned: Option<i64>) -> Node {
    let whole = Node::whole;
    let growing = Node::call("max", [whole(from), Node::call("min", [now(), whole(until)])]);
    match turned {
        None => growing,
        Some(turned) => {
            let back = Node::call("-", [whole(turned.min(until) + turned), now()]);
            let shrinking = Node::call("max", [whole(from), back]);
            Node::call("if", [Node::call("<", [now(), whole(turned)]), growing, shrinking])
        }
    }
}

fn times(weight: &Node, width: i64) -> Node {
    match &weight.kind {
        _ if width == 1 => weight.clone(),
        Kind::Number(literal) => Node::whole(literal.parse::<i64>().unwrap_or(0) * width),
        Kind::Null | Kind::Bool(_) | Kind::Text(_) | Kind::List(_) | Kind::Map(_) => {
            Node::call("*", [Node::whole(width), weight.clone()])
        }
    }
}

/// A share such as `12.5%`, in thousandths of a percent.
fn thousandths(share: &Node) -> Result<i64, Invalid> {
    let digits = share.as_text().and_then(|text| text.strip_suffix('%')).map(str::trim);
    let read = digits.and_then(|digits| {
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let fits = !whole.is_empty() && whole.len() <= 3 && fraction.len() <= 3;
        let fraction =
            (fits && plain(whole) && plain(fraction)).then(|| format!("{fraction:0<3}"))?;
        Some(whole.parse::<i64>().ok()? * 1000 + fraction.parse::<i64>().ok()?)
    });
    read.filter(|share| (0..=WHOLE).contains(share)).ok_or_else(|| {
        malformed(share, "a share is written like 12.5%, from 0% to 100%, with at most 3 decimals")
    })
}

/// A rule whose nulls become something else. Where every branch of a condition names a variant,
/// only its end changes; any other rule is asked twice.
fn with_tail(rule: Node, tail: Node) -> Node {
    let place = rule.place;
    let node = match branches(&rule) {
        _ if rule.is_null() => tail,
        Some(parts) => {
            let mut parts = parts.to_vec();
            let last = if parts.len() % 2 == 0 {
                Node::null()
            } else {
                parts.pop().unwrap_or_else(Node::null)
            };
            parts.push(with_tail(last, tail));
            Node::call("if", parts)
        }
        None if rule.as_call().is_some() => {
            Node::call("if", [Node::call("===", [rule.clone(), Node::null()]), tail, rule])
        }
        None => return rule,
    };
    Node { place, kind: node.kind }
}

/// The parts of a condition of which every branch, the ones at its end included, names a variant
/// or says nothing.
fn branches(rule: &Node) -> Option<&[Node]> {
    let (operator, argument) = rule.as_call()?;
    let parts = argument.arguments();
    if !matches!(operator, "if" | "?:") || parts.len() < 2 {
        return None;
    }
    let named = parts.iter().skip(1).step_by(2).all(is_name);
    let last = parts.last().filter(|_| parts.len() % 2 == 1);
    let ends = last.is_none_or(|last| is_name(last) || last.is_null() || branches(last).is_some());
    (named && ends).then_some(parts)
}

fn is_name(node: &Node) -> bool {
    node.as_text().is_some()
}
