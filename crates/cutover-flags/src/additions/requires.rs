//! `requires`: a flag that is on only where other flags have certain variants.
//!
//! The rule of the other flag is put into this one, so that flagd needs to know nothing of it.

use std::collections::BTreeMap;

use super::KILLED;
use super::plain::{Parts, Plain, expect_keys, malformed, plain};
use crate::problem::{Rule, shortened};
use crate::refs::Shared;
use crate::rule::{Bucketing, Invalid};
use crate::source::{Entry, Kind, Node};

/// All flags of a document, those that are done and those that are being worked on.
pub(super) struct Others<'a, 's> {
    flags: BTreeMap<&'a str, &'a Entry>,
    shared: &'s Shared<'a>,
    bucketing: Bucketing,
    open: Vec<&'a str>,
    done: BTreeMap<&'a str, Plain>,
    /// How many parts of rules may still be copied, over the whole document.
    left: usize,
}

/// Prerequisites of prerequisites are not followed deeper.
const DEEPEST: usize = 16;
/// Over the whole document no more parts of rules are copied into others.
const MOST_COPIED: usize = 1_000_000;

impl<'a, 's> Others<'a, 's> {
    pub(super) fn new(
        flags: &'a [Entry],
        shared: &'s Shared<'a>,
        bucketing: Bucketing,
    ) -> Others<'a, 's> {
        let flags = flags.iter().map(|flag| (flag.key.as_str(), flag)).collect();
        Others { flags, shared, bucketing, open: vec![], done: BTreeMap::new(), left: MOST_COPIED }
    }

    /// A flag without its additions.
    pub(super) fn plain(&mut self, key: &str) -> Option<&Plain> {
        let (key, flag) = self.flags.get_key_value(key).map(|(key, flag)| (*key, *flag))?;
        if !self.done.contains_key(key) {
            self.open.push(key);
            let made = plain(flag, self.shared, self.bucketing, self);
            self.open.pop();
            self.done.insert(key, made);
        }
        self.done.get(key)
    }

    fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.flags.get(key).copied()
    }

    /// The way back to this flag, if it is being worked on.
    fn cycle(&self, key: &str) -> Option<String> {
        let at = self.open.iter().position(|open| *open == key)?;
        let way: Vec<_> = self.open.iter().skip(at).copied().chain([key]).collect();
        Some(way.join(" → "))
    }
}

/// The rule, for those who have what the flag requires; the others have it off.
pub(super) fn put_around(
    rule: Node,
    requires: &Node,
    parts: &Parts<'_>,
    bucketing: Bucketing,
    others: &mut Others<'_, '_>,
) -> Result<Node, Invalid> {
    let Some(off) = parts.off else {
        let message =
            "a flag that requires others needs a variant for when it is off: name it `off`";
        return Err(malformed(requires, message));
    };
    let mut conditions = vec![];
    for required in requires.arguments() {
        conditions.push(condition(required, bucketing, others)?);
    }
    if conditions.is_empty() {
        return Ok(rule);
    }
    Ok(Node::call("if", [Node::call("and", conditions), rule, Node::text(off)]))
}

/// A condition that holds where a flag has one of the variants that are wanted.
fn condition(
    required: &Node,
    bucketing: Bucketing,
    others: &mut Others<'_, '_>,
) -> Result<Node, Invalid> {
    let refused = |rule, message| Err(Invalid { place: required.place, rule, message });
    let key_node = match required.as_text() {
        Some(_) => required,
        None => {
            expect_keys(required, &["flag", "is"])?;
            required.get("flag").unwrap_or(required)
        }
    };
    let key = key_node
        .as_text()
        .ok_or_else(|| malformed(key_node, "this is the key of a flag, or {flag, is}"))?;
    if let Some(cycle) = others.cycle(key) {
        return refused(Rule::Cycle, format!("prerequisites form a cycle: {cycle}"));
    }
    let Some(entry) = others.entry(key) else {
        let message = format!("the flag {:?} does not exist in this document", shortened(key));
        return refused(Rule::UnknownReference, message);
    };
    if others.open.len() > DEEPEST {
        let message = format!("prerequisites are nested more than {DEEPEST} deep");
        return refused(Rule::TooLarge, message);
    }
    let wanted = wanted(required.get("is"), entry)?;
    let mut left = others.left;
    let Some(plain) = others.plain(key) else { return Ok(Node::new(Kind::Bool(false))) };
    if let Some(broken) = &plain.broken {
        let rule = if broken.rule == Rule::Cycle { Rule::Cycle } else { Rule::Malformed };
        let message = match rule {
            Rule::Cycle => broken.message.clone(),
            _ => format!("the required flag {:?} is broken: {}", shortened(key), broken.message),
        };
        return refused(rule, message);
    }
    let made = Inlined { key, bucketing, left: &mut left }.holds(&plain.body, &wanted);
    others.left = others.left.min(left);
    made.map_err(|(rule, message)| Invalid { place: required.place, rule, message })
}

