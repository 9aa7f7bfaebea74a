//! What is laid over a document: flags changed by a person while the document stays as it is, and
//! what a person has to know of a document to change it.
//!
//! The form is a JSON merge patch (RFC 7396) of the document's `flags` by key: objects are merged,
//! null removes, anything else takes the place of what was there. A flag that the document does not
//! define is left out, so that a change never makes one.

use crate::additions::{Document, OURS, Parts};
use crate::problem::{Problem, Rule, Severity};
use crate::rule::Bucketing;
use crate::source::{self, Entry, Format, Kind, Node, Source, Unreadable};

/// Lays changes over the flags of a document.
pub(crate) fn lay_over(root: &mut Node, changes: &str) -> Result<(), Unreadable> {
    let source = Source {
        name: String::new(),
        text: changes.to_owned(),
        format: Format::Json,
        changes: None,
    };
    let changes = source::read(&source)?;
    let Kind::Map(top) = &mut root.kind else { return Ok(()) };
    let Some(flags) = top.iter_mut().rev().find(|entry| entry.key == "flags") else {
        return Ok(());
    };
    for change in changes.entries() {
        match &mut flags.value.kind {
            Kind::Map(flags) => {
                let flag = flags.iter_mut().rev().find(|flag| flag.key == change.key);
                flag.into_iter().for_each(|flag| merge(&mut flag.value, &change.value));
            }
            Kind::List(flags) => {
                let is_meant =
                    |flag: &&mut Node| flag.get("key").and_then(Node::as_text) == Some(&change.key);
                let flag = flags.iter_mut().rev().find(is_meant);
                flag.into_iter().for_each(|flag| merge(flag, &change.value));
            }
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
        }
    }
    Ok(())
}

/// RFC 7396, section 2. What is not touched keeps its place.
fn merge(target: &mut Node, patch: &Node) {
    let Kind::Map(parts) = &patch.kind else {
        *target = Node { place: target.place, kind: bare(patch).kind };
        return;
    };
    if !matches!(target.kind, Kind::Map(_)) {
        target.kind = Kind::Map(vec![]);
    }
    let Kind::Map(entries) = &mut target.kind else { return };
    for part in parts {
        if part.value.is_null() {
            entries.retain(|entry| entry.key != part.key);
            continue;
        }
        if !entries.iter().any(|entry| entry.key == part.key) {
            let value = Node::map([]);
            entries.push(Entry { place: None, key: part.key.clone(), value });
        }
        let entry = entries.iter_mut().rev().find(|entry| entry.key == part.key);
        entry.into_iter().for_each(|entry| merge(&mut entry.value, &part.value));
    }
}

/// Without places: those of a patch are none of the document.
fn bare(node: &Node) -> Node {
    let kind = match &node.kind {
        Kind::List(items) => Kind::List(items.iter().map(bare).collect()),
        Kind::Map(entries) => {
            let bare = |entry: &Entry| Entry {
                place: None,
                key: entry.key.clone(),
                value: bare(&entry.value),
            };
            Kind::Map(entries.iter().map(bare).collect())
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => node.kind.clone(),
    };
    Node::new(kind)
}

/// What a person has to know of a document to change flags of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The set that the document belongs to.
    pub set: Option<String>,
    /// How users are put into buckets.
    pub bucketing: Bucketing,
    /// Its flags.
    pub flags: Vec<FlagOutline>,
}

/// A flag as its author wrote it, changes laid over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlagOutline {
    /// Its key.
    pub key: String,
    /// The names of its variants.
    pub variants: Vec<String>,
    /// The default variant, if it has one.
    pub default: Option<String>,
    /// The variant that the flag has when it is off.
    pub off: Option<String>,
    /// Is its state DISABLED?
    pub disabled: bool,
    /// Is it killed?
    pub killed: bool,
    /// Does it have a rule of its own, besides a ramp?
    pub has_rule: bool,
    /// Does a schedule or another flag decide at times?
    pub depends: bool,
    /// A ramp, if it has one.
    pub ramp: Option<RampOutline>,
}

/// A ramp as its author wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RampOutline {
    /// The variant that users get; `None` for a split.
    pub variant: Option<String>,
    /// The share of users, such as `12.5%`; `None` if it changes with time.
    pub share: Option<String>,
}

impl Outline {
    /// Reads the outline of a document.
    ///
    /// # Errors
    /// Where the document cannot be read at all; the problem says where.
    pub fn read(source: &Source) -> Result<Outline, Problem> {
        let document = Document::read(source);
        let of_document = |problem: &&Problem| problem.is_error() && problem.flag.is_none();
        if let Some(problem) = document.problems.iter().find(of_document) {
            return Err(problem.clone());
        }
        let unreadable = |error: Unreadable| Problem {
            source: source.name.clone(),
            place: error.place,
            flag: None,
            severity: Severity::Error,
            rule: Rule::Unreadable,
            message: error.message,
        };
        let root = source::read_changed(source).map_err(unreadable)?;
        let written = |key: &str| match root.get("flags").map(|flags| &flags.kind) {
            Some(Kind::Map(flags)) => {
                flags.iter().rev().find(|flag| flag.key == key).map(|flag| &flag.value)
            }
            Some(Kind::List(flags)) => {
                let is_it = |flag: &&Node| flag.get("key").and_then(Node::as_text) == Some(key);
                flags.iter().rev().find(is_it)
            }
            Some(Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_)) | None => None,
        };
        let outline = |key: &str| written(key).map(|flag| FlagOutline::of(key, flag));
        Ok(Outline {
            set: document.set,
            bucketing: document.bucketing,
            flags: document.flags.iter().filter_map(|flag| outline(&flag.key)).collect(),
        })
    }
}

