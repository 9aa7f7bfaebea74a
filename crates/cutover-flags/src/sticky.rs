//! Sides of sticky splits: the same hash as flags, so that one rule tells who is where.

use crate::cbor;
use crate::hash::{Murmur3, bucket};

/// The bucket of an identity in a split, from 0 to `total` - 1: the hash of its deterministic CBOR.
#[must_use]
pub fn split_bucket(identity: &str, total: u32) -> u32 {
    let mut hash = Murmur3::default();
    cbor::put_text(identity, &mut hash);
    bucket(hash.finish(), total)
}

/// The bucket of an identity for a flag: the hash of the array of both, which is the default
/// bucketing value of `fractional`. Other flags have other users first.
#[must_use]
pub fn flag_bucket(flag: &str, identity: &str, total: u32) -> u32 {
    let mut hash = Murmur3::default();
    cbor::put_array_head(2, &mut hash);
    cbor::put_text(flag, &mut hash);
    cbor::put_text(identity, &mut hash);
    bucket(hash.finish(), total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_the_published_hash() {
        // Made by another implementation of MurmurHash3, of the bytes 82 text(flag) text(identity),
        // and text(identity).
        let long = "y".repeat(300);
        for (flag, identity, of_flag, of_split) in [
            ("new-checkout", "alice", 153, 385),
            ("new-checkout", "bob", 613, 497),
            ("n", "0123456789abcdef0123456789abcdef", 190, 782),
            ("new-checkout", "J\u{fc}rgen", 445, 371),
            ("x", long.as_str(), 101, 507),
        ] {
            assert_eq!(flag_bucket(flag, identity, 1000), of_flag, "{flag} {identity}");
            assert_eq!(split_bucket(identity, 1000), of_split, "{identity}");
        }
    }
}
