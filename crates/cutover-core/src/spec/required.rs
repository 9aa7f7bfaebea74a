//! Which keys a part of a spec cannot do without.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::schema;

/// A key, and what it means.
type Keys = Vec<(String, String)>;

/// By the name of the type; from the schema, which knows what serde tells only one by one.
static REQUIRED: LazyLock<BTreeMap<String, Keys>> = LazyLock::new(|| {
    let schema = schema();
    let defined = schema["$defs"].as_object().into_iter().flatten();
    let root = schema["title"].as_str().unwrap_or_default();
    let all = defined.map(|(name, part)| (name.as_str(), part)).chain([(root, &schema)]);
    all.map(|(name, part)| (name.to_owned(), keys(part))).collect()
});

/// The keys that a type has to have, with their meaning.
pub(super) fn required(name: &str) -> &'static [(String, String)] {
    REQUIRED.get(name).map_or(&[], Vec::as_slice)
}

fn keys(part: &Value) -> Keys {
    let names = part["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let meaning = |name: &str| {
        let text = part["properties"][name]["description"].as_str().unwrap_or_default();
        let sentence = text.split(['.', '\n']).next().unwrap_or_default();
        let mut letters = sentence.chars();
        let first = letters.next().map(|first| first.to_lowercase().to_string());
        first.unwrap_or_default() + letters.as_str()
    };
    names.map(|name| (name.to_owned(), meaning(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_says_what_is_required_and_what_it_means() {
        let of = |name: &str| {
            let keys = required(name).iter();
            keys.map(|(key, meaning)| format!("{key}: {meaning}")).collect::<Vec<_>>()
        };
        assert_eq!(of("Spec"), ["app: the app's name", "release: what one instance runs"]);
        assert_eq!(of("Secret").len(), 1);
        assert_eq!(of("Drain"), Vec::<String>::new());
        assert_eq!(of("NoSuchType"), Vec::<String>::new());
    }
}
