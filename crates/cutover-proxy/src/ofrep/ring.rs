//! The newest tracks, and how many exposures there were.

use std::collections::{BTreeMap, VecDeque};

use cutover_core::served_flags::{Track, Tracks};

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
    tracks: VecDeque<Track>,
    bytes: usize,
    /// The newest cursor that somebody has.
    read: u64,
    /// Forgotten before anybody read them.
    pub(super) unread: u64,
    pub(super) exposures: BTreeMap<String, BTreeMap<String, u64>>,
    counted: usize,
}

impl Ring {
    pub(super) fn push(&mut self, track: Track) {
        if let Track::Exposure { flag, variant, .. } = &track {
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

    pub(super) fn after(&mut self, after: u64, epoch: u64) -> Tracks {
        let newest = self.forgotten + self.tracks.len() as u64;
        // A cursor of a process before this one says nothing.
        let from = if after > newest { self.forgotten } else { after.max(self.forgotten) };
        let skipped = usize::try_from(from - self.forgotten).unwrap_or(usize::MAX);
        let tracks: Vec<Track> = self.tracks.iter().skip(skipped).take(MOST).cloned().collect();
        let cursor = from + tracks.len() as u64;
        self.read = self.read.max(cursor);
        let gap = after != from;
        Tracks { epoch, cursor, gap, tracks, exposures: self.exposures.clone() }
    }
}

fn size(track: &Track) -> usize {
    let texts = match track {
        Track::Exposure { targeting_key, flag, variant } => {
            targeting_key.len() + flag.len() + variant.len()
        }
        Track::Outcome { targeting_key, name, flag, variant, .. } => {
            let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
            targeting_key.len() + name.len() + length(flag) + length(variant)
        }
    };
    texts + size_of::<Track>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(number: usize) -> Track {
        let variant = if number.is_multiple_of(2) { "on" } else { "off" };
        Track::Exposure {
            targeting_key: format!("u{number}"),
            flag: "new".into(),
            variant: variant.into(),
        }
    }

    #[test]
    fn readers_get_each_track_once_and_are_told_of_gaps() {
        let mut ring = Ring::default();
        (0..KEPT + 10).for_each(|number| ring.push(seen(number)));
        assert_eq!(ring.unread, 10, "nobody had read the oldest");
        let first = ring.after(0, 7);
        assert!(first.gap && first.epoch == 7);
        assert_eq!(first.tracks.first(), Some(&seen(10)));
        let mut cursor = first.cursor;
        let mut read = first.tracks.len();
        loop {
            let next = ring.after(cursor, 7);
            assert!(!next.gap);
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
        assert!(ring.after(u64::MAX, 7).gap, "a cursor from another process");
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let mut ring = Ring::default();
        for _ in 0..KEPT {
            let long = "x".repeat(1000);
            ring.push(Track::Outcome {
                targeting_key: long,
                name: "paid".into(),
                value: Some(1.0),
                flag: None,
                variant: None,
            });
        }
        assert!(ring.bytes <= KEPT_BYTES && ring.tracks.len() > 5000, "{}", ring.tracks.len());
    }
}
