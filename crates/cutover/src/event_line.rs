//! Events as they come over the wire.

use cutover_core::event::{Event, EventKind};
use serde_json::{Value, json};

/// Reads one event.
///
/// `Routed` carries a map keyed by release numbers, and serde cannot read number keys inside a
/// tagged enum (it buffers them as text: serde-rs/serde#1183). The map is read on its own.
pub(crate) fn read(line: &[u8]) -> Result<Event, serde_json::Error> {
    let mut value: Value = serde_json::from_slice(line)?;
    let shares = match value.get_mut("shares") {
        Some(shares) => std::mem::replace(shares, json!({})),
        None => return serde_json::from_value(value),
    };
    let mut event: Event = serde_json::from_value(value)?;
    if let EventKind::Routed { shares: known, .. } = &mut event.kind {
        *known = serde_json::from_value(shares)?;
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_by_release_survive_the_wire() {
        let line = br#"{"index":1,"at":2,"subject":"shop","type":"routed","shares":{"2":"25%"},"held":false}"#;
        let event = read(line).unwrap();
        let EventKind::Routed { shares, .. } = &event.kind else {
            panic!("{event:?}");
        };
        assert_eq!(shares.len(), 1);
        assert_eq!(read(&serde_json::to_vec(&event).unwrap()).unwrap(), event);
    }
}
