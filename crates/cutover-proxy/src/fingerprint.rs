//! What the bodies of two answers are compared by.

use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};

/// Bytes of a body that are hashed, so that comparing costs little whatever a body holds.
const HASHED: u64 = 1024 * 1024;
/// Lengths are told apart up to this one.
pub(crate) const COUNTED: u64 = 16 * 1024 * 1024;

/// The hash of the first MiB of a body, and its length up to 16 MiB. The hash has a random key for
/// each app, so that nobody can make two bodies that look the same.
#[derive(Debug)]
pub(crate) struct Fingerprint {
    hasher: DefaultHasher,
    length: u64,
}

impl Fingerprint {
    /// That of an empty body, under a key.
    pub(crate) fn new(key: &RandomState) -> Fingerprint {
        Fingerprint { hasher: key.build_hasher(), length: 0 }
    }

    /// The body goes on with this.
    pub(crate) fn add(&mut self, data: &[u8]) {
        let rest = usize::try_from(HASHED.saturating_sub(self.length)).unwrap_or(usize::MAX);
        if let Some(data) = data.get(..rest.min(data.len())) {
            self.hasher.write(data);
        }
        self.length = self.length.saturating_add(data.len() as u64).min(COUNTED);
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Fingerprint) -> bool {
        self.length == other.length && self.hasher.finish() == other.hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[&[u8]], key: &RandomState) -> Fingerprint {
        let mut print = Fingerprint::new(key);
        pieces.iter().for_each(|piece| print.add(piece));
        print
    }

    #[test]
    fn pieces_do_not_matter_and_bytes_and_lengths_do() {
        let key = RandomState::new();
        let body: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let whole = of(&[&body], &key);
        for size in [1, 7, 8, 4096, 65_537] {
            let pieces: Vec<&[u8]> = body.chunks(size).collect();
            assert!(of(&pieces, &key) == whole, "pieces of {size}");
        }
        assert!(of(&[&body[1..]], &key) != of(&[&body[..body.len() - 1]], &key));
        assert!(of(&[b"ab"], &key) != of(&[b"ac"], &key));
        // Behind what is hashed, the length counts.
        assert!(of(&[&body], &key) != of(&[&body, b"x"], &key));
        assert!(of(&[b""], &key) == of(&[], &key));
    }
}