impl FlagOutline {
    fn of(key: &str, flag: &Node) -> FlagOutline {
        let text = |node: Option<&Node>| node.and_then(Node::as_text).map(str::to_owned);
        let entry = Entry { place: None, key: key.to_owned(), value: flag.clone() };
        let off = Parts::of(&entry).ok().and_then(|parts| parts.off.map(str::to_owned));
        let ours = flag.get(OURS);
        let kill = ours.and_then(|ours| ours.get("kill"));
        let variants = flag.get("variants").map(Node::entries).unwrap_or_default();
        let is_rule = |rule: &Node| !rule.is_null() && !rule.entries().is_empty();
        let decides = |part: &str| ours.and_then(|ours| ours.get(part)).is_some();
        let ramp = ours.and_then(|ours| ours.get("ramp")).map(|ramp| RampOutline {
            variant: text(ramp.get("variant")),
            share: text(ramp.get("share")),
        });
        FlagOutline {
            key: key.to_owned(),
            variants: variants.iter().map(|entry| entry.key.clone()).collect(),
            default: text(flag.get("defaultVariant")),
            off,
            disabled: flag.get("state").and_then(Node::as_text) == Some("DISABLED"),
            killed: kill.is_some_and(|kill| kill.kind == Kind::Bool(true)),
            has_rule: flag.get("targeting").is_some_and(is_rule),
            depends: decides("requires") || decides("schedule"),
            ramp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Definitions, Selector};

    const YAML: &str = "metadata: { flagSetId: shop, cutover.bucketing: v3 }
flags:
  a:
    state: ENABLED
    variants: { on: true, off: false }
    defaultVariant: off
    targeting: { nonsense: [] }
  b:
    state: ENABLED
    variants: { red: 1, blue: 2 }
    defaultVariant: red
    cutover:
      ramp: { split: { red: 1, blue: 1 }, from: 1, until: 2, seed: s }
";

    fn changed(changes: &str) -> Source {
        Source::new("a.yaml", YAML).with_changes(changes)
    }

    fn answer(source: &Source, key: &str, user: &str) -> String {
        let (definitions, _) = Definitions::load(std::slice::from_ref(source));
        let flags = definitions.get(&Selector::All);
        flags.evaluate(key, &Context::of_user(user), 3).outcome.to_string()
    }

    #[test]
    fn a_kill_beats_a_rule_that_is_broken() {
        assert!(answer(&changed("{}"), "a", "u").contains("PARSE_ERROR"));
        let killed =
            changed(r#"{"a": {"cutover": {"kill": true}}, "gone": {"state": "DISABLED"}}"#);
        assert_eq!(answer(&killed, "a", "u"), "off = false (DISABLED)");
        assert_eq!(Definitions::load(&[killed]).0.get(&Selector::All).keys().len(), 2);
    }

    #[test]
    fn what_is_not_named_stays() {
        let ramp = r#"{"b": {"cutover": {"ramp":
            {"variant": "blue", "split": null, "from": null, "until": null, "share": "100%"}}}}"#;
        let source = changed(ramp);
        assert_eq!(answer(&source, "b", "u"), "blue = 2 (TARGETING_MATCH)");
        let outline = Outline::read(&source).unwrap();
        assert_eq!(outline.set.as_deref(), Some("shop"));
        let ramp = outline.flags[1].ramp.as_ref().unwrap();
        assert_eq!((ramp.variant.as_deref(), ramp.share.as_deref()), (Some("blue"), Some("100%")));
        assert!(outline.flags[0].has_rule && !outline.flags[1].has_rule);
        assert_eq!(outline.flags[0].off.as_deref(), Some("off"));
        let (definitions, problems) = Definitions::load(std::slice::from_ref(&source));
        // The seed of the document is kept, and so are the places of what is wrong.
        assert!(problems.iter().any(|it| it.place.is_some_and(|place| place.line == 7)));
        assert_ne!(definitions.version(), Definitions::load(&[changed("{}")]).0.version());
    }

    #[test]
    fn flags_in_a_list_are_found_by_their_key() {
        let text = r#"{"flags": [{"key": "a", "state": "ENABLED", "variants": {"x": 1, "y": 2},
            "defaultVariant": "x"}]}"#;
        let source = Source::new("a.json", text).with_changes(r#"{"a": {"defaultVariant": "y"}}"#);
        assert_eq!(answer(&source, "a", "u"), "y = 2 (STATIC)");
    }

    #[test]
    fn changes_that_cannot_be_read_are_an_error_of_the_document() {
        for changes in ["{", "[1]", "7"] {
            let (_, problems) = Definitions::load(&[changed(changes)]);
            let broken = problems.iter().any(|it| it.is_error() && it.flag.is_none());
            assert_eq!(broken, changes == "{", "{changes}: {problems:?}");
        }
        assert!(Outline::read(&changed("{")).is_err());
    }

    #[test]
    fn users_of_an_app_are_dealt_as_its_proxy_deals_them() {
        let changes = r#"{"b": {"cutover": {"ramp":
            {"variant": "blue", "split": null, "from": null, "until": null, "seed": null,
            "share": "12.3%", "as-app": true}}}}"#;
        let source = changed(changes);
        let mut on = 0;
        for user in 0..20_000 {
            let user = format!("user-{user}");
            let dealt = crate::sticky::flag_bucket("b", &user, 1000) < 123;
            assert_eq!(answer(&source, "b", &user).starts_with("blue"), dealt, "{user}");
            on += u32::from(dealt);
            if on > 50 {
                break;
            }
        }
        assert!(on > 50);
        let v2 = Source::new("a.yaml", &YAML.replace("v3", "v2")).with_changes(changes);
        assert!(answer(&v2, "b", "u").contains("v3"));
    }
}