/// The variants that are good enough: those named, or all but the one that is off.
fn wanted(is: Option<&Node>, flag: &Entry) -> Result<Vec<String>, Invalid> {
    let parts = Parts::of(flag)?;
    match is {
        Some(names) => {
            names.arguments().iter().map(|name| parts.variant(name).map(str::to_owned)).collect()
        }
        None => {
            let on = parts.names().filter(|name| Some(*name) != parts.off);
            Ok(on.map(str::to_owned).collect())
        }
    }
}

/// Another flag's rule on its way into this one.
struct Inlined<'a> {
    key: &'a str,
    bucketing: Bucketing,
    left: &'a mut usize,
}

type Refused = (Rule, String);

impl Inlined<'_> {
    fn holds(&mut self, flag: &Node, wanted: &[String]) -> Result<Node, Refused> {
        let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted == name);
        let default = flag.get("defaultVariant").and_then(Node::as_text);
        let by_default = default.is_some_and(is_wanted);
        let always = |truth| Ok(Node::new(Kind::Bool(truth)));
        let killed = flag.get("metadata").and_then(|metadata| metadata.get(KILLED)).is_some();
        let rule = match flag.get("targeting") {
            _ if flag.get("state").and_then(Node::as_text) != Some("ENABLED") => {
                return always(false);
            }
            _ if killed => return always(by_default),
            Some(rule) if rule.as_call().is_some() => rule,
            _ => return always(by_default),
        };
        let mut names = vec![];
        for name in wanted {
            names.push(Node::text(name));
            match name.as_str() {
                "true" => names.push(Node::new(Kind::Bool(true))),
                "false" => names.push(Node::new(Kind::Bool(false))),
                number => names.extend(number.parse().ok().map(Node::whole)),
            }
        }
        if by_default {
            names.push(Node::null());
        }
        Ok(Node::call("in", [self.named(rule)?, Node::list(names)]))
    }

    /// The rule of another flag, with that flag's key wherever the rule asks for the key.
    fn named(&mut self, rule: &Node) -> Result<Node, Refused> {
        *self.left = self.left.saturating_sub(1);
        if *self.left == 0 {
            let message = format!("prerequisites copy more than {MOST_COPIED} parts of rules");
            return Err((Rule::TooLarge, message));
        }
        if let Some((operator, argument)) = rule.as_call() {
            let first = argument.arguments().first();
            match operator {
                "var" if first.and_then(Node::as_text) == Some("$flagd.flagKey") => {
                    return Ok(Node::text(self.key));
                }
                "fractional" if matches!(first, Some(Node { kind: Kind::List(_), .. })) => {
                    if self.bucketing == Bucketing::V3 {
                        let message = format!(
                            "the flag {:?} has a `fractional` without a bucketing value, which depends on the flag it stands in: write {{\"cat\": [{{\"var\": \"$flagd.flagKey\"}}, {{\"var\": \"targetingKey\"}}]}} as its first argument",
                            shortened(self.key)
                        );
                        return Err((Rule::Malformed, message));
                    }
                    // Without a user the default bucketing value is none.
                    let user = Node::var("targetingKey");
                    let by = Node::call("cat", [Node::text(self.key), user.clone()]);
                    let by = Node::call("if", [user, by, Node::null()]);
                    let entries = argument.arguments().iter().map(|entry| self.named(entry));
                    let entries = entries.collect::<Result<Vec<_>, _>>()?;
                    return Ok(Node::call("fractional", [by].into_iter().chain(entries)));
                }
                _ => {}
            }
        }
        let kind = match &rule.kind {
            Kind::List(items) => {
                let items = items.iter().map(|item| self.named(item));
                Kind::List(items.collect::<Result<_, _>>()?)
            }
            Kind::Map(entries) => {
                let mut entry = |entry: &Entry| {
                    let value = self.named(&entry.value)?;
                    Ok::<_, Refused>(Entry { place: entry.place, key: entry.key.clone(), value })
                };
                Kind::Map(entries.iter().map(&mut entry).collect::<Result<_, _>>()?)
            }
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => rule.kind.clone(),
        };
        Ok(Node { place: rule.place, kind })
    }
}
