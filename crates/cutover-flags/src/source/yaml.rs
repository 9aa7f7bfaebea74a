//! YAML as the same tree that JSON gives, built from the parser's events without recursion. Plain
//! scalars mean what they mean in YAML 1.2's core schema: `off` is a text, `1.10` stays as written.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{
    Event, Options, Parser, ScalarStyle, ScanError, Span, Tag, options,
};

use super::DEEPEST;
use super::json::is_number;
use super::tree::{Entry, Kind, Node, Unreadable};
use crate::problem::{Place, shortened};

/// How many parts aliases may stand for, over the whole document.
const MOST_COPIED: usize = 100_000;

/// Reads a document that is one value.
pub(super) fn read(text: &str) -> Result<Node, Unreadable> {
    let mut builder = Builder { open: vec![], done: None, anchors: HashMap::new(), copied: 0 };
    for event in Parser::new_from_str_with_options(text, limits()) {
        let (event, span) = event.map_err(|error| unreadable(&error))?;
        builder.take(event, &span)?;
    }
    builder.done.ok_or_else(|| Unreadable { place: None, message: "it is empty".to_owned() })
}

fn limits() -> Options {
    options! {
        emit_comments: false,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    }
}

fn unreadable(error: &ScanError) -> Unreadable {
    let at = error.marker();
    let place = Place { line: at.line() as u64, column: at.col() as u64 + 1 };
    Unreadable { place: Some(place), message: shortened(&error.info()) }
}

/// A list or map that has not ended.
struct Open {
    node: Node,
    anchor: usize,
    /// The key whose value comes next.
    key: Option<(Place, String)>,
}

struct Builder {
    open: Vec<Open>,
    done: Option<Node>,
    anchors: HashMap<usize, (Node, usize)>,
    copied: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Unreadable> {
        let place = Place { line: span.start.line() as u64, column: span.start.col() as u64 + 1 };
        let refuse =
            |message: &str| Err(Unreadable { place: Some(place), message: message.to_owned() });
        match event {
            Event::DocumentStart(..) if self.done.is_some() => {
                refuse("a second document begins here")
            }
            Event::Scalar(text, style, anchor, tag) => {
                let Some(kind) = scalar(&text, style, tag.as_deref()) else {
                    return refuse("tags have no meaning here");
                };
                self.place_value(Node { place: Some(place), kind }, anchor, Some(&text))
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(Kind::List(vec![]), place, anchor, tag.is_some())
            }
            Event::MappingStart(_, anchor, tag) => {
                self.begin(Kind::Map(vec![]), place, anchor, tag.is_some())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.place_value(open.node, open.anchor, None),
                None => refuse("nothing is open here"),
            },
            Event::Alias(anchor) => {
                let Some((node, parts)) = self.anchors.get(&anchor) else {
                    return refuse("this alias stands for itself");
                };
                let (node, parts) = (node.clone(), *parts);
                self.copy(parts, Some(place))?;
                self.place_value(node, 0, None)
            }
            Event::UnresolvedAlias(_) => refuse("this alias stands for nothing"),
            // The stream and its documents; what is not known is no value.
            _ => Ok(()),
        }
    }

    /// Anchors and aliases are copies, and there is an end to them.
    fn copy(&mut self, parts: usize, place: Option<Place>) -> Result<(), Unreadable> {
        self.copied += parts;
        match self.copied > MOST_COPIED {
            true => {
                let message =
                    format!("anchors and aliases stand for more than {MOST_COPIED} parts");
                Err(Unreadable { place, message })
            }
            false => Ok(()),
        }
    }

    fn begin(
        &mut self,
        kind: Kind,
        place: Place,
        anchor: usize,
        tagged: bool,
    ) -> Result<(), Unreadable> {
        let refuse = |message| Err(Unreadable { place: Some(place), message });
        if tagged {
            return refuse("tags have no meaning here".to_owned());
        }
        if self.open.len() >= DEEPEST {
            return refuse(format!("this is nested more than {DEEPEST} deep"));
        }
        self.open.push(Open { node: Node { place: Some(place), kind }, anchor, key: None });
        Ok(())
    }

    /// Puts a value where it belongs; `text` is what was written, for keys.
    fn place_value(
        &mut self,
        node: Node,
        anchor: usize,
        text: Option<&str>,
    ) -> Result<(), Unreadable> {
        if anchor != 0 {
            let parts = parts(&node);
            self.copy(parts, node.place)?;
            self.anchors.insert(anchor, (node.clone(), parts));
        }
        let place = node.place.unwrap_or(Place { line: 1, column: 1 });
        let deep = self.open.len() + depth(&node) > DEEPEST;
        if deep {
            let message = format!("this is nested more than {DEEPEST} deep");
            return Err(Unreadable { place: Some(place), message });
        }
        let Some(open) = self.open.last_mut() else {
            self.done = Some(node);
            return Ok(());
        };
        match (&mut open.node.kind, open.key.take()) {
            (Kind::List(items), _) => items.push(node),
            (Kind::Map(entries), Some((place, key))) => {
                entries.push(Entry { place: Some(place), key, value: node });
            }
            (Kind::Map(_), None) => match text.or_else(|| node.as_text()) {
                Some("<<") => {
                    let message = "merge keys are not read: write the entries out".to_owned();
                    return Err(Unreadable { place: Some(place), message });
                }
                Some(text) => open.key = Some((place, text.to_owned())),
                None => {
                    let message = "a key is a text".to_owned();
                    return Err(Unreadable { place: Some(place), message });
                }
            },
            (Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_), _) => {}
        }
        Ok(())
    }
}

