//! From a plain flag of a document to one that can be evaluated.

use crate::additions::{HIDDEN, KILLED, Plain};
use crate::flag::{Flag, State, ValueType, Variant};
use crate::problem::{Place, Problem, Rule, Severity, shortened};
use crate::rule::{Bucketing, Invalid, compile, constant};
use crate::source::{Entry, Kind, Node, to_json};
use crate::value::quoted;

/// What all flags of a document share.
pub(crate) struct Loader<'a> {
    pub(crate) source: &'a str,
    pub(crate) bucketing: Bucketing,
    /// Metadata of the set.
    pub(crate) metadata: &'a [Entry],
    pub(crate) problems: &'a mut Vec<Problem>,
}

/// Every answer is searched for its variant.
const MOST_VARIANTS: usize = 1000;
/// Metadata is kept with every variant, ready to be sent.
pub(crate) const MOST_METADATA: usize = 4096;

/// The parts of a flag that were read.
struct Read {
    variants: Vec<Variant>,
    state: State,
    targeting: Option<Node>,
}

impl Read {
    fn broken(why: &str) -> Read {
        Read { variants: vec![], state: State::Broken(why.into()), targeting: None }
    }
}

impl Loader<'_> {
    pub(crate) fn flag(&mut self, plain: Plain) -> Flag {
        let own = plain.body.get("metadata").filter(|own| to_json(own).len() <= MOST_METADATA);
        let own = own.map(Node::entries).unwrap_or_default();
        let metadata = metadata_json(self.metadata, own);
        let read = match &plain.broken {
            // The document has told it already.
            Some(broken) => Read::broken(&broken.message),
            None => self.read(&plain, &metadata).unwrap_or_else(|invalid| {
                let read = Read::broken(&invalid.message);
                self.tell(&plain, Severity::Error, invalid);
                read
            }),
        };
        Flag {
            place: plain.place,
            variants: read.variants,
            state: read.state,
            bucketing: self.bucketing,
            targeting: read.targeting,
            head: format!("{{\"key\":{},\"reason\":\"", quoted(&plain.key)).into_bytes().into(),
            foot: format!(",\"metadata\":{metadata}}}").into_bytes().into(),
            metadata: metadata.into(),
            key: plain.key.into(),
        }
    }

    fn tell(&mut self, plain: &Plain, severity: Severity, invalid: Invalid) {
        self.problems.push(Problem {
            source: self.source.to_owned(),
            place: invalid.place.or(plain.place),
            flag: Some(plain.key.clone()),
            severity,
            rule: invalid.rule,
            message: invalid.message,
        });
    }

    fn read(&mut self, plain: &Plain, metadata: &str) -> Result<Read, Invalid> {
        let body = &plain.body;
        self.expect_known_keys(plain)?;
        let disabled = match body.get("state").map(|state| (state.as_text(), state)) {
            Some((Some("ENABLED"), _)) => false,
            Some((Some("DISABLED"), _)) => true,
            Some((_, node)) => return Err(malformed(node.place, "`state` is ENABLED or DISABLED")),
            None => return Err(malformed(plain.place, "the flag has no `state`")),
        };
        let variants = self.variants(plain, metadata)?;
        let default = default(body, &variants)?;
        let killed = body.get("metadata").and_then(|metadata| metadata.get(KILLED));
        let killed = killed.is_some_and(|killed| killed.kind == Kind::Bool(true));
        let targeting = body.get("targeting").filter(|rule| !rule.is_null());
        let state = match (disabled, targeting) {
            (true, _) => State::Disabled,
            (false, _) if killed => default.map_or(State::Disabled, State::Killed),
            (false, None) => State::Static(default),
            (false, Some(Node { kind: Kind::Map(entries), .. })) if entries.is_empty() => {
                State::Static(default)
            }
            (false, Some(rule @ Node { kind: Kind::Map(_), .. })) => {
                let (rule, notes) = compile(rule, &plain.key, self.bucketing, false)?;
                notes.into_iter().for_each(|note| self.tell(plain, Severity::Warning, note));
                State::Targeted { rule, default }
            }
            (false, Some(other)) => {
                let message = format!("`targeting` is an object, not {}", other.sort());
                return Err(malformed(other.place, &message));
            }
        };
        Ok(Read { variants, state, targeting: targeting.cloned() })
    }

    fn expect_known_keys(&mut self, plain: &Plain) -> Result<(), Invalid> {
        const KNOWN: [&str; 7] = [
            "state",
            "variants",
            "defaultVariant",
            "targeting",
            "metadata",
            // Written into flags by flagd itself.
            "source",
            "selector",
        ];
        let Kind::Map(entries) = &plain.body.kind else {
            let message = format!("a flag is an object, not {}", plain.body.sort());
            return Err(malformed(plain.body.place, &message));
        };
        for entry in entries.iter().filter(|entry| !KNOWN.contains(&entry.key.as_str())) {
            let message = format!("the key {:?} has no meaning here", shortened(&entry.key));
            let place = entry.place;
            self.tell(plain, Severity::Warning, Invalid { place, rule: Rule::UnknownKey, message });
        }
        let own = plain.body.get("metadata");
        if let Some(own) = own.filter(|own| to_json(own).len() > MOST_METADATA) {
            let message = format!("metadata has at most {MOST_METADATA} bytes");
            return Err(Invalid { place: own.place, rule: Rule::TooLarge, message });
        }
        for entry in own.map(Node::entries).unwrap_or_default() {
            if !matches!(entry.value.kind, Kind::Text(_) | Kind::Number(_) | Kind::Bool(_)) {
                let message =
                    format!("metadata is a string, number or boolean, not {}", entry.value.sort());
                return Err(malformed(entry.value.place, &message));
            }
        }
        Ok(())
    }

    fn variants(&mut self, plain: &Plain, metadata: &str) -> Result<Vec<Variant>, Invalid> {
        let node = plain.body.get("variants");
        let entries = match node.map(|node| (&node.kind, node)) {
            Some((Kind::Map(entries), _)) if !entries.is_empty() => entries,
            Some((_, node)) => {
                return Err(malformed(
                    node.place,
                    "`variants` is an object with at least one entry",
                ));
            }
            None => return Err(malformed(plain.place, "the flag has no `variants`")),
        };
        if entries.len() > MOST_VARIANTS {
            let message = format!("a flag has at most {MOST_VARIANTS} variants");
            let place = node.and_then(|node| node.place);
            return Err(Invalid { place, rule: Rule::TooLarge, message });
        }
        let mut variants: Vec<Variant> = vec![];
        for entry in entries {
            let variant = variant(entry, metadata)?;
            variants.retain(|known| known.name != variant.name);
            variants.push(variant);
        }
        let first = variants.first().map(|variant| variant.value_type);
        if variants.iter().any(|variant| Some(variant.value_type) != first) {
            let place = node.and_then(|node| node.place);
            let message = "the variants are not all of one type".to_owned();
            self.tell(plain, Severity::Warning, Invalid { place, rule: Rule::MixedTypes, message });
        }
        Ok(variants)
    }
}

