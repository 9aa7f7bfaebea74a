//! The hash that puts users into buckets: MurmurHash3 x86-32, seed 0 (Austin Appleby's SMHasher),
//! fed in pieces. Sticky splits of the data plane and flags use the same one.

/// The hash of what was fed so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Murmur3 {
    state: u32,
    /// Bytes that do not fill a block yet, lowest first.
    tail: u32,
    length: u32,
}

const C1: u32 = 0xcc9e_2d51;
const C2: u32 = 0x1b87_3593;

fn scrambled(block: u32) -> u32 {
    block.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2)
}

impl Murmur3 {
    /// Feeds bytes.
    #[inline]
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !self.length.is_multiple_of(4)
            && let Some((byte, after)) = rest.split_first()
        {
            self.push(*byte);
            rest = after;
        }
        let (blocks, odd) = rest.as_chunks::<4>();
        for block in blocks {
            self.mix(u32::from_le_bytes(*block));
        }
        // Lengths are part of the hash modulo 2^32, as in the original.
        self.length = self.length.wrapping_add((blocks.len() as u32).wrapping_mul(4));
        for byte in odd {
            self.push(*byte);
        }
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        let at = self.length % 4;
        self.tail |= u32::from(byte) << (8 * at);
        self.length = self.length.wrapping_add(1);
        if at == 3 {
            self.mix(self.tail);
            self.tail = 0;
        }
    }

    #[inline]
    fn mix(&mut self, block: u32) {
        let state = (self.state ^ scrambled(block)).rotate_left(13);
        self.state = state.wrapping_mul(5).wrapping_add(0xe654_6b64);
    }

    /// The hash.
    #[inline]
    #[must_use]
    pub fn finish(&self) -> u32 {
        let mut hash = self.state ^ scrambled(self.tail) ^ self.length;
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    }

    /// The hash of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> u32 {
        let mut hash = Murmur3::default();
        hash.feed(bytes);
        hash.finish()
    }
}

/// Which of `total` equal buckets a hash falls into: `(hash · total) >> 32`, from 0.
#[inline]
#[must_use]
pub fn bucket(hash: u32, total: u32) -> u32 {
    // The product of two 32-bit numbers, halved, fits 32 bits.
    ((u64::from(hash) * u64::from(total)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_published_values_come_out() {
        // SMHasher and the table of Wikipedia's article, seed 0.
        for (text, hash) in [
            ("", 0),
            ("test", 0xba6b_d213),
            ("Hello, world!", 0xc036_3e43),
            ("The quick brown fox jumps over the lazy dog", 0x2e4f_f723),
        ] {
            assert_eq!(Murmur3::of(text.as_bytes()), hash, "{text}");
        }
        // Chosen by flagd's test bed so that they fall at the ends of the range.
        assert_eq!(Murmur3::of(b"ejOoVL"), 0);
        assert_eq!(Murmur3::of(b"ceQdGm"), u32::MAX);
    }

    #[test]
    fn buckets_cover_all_and_no_more() {
        assert_eq!(bucket(0, 100), 0);
        assert_eq!(bucket(u32::MAX, 100), 99);
        assert_eq!(bucket(u32::MAX, i32::MAX as u32), i32::MAX as u32 - 1);
        assert_eq!(bucket(1 << 31, 2), 1);
        assert_eq!(bucket(u32::MAX, 0), 0);
    }

    proptest! {
        #[test]
        fn pieces_hash_as_the_whole(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..6)) {
            let mut hash = Murmur3::default();
            pieces.iter().for_each(|piece| hash.feed(piece));
            prop_assert_eq!(hash.finish(), Murmur3::of(&pieces.concat()));
        }
    }
}