/// What a scalar means; `None` if its tag has no meaning here.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Option<Kind> {
    match (tag, style) {
        (Some(tag), _) if tag.is_yaml_core_schema_tag("str") => Some(Kind::Text(text.to_owned())),
        (Some(_), _) => None,
        (None, ScalarStyle::Plain) => Some(plain(text)),
        (
            None,
            ScalarStyle::SingleQuoted
            | ScalarStyle::DoubleQuoted
            | ScalarStyle::Literal
            | ScalarStyle::Folded,
        ) => Some(Kind::Text(text.to_owned())),
    }
}

/// A plain scalar by YAML 1.2's core schema (§10.3.2), except that infinities and NaN are texts.
fn plain(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ if is_number(text) => Kind::Number(text.to_owned()),
        _ => number(text).map_or_else(|| Kind::Text(text.to_owned()), Kind::Number),
    }
}

/// A number that YAML writes in another way than JSON, as JSON writes it.
fn number(text: &str) -> Option<String> {
    let radix = |digits: &str, radix| u64::from_str_radix(digits, radix).ok();
    if let Some(digits) = text.strip_prefix("0x").filter(|digits| !digits.starts_with('+')) {
        return radix(digits, 16).map(|whole| whole.to_string());
    }
    if let Some(digits) = text.strip_prefix("0o").filter(|digits| !digits.starts_with('+')) {
        return radix(digits, 8).map(|whole| whole.to_string());
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (base, power) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = base.split_once('.').unwrap_or((base, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let power = power.strip_prefix(['+', '-']).unwrap_or(power);
    let sound = digits(whole)
        && digits(fraction)
        && !power.is_empty()
        && digits(power)
        && !(whole.is_empty() && fraction.is_empty());
    if !sound {
        return None;
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    if base == unsigned && !base.contains('.') {
        let whole = whole.trim_start_matches('0');
        return Some(format!("{sign}{}", if whole.is_empty() { "0" } else { whole }));
    }
    let float: f64 = text.parse().ok()?;
    // `{:?}` keeps the point of 10.0.
    float.is_finite().then(|| format!("{float:?}"))
}

fn children(node: &Node) -> Box<dyn Iterator<Item = &Node> + '_> {
    match &node.kind {
        Kind::List(items) => Box::new(items.iter()),
        Kind::Map(entries) => Box::new(entries.iter().map(|entry| &entry.value)),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {
            Box::new(std::iter::empty())
        }
    }
}

fn parts(node: &Node) -> usize {
    1 + children(node).map(parts).sum::<usize>()
}

fn depth(node: &Node) -> usize {
    children(node).map(|child| 1 + depth(child)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::to_json;
    use super::*;

    #[test]
    fn plain_scalars_mean_what_yaml_1_2_says() {
        let text = "on: off\nyes: no\nn: 1.10\nm: 10.0\nh: 0x1f\no: 0o17\nz: 007\np: +5\nd: .5\nt: true\nnull: ~\ns: \"10.0\"\ni: .inf\nb: 99999999999999999999\nx: !!str 10\nv: 1.2.3\n1: a\n";
        assert_eq!(
            to_json(&read(text).unwrap()),
            r#"{"on":"off","yes":"no","n":1.10,"m":10.0,"h":31,"o":15,"z":7,"p":5,"d":0.5,"t":true,"null":null,"s":"10.0","i":".inf","b":99999999999999999999,"x":"10","v":"1.2.3","1":"a"}"#
        );
    }

    #[test]
    fn places_and_aliases() {
        let node = read("# flags\na: &x [1, {b: c}]\nd: *x\n").unwrap();
        assert_eq!(node.get("d").unwrap().kind, node.get("a").unwrap().kind);
        assert_eq!(node.entries()[1].place, Some(Place { line: 3, column: 1 }));
        assert_eq!(node.get("a").unwrap().place, Some(Place { line: 2, column: 7 }));
    }

    #[test]
    fn errors_have_a_place_and_depth_an_end() {
        for bad in [
            "a: [1,\nb: 2",
            "a: *b",
            "a: &a [*a]",
            "a: 1\n---\nb: 2",
            "a: !x y",
            "<<: {a: 1}",
            "[a]: b",
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.place.is_some(), "{bad}: {error:?}");
        }
        for deep in ["[".repeat(100_000), "- ".repeat(100_000), "{a: ".repeat(100_000)] {
            assert!(read(&deep).is_err());
        }
        let bomb = format!("a: &a [1,1,1]\nb: [{}]\n", "*a,".repeat(40_000));
        assert!(read(&bomb).unwrap_err().message.contains("aliases"));
        let deeper = (1..100).fold("x0: &x0 1\n".to_owned(), |text, n| {
            format!("{text}x{n}: &x{n} [[*x{}]]\n", n - 1)
        });
        assert!(read(&deeper).unwrap_err().message.contains("nested"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "([a-z:\\-\\[\\]{}&*!|>'\"#%@\n 0-9.]|: |- ){0,60}") {
            let _ = read(&text);
        }

        #[test]
        fn json_is_yaml_too(value in value()) {
            let json = to_json(&value);
            prop_assert_eq!(to_json(&read(&json).unwrap()), json);
        }
    }

    fn value() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![
            Just(Node::null()),
            any::<bool>().prop_map(|truth| Node::new(Kind::Bool(truth))),
            any::<i32>().prop_map(|whole| Node::whole(whole.into())),
            "[ -~éß]{0,8}".prop_map(|text| Node::text(&text)),
        ];
        leaf.prop_recursive(4, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Node::list),
                proptest::collection::btree_map("[a-z]{1,4}", inner, 0..4).prop_map(|map| {
                    Node::map(map.iter().map(|(key, value)| (key.as_str(), value.clone())))
                }),
            ]
        })
    }
}
