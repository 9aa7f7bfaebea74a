//! From text to a checked spec.

use super::Spec;
use super::check::{Problem, check, too_early};

/// A file as read.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name, for messages.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Larger files are refused: no spec is, and YAML can be made to grow.
const LARGEST: usize = 256 * 1024;

/// Reads a spec, with an overlay merged over it (`cutover.production.yaml`), and checks all of it.
///
/// An overlay's maps are merged key by key; anything else in it replaces what the base has.
///
/// # Errors
/// Everything that is wrong, at once where possible.
pub fn parse(base: &Source, overlay: Option<&Source>) -> Result<Spec, Vec<Problem>> {
    for source in [Some(base), overlay].into_iter().flatten() {
        if source.text.len() > LARGEST {
            let message = format!("the file is larger than {} KiB", LARGEST / 1024);
            return Err(vec![Problem::whole(&source.name, message)]);
        }
    }
    let spec = match overlay {
        None => read(base)?,
        Some(overlay) => merged(base, overlay)?,
    };
    let problems = check(&spec, &overlay.unwrap_or(base).name);
    if problems.is_empty() { Ok(spec) } else { Err(problems) }
}

fn read(source: &Source) -> Result<Spec, Vec<Problem>> {
    too_early(source)?;
    serde_saphyr::from_str(&source.text).map_err(|error| vec![Problem::of_yaml(source, &error)])
}

fn merged(base: &Source, overlay: &Source) -> Result<Spec, Vec<Problem>> {
    // The base alone first: its own mistakes are told with line and column.
    read(base)?;
    too_early(overlay)?;
    let value = |source: &Source| -> Result<serde_json::Value, Vec<Problem>> {
        serde_saphyr::from_str(&source.text).map_err(|e| vec![Problem::of_yaml(source, &e)])
    };
    let (mut whole, over) = (value(base)?, value(overlay)?);
    merge(&mut whole, over);
    serde_json::from_value(whole).map_err(|error| {
        // What is left can only come from the overlay; the place of a key there is found by name.
        vec![Problem::of_text(overlay, &error.to_string())]
    })
}

fn merge(base: &mut serde_json::Value, over: serde_json::Value) {
    use serde_json::Value;
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (base, over) => *base = over,
    }
}
