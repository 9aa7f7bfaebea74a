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

/// Reads a spec, with overlays merged over it one after the other (`cutover.production.yaml`, then
/// settings of the command line), and checks all of it.
///
/// An overlay's maps are merged key by key; anything else in it replaces what was there.
///
/// # Errors
/// Everything that is wrong, at once where possible.
pub fn parse(base: &Source, overlays: &[Source]) -> Result<Spec, Vec<Problem>> {
    for source in std::iter::once(base).chain(overlays) {
        if source.text.len() > LARGEST {
            let message = format!("the file is larger than {} KiB", LARGEST / 1024);
            return Err(vec![Problem::whole(&source.name, message)]);
        }
    }
    let mut spec = read(base)?;
    let mut whole = value(base)?;
    for overlay in overlays {
        too_early(overlay)?;
        merge(&mut whole, value(overlay)?);
        // What is wrong now was right before this overlay; its key is looked up there by name.
        spec = serde_json::from_value(whole.clone())
            .map_err(|error| vec![Problem::of_text(overlay, &error.to_string())])?;
    }
    let problems = check(&spec, &overlays.last().unwrap_or(base).name);
    if problems.is_empty() { Ok(spec) } else { Err(problems) }
}

fn read(source: &Source) -> Result<Spec, Vec<Problem>> {
    too_early(source)?;
    serde_saphyr::from_str(&source.text).map_err(|error| vec![Problem::of_yaml(source, &error)])
}

fn value(source: &Source) -> Result<serde_json::Value, Vec<Problem>> {
    serde_saphyr::from_str(&source.text).map_err(|error| vec![Problem::of_yaml(source, &error)])
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
