//! A quick hash for tables whose keys come from definitions. Requests only look up in them, so
//! nobody can make keys collide who could not write the definitions anyway.

use std::hash::{BuildHasher, Hasher};

/// Makes [`KeyHasher`]s.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FastKeys;

/// Multiplies and rotates, eight bytes at a time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeyHasher(u64);

impl BuildHasher for FastKeys {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher(0x243f_6a88_85a3_08d3)
    }
}

impl KeyHasher {
    #[inline]
    fn mix(&mut self, block: u64) {
        let wide = u128::from(self.0 ^ block) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
        // Both halves of the product, folded.
        self.0 = (wide as u64) ^ ((wide >> 64) as u64);
    }
}

impl Hasher for KeyHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<8>();
        for block in blocks {
            self.mix(u64::from_le_bytes(*block));
        }
        let mut last = bytes.len() as u64;
        for byte in rest {
            last = (last << 8) | u64::from(*byte);
        }
        self.mix(last);
    }

    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.0 ^= u64::from(byte);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