fn variant(entry: &Entry, metadata: &str) -> Result<Variant, Invalid> {
    let value_type = match entry.value.kind {
        Kind::Bool(_) => ValueType::Boolean,
        Kind::Text(_) => ValueType::String,
        Kind::Number(_) => ValueType::Number,
        Kind::List(_) | Kind::Map(_) => ValueType::Object,
        Kind::Null => {
            let message = "the value of a variant is not null";
            return Err(malformed(entry.value.place, message));
        }
    };
    // Looks at every number in it.
    constant(&entry.value)?;
    let json = to_json(&entry.value);
    let name = quoted(&entry.key);
    let tail = format!("\",\"variant\":{name},\"value\":{json},\"metadata\":{metadata}}}");
    Ok(Variant {
        name: entry.key.as_str().into(),
        json: json.into(),
        value_type,
        tail: tail.into_bytes().into(),
    })
}

fn default(body: &Node, variants: &[Variant]) -> Result<Option<usize>, Invalid> {
    let Some(node) = body.get("defaultVariant") else { return Ok(None) };
    let name = match &node.kind {
        Kind::Null => return Ok(None),
        Kind::Text(name) if name.is_empty() => return Ok(None),
        Kind::Text(name) => name.as_str(),
        Kind::Bool(true) => "true",
        Kind::Bool(false) => "false",
        Kind::Number(_) | Kind::List(_) | Kind::Map(_) => {
            let message = format!("`defaultVariant` is a name, not {}", node.sort());
            return Err(malformed(node.place, &message));
        }
    };
    let at = variants.iter().position(|variant| *variant.name == *name);
    at.map(Some).ok_or_else(|| Invalid {
        place: node.place,
        rule: Rule::UnknownReference,
        message: format!("the default variant {:?} does not exist", shortened(name)),
    })
}

fn malformed(place: Option<Place>, message: &str) -> Invalid {
    Invalid { place, rule: Rule::Malformed, message: message.to_owned() }
}

/// Metadata of the set with that of the flag over it, without what is meant for the loader.
pub(crate) fn metadata_json(set: &[Entry], own: &[Entry]) -> String {
    let mut merged: Vec<&Entry> = vec![];
    for entry in set.iter().chain(own) {
        merged.retain(|known| known.key != entry.key);
        if !entry.key.starts_with(HIDDEN) {
            merged.push(entry);
        }
    }
    let entry = |entry: &&Entry| format!("{}:{}", quoted(&entry.key), to_json(&entry.value));
    format!("{{{}}}", merged.iter().map(entry).collect::<Vec<_>>().join(","))
}
