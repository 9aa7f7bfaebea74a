//! The newest tracks, and how many exposures there were.

use std::collections::{BTreeMap, VecDeque};

use cutover_core::served_flags::{Attribute, Track, Tracked, Tracks};

/// Tracks that are kept.
const KEPT: usize = 50_000;
/// Bytes of their texts that are kept.
const KEPT_BYTES: usize = 8 << 20;
/// Tracks in one answer.
const MOST: usize = 10_000;
/// Pairs of flag and variant that are counted.
const MOST_COUNTED: usize = 10_000;

/// Tracks by a number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// How many there were before the oldest one that is kept.
    forgotten: u64,
    tracks: VecDeque<Tracked>,
    bytes: usize,
    /// The newest cursor that somebody has.
    read: u64,
    /// Forgotten before anybody read them.
    pub(super) unread: u64,
    pub(super) exposures: BTreeMap<String, BTreeMap<String, u64>>,
    counted: usize,
}

impl Ring {
    pub(super) fn push(&mut self, track: Tracked) {
        if let Track::Exposure { flag, variant, .. } = &track.track {
            self.count(flag, variant);
        }
        self.bytes += size(&track);
        self.tracks.push_back(track);
        while self.tracks.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.tracks.pop_front() else { break };
            self.bytes -= size(&oldest);
            self.forgotten += 1;
            self.unread += u64::from(self.forgotten > self.read);
        }
    }

    fn count(&mut self, flag: &str, variant: &str) {
        if let Some(count) =
            self.exposures.get_mut(flag).and_then(|variants| variants.get_mut(variant))
        {
            *count += 1;
        } else if self.counted < MOST_COUNTED {
            self.counted += 1;
            self.exposures.entry(flag.to_owned()).or_default().insert(variant.to_owned(), 1);
        }
    }

    /// Tracks after a cursor; the caller fills in of which process and version they are.
    pub(super) fn after(&mut self, after: u64) -> Tracks {
        let newest = self.forgotten + self.tracks.len() as u64;
        // A cursor of a process before this one says nothing.
        let after = if after > newest { 0 } else { after };
        let from = after.max(self.forgotten);
        let skipped = usize::try_from(from - self.forgotten).unwrap_or(usize::MAX);
        let tracks: Vec<Tracked> = self.tracks.iter().skip(skipped).take(MOST).cloned().collect();
        let cursor = from + tracks.len() as u64;
        self.read = self.read.max(cursor);
        let (forgotten, exposures) = (from - after, self.exposures.clone());
        Tracks { cursor, forgotten, tracks, exposures, ..Tracks::default() }
    }
}

fn size(tracked: &Tracked) -> usize {
    let texts = match &tracked.track {
        Track::Exposure { targeting_key, flag, variant, attributes } => {
            let attribute = |(name, value): (&String, &Attribute)| {
                let text = if let Attribute::Text(text) = value { text.len() } else { 0 };
                // A map of few entries has one node with room for eleven.
                name.len() + text + 2 * size_of::<(String, Attribute)>()
            };
            let attributes = attributes.iter().map(attribute).sum::<usize>();
            targeting_key.len() + flag.len() + variant.len() + attributes
        }
        Track::Outcome { targeting_key, name, flag, variant, .. } => {
            let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
            targeting_key.len() + name.len() + length(flag) + length(variant)
        }
    };
    texts + size_of::<Tracked>()
}

#[cfg(test)]
mod tests {
    use cutover_core::units::At;

    use super::*;

    fn seen(number: usize) -> Tracked {
        let variant = if number.is_multiple_of(2) { "on" } else { "off" };
        let track = Track::Exposure {
            targeting_key: format!("u{number}"),
            flag: "new".into(),
            variant: variant.into(),
            attributes: BTreeMap::new(),
        };
        Tracked { at: At(7), track }
    }

    #[test]
    fn readers_get_each_track_once_and_are_told_of_gaps() {
        let mut ring = Ring::default();
        (0..KEPT + 10).for_each(|number| ring.push(seen(number)));
        assert_eq!(ring.unread, 10, "nobody had read the oldest");
        let first = ring.after(0);
        assert_eq!(first.forgotten, 10);
        assert_eq!(first.tracks.first(), Some(&seen(10)));
        let mut cursor = first.cursor;
        let mut read = first.tracks.len();
        loop {
            let next = ring.after(cursor);
            assert_eq!(next.forgotten, 0);
            if next.tracks.is_empty() {
                break;
            }
            assert_eq!(next.tracks[0], seen(10 + read));
            read += next.tracks.len();
            cursor = next.cursor;
        }
        assert_eq!(read, KEPT);
        // What was read may be forgotten.
        (0..5).for_each(|number| ring.push(seen(number)));
        assert_eq!(ring.unread, 10);
        assert_eq!(ring.exposures["new"]["on"] as usize, (KEPT + 10) / 2 + 3);
        assert_eq!(ring.after(u64::MAX).forgotten, 15, "a cursor from another process");
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let mut ring = Ring::default();
        for _ in 0..KEPT {
            let long = "x".repeat(1000);
            let track = Track::Outcome {
                targeting_key: long,
                name: "paid".into(),
                value: Some(1.0),
                flag: None,
                variant: None,
            };
            ring.push(Tracked { at: At(7), track });
        }
        assert!(ring.bytes <= KEPT_BYTES && ring.tracks.len() > 5000, "{}", ring.tracks.len());
    }
}
