//! One flag with its additions, as a plain flag of flagd.

use super::requires::{self, Others};
use super::{KILLED, OURS, ramp, schedule};
use crate::problem::{Rule, shortened};
use crate::refs::Shared;
use crate::rule::{Bucketing, Invalid};
use crate::source::{Entry, Kind, Node};

/// A flag as flagd knows it; what is missing or broken in it is for the loader to tell.
#[derive(Debug, Clone)]
pub(crate) struct Plain {
    pub(crate) key: String,
    pub(crate) place: Option<crate::problem::Place>,
    /// `state`, `variants`, `defaultVariant`, `targeting`, `metadata`.
    pub(crate) body: Node,
    /// Why it cannot be used.
    pub(crate) broken: Option<Invalid>,
}

/// What the additions of a flag refer to.
pub(crate) struct Parts<'a> {
    pub(super) key: &'a str,
    variants: &'a Node,
    /// The variant that the flag has when it is off.
    pub(crate) off: Option<&'a str>,
}

impl<'a> Parts<'a> {
    pub(crate) fn of(flag: &'a Entry) -> Result<Parts<'a>, Invalid> {
        static NONE: Node = Node { place: None, kind: Kind::Null };
        let variants = flag.value.get("variants").unwrap_or(&NONE);
        let mut parts = Parts { key: &flag.key, variants, off: None };
        parts.off = match flag.value.get(OURS).and_then(|ours| ours.get("off")) {
            Some(named) => Some(parts.variant(named)?),
            None => off(variants),
        };
        Ok(parts)
    }

    /// The name of a variant of this flag.
    pub(super) fn variant<'b>(&self, node: &'b Node) -> Result<&'b str, Invalid> {
        let name =
            node.as_text().ok_or_else(|| malformed(node, "this is the name of a variant"))?;
        self.is_variant(name, node).map(|()| name)
    }

    pub(super) fn is_variant(&self, name: &str, at: &Node) -> Result<(), Invalid> {
        match self.variants.get(name) {
            Some(_) => Ok(()),
            None => {
                let message = format!("the variant {:?} does not exist", shortened(name));
                Err(Invalid { place: at.place, rule: Rule::UnknownReference, message })
            }
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.variants.entries().iter().map(|entry| entry.key.as_str())
    }
}

/// The variant that is off unless another is named: `off`, `false`, or the only one that is false.
fn off(variants: &Node) -> Option<&str> {
    let entries = variants.entries();
    let named = entries.iter().find(|entry| matches!(entry.key.as_str(), "off" | "false"));
    let mut falses = entries.iter().filter(|entry| entry.value.kind == Kind::Bool(false));
    let only = falses.next().filter(|_| falses.next().is_none());
    named.or(only).map(|entry| entry.key.as_str())
}

/// A flag without its additions.
pub(super) fn plain(
    flag: &Entry,
    shared: &Shared<'_>,
    bucketing: Bucketing,
    others: &mut Others<'_, '_>,
) -> Plain {
    let mut body = flag.value.clone();
    if let Kind::Map(entries) = &mut body.kind {
        entries.retain(|entry| entry.key != OURS);
    }
    let mut plain = Plain { key: flag.key.clone(), place: flag.place, body, broken: None };
    if let Err(invalid) = change(&mut plain.body, flag, shared, bucketing, others) {
        plain.broken = Some(invalid);
    }
    plain
}

fn change(
    body: &mut Node,
    flag: &Entry,
    shared: &Shared<'_>,
    bucketing: Bucketing,
    others: &mut Others<'_, '_>,
) -> Result<(), Invalid> {
    // Before anything else: what is broken in a rule must not keep a flag on.
    if flag.value.get(OURS).is_some_and(is_killed) {
        kill(body, &Parts::of(flag)?);
        return Ok(());
    }
    let written = match flag.value.get("targeting") {
        Some(rule) => shared.put_in(rule)?,
        None => Node::null(),
    };
    let none = written.is_null();
    let Some(ours) = flag.value.get(OURS) else {
        if !none {
            set(body, "targeting", written);
        }
        return Ok(());
    };
    expect_keys(ours, &["kill", "off", "requires", "schedule", "ramp"])?;
    let parts = Parts::of(flag)?;
    match ours.get("kill") {
        None | Some(Node { kind: Kind::Bool(_), .. }) => {}
        Some(other) => return Err(malformed(other, "`kill` is true or false")),
    }
    // An empty object is no rule.
    let empty = matches!(&written.kind, Kind::Map(entries) if entries.is_empty());
    let mut rule = if empty { Node::null() } else { written };
    if let Some(node) = ours.get("ramp") {
        rule = ramp::put_after(rule, node, &parts, bucketing)?;
    }
    if let Some(node) = ours.get("schedule") {
        rule = schedule::put_before(rule, node, &parts)?;
    }
    if let Some(node) = ours.get("requires") {
        rule = requires::put_around(rule, node, &parts, bucketing, others)?;
    }
    if !rule.is_null() {
        set(body, "targeting", rule);
    }
    Ok(())
}

fn is_killed(ours: &Node) -> bool {
    ours.get("kill").is_some_and(|kill| kill.kind == Kind::Bool(true))
}

/// Off for everybody, whatever the rule says. Where no variant is off, the flag is disabled, so
/// that clients take the default in their code.
fn kill(body: &mut Node, parts: &Parts<'_>) {
    if let Kind::Map(entries) = &mut body.kind {
        entries.retain(|entry| entry.key != "targeting");
    }
    match parts.off {
        Some(off) => {
            set(body, "defaultVariant", Node::text(off));
            let mut metadata = body.get("metadata").cloned().unwrap_or_else(|| Node::map([]));
            set(&mut metadata, KILLED, Node::new(Kind::Bool(true)));
            set(body, "metadata", metadata);
        }
        None => set(body, "state", Node::text("DISABLED")),
    }
}

/// Gives a key a value, in place of any it had.
pub(super) fn set(map: &mut Node, key: &str, value: Node) {
    if let Kind::Map(entries) = &mut map.kind {
        entries.retain(|entry| entry.key != key);
        entries.push(Entry { place: None, key: key.to_owned(), value });
    }
}

pub(super) fn malformed(node: &Node, message: &str) -> Invalid {
    Invalid { place: node.place, rule: Rule::Malformed, message: message.to_owned() }
}

/// Is it an object with no other keys than these?
pub(super) fn expect_keys(node: &Node, known: &[&str]) -> Result<(), Invalid> {
    let Kind::Map(entries) = &node.kind else {
        let message = format!("an object should be here, not {}", node.sort());
        return Err(malformed(node, &message));
    };
    match entries.iter().find(|entry| !known.contains(&entry.key.as_str())) {
        None => Ok(()),
        Some(entry) => {
            let message =
                format!("the key `{}` is none of {}", shortened(&entry.key), known.join(", "));
            Err(Invalid { place: entry.place, rule: Rule::UnknownKey, message })
        }
    }
}
