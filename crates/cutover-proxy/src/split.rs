//! A split of requests by weight.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

/// A split by weight, exact in each aligned block of 100 claims (1000 where a share is not whole
/// percent). Its sides are releases, or yes and no.
///
/// The order inside a block is shuffled, because a plain round robin aliases with periodic traffic:
/// at 10 % one side would get all the POSTs of a client that sends one every ten requests.
#[derive(Debug)]
pub(crate) struct Split<S> {
    /// The favoured side first; shares in thousandths.
    shares: Vec<(S, u32)>,
    seed: u64,
    claims: AtomicU64,
    block: ArcSwap<Block<S>>,
}

#[derive(Debug)]
struct Block<S> {
    number: u64,
    order: Vec<S>,
}

impl<S: Copy + PartialEq> Split<S> {
    /// Shares in thousandths, that of the favoured side first. Splits that deal the same requests
    /// need seeds of their own, or a request's sides in them would go together.
    pub(crate) fn new(shares: Vec<(S, u32)>, seed: u64) -> Arc<Split<S>> {
        let block = Block { number: 0, order: shuffled(&shares, seed, 0) };
        Arc::new(Split {
            shares,
            seed,
            claims: AtomicU64::new(0),
            block: ArcSwap::from_pointee(block),
        })
    }

    /// The one before where it is the same split, so that a new table goes on counting where the
    /// old one was.
    pub(crate) fn after(self: Arc<Self>, before: Option<&Arc<Self>>) -> Arc<Self> {
        match before {
            Some(before) if before.shares == self.shares => Arc::clone(before),
            Some(_) | None => self,
        }
    }

    /// The next place in the deal.
    pub(crate) fn ticket(&self) -> u64 {
        self.claims.fetch_add(1, Ordering::Relaxed)
    }

    /// The side of a place.
    pub(crate) fn side(&self, ticket: u64) -> Option<S> {
        let current = self.block.load();
        let size = current.order.len() as u64;
        let (number, place) = (ticket.checked_div(size)?, ticket.checked_rem(size)?);
        let place = usize::try_from(place).ok()?;
        if current.number == number {
            return current.order.get(place).copied();
        }
        // The order depends on nothing but seed and number, so it does not matter who makes it, and
        // that a late claim of an earlier block makes it once more.
        let block = Block { number, order: shuffled(&self.shares, self.seed, number) };
        let side = block.order.get(place).copied();
        if number > current.number {
            self.block.store(Arc::new(block));
        }
        side
    }

    /// The side of a bucket, 0 to 999. While the favoured share grows, buckets only move to it.
    pub(crate) fn side_of(&self, bucket: u32) -> Option<S> {
        let mut end = 0;
        for (side, share) in &self.shares {
            end += share;
            if bucket < end {
                return Some(*side);
            }
        }
        self.shares.last().map(|(side, _)| *side)
    }
}

impl Split<bool> {
    /// Yes for this many thousandths.
    pub(crate) fn yes(share: u32, seed: u64) -> Arc<Split<bool>> {
        Split::new(vec![(true, share), (false, 1000_u32.saturating_sub(share))], seed)
    }
}

fn shuffled<S: Copy>(shares: &[(S, u32)], seed: u64, number: u64) -> Vec<S> {
    let per = if shares.iter().all(|(_, share)| share % 10 == 0) { 10 } else { 1 };
    let mut order: Vec<S> = shares
        .iter()
        .flat_map(|(side, share)| {
            std::iter::repeat_n(*side, usize::try_from(share / per).unwrap_or(0))
        })
        .collect();
    // Odd, so that seeds of neighbouring blocks are far apart.
    let mut random = fastrand::Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    random.shuffle(&mut order);
    order
}

/// The places that one request took: one in each split, however often it is dealt by it.
#[derive(Debug)]
pub(crate) struct Places<S>(Vec<(Arc<Split<S>>, u64)>);

impl<S> Default for Places<S> {
    fn default() -> Places<S> {
        Places(Vec::new())
    }
}

impl<S: Copy + PartialEq> Places<S> {
    /// The side of the request's place in a split.
    pub(crate) fn side(&mut self, split: &Arc<Split<S>>) -> Option<S> {
        let taken = self.0.iter().find(|(of, _)| Arc::ptr_eq(of, split));
        let ticket = match taken {
            Some((_, ticket)) => *ticket,
            None => {
                let ticket = split.ticket();
                self.0.push((Arc::clone(split), ticket));
                ticket
            }
        };
        split.side(ticket)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::identity::bucket;

    /// Sides are numbers.
    fn split(shares: &[(u32, u32)]) -> Arc<Split<u32>> {
        Split::new(shares.to_vec(), 7)
    }

    #[test]
    fn every_aligned_block_is_exact_for_any_number_of_workers() {
        for (shares, size) in [
            (&[(2, 100), (1, 900)][..], 100),
            (&[(2, 5), (1, 995)][..], 1000),
            (&[(2, 300), (1, 500), (3, 200)][..], 100),
        ] {
            let split = split(shares);
            let per_thread: Vec<Vec<(u64, u32)>> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(|| {
                            let deal = |_| {
                                let ticket = split.ticket();
                                (ticket, split.side(ticket).unwrap())
                            };
                            (0..size * 5 / 2).map(deal).collect()
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let mut counts: BTreeMap<(u64, u32), u64> = BTreeMap::new();
            for (ticket, side) in per_thread.into_iter().flatten() {
                *counts.entry((ticket / size, side)).or_default() += 1;
            }
            for block in 0..10 {
                for (side, share) in shares {
                    let dealt = counts[&(block, *side)];
                    assert_eq!(dealt * 1000, u64::from(*share) * size, "block {block}");
                }
            }
        }
    }

    #[test]
    fn blocks_are_shuffled_each_in_its_own_way() {
        let split = split(&[(2, 100), (1, 900)]);
        let favoured = |block: u64| -> Vec<u64> {
            (0..100).filter(|place| split.side(block * 100 + place) == Some(2)).collect()
        };
        assert_ne!(favoured(0), favoured(1));
        assert_ne!(favoured(0), (0..10).collect::<Vec<_>>());
        assert_eq!(favoured(0), favoured(0));
    }

    #[test]
    fn shares_of_users_are_about_right() {
        let people: Vec<u32> = (0..2000).map(|number| bucket(&format!("user-{number}"))).collect();
        for share in [0, 10, 55, 250, 500, 999, 1000] {
            let split = split(&[(2, share), (1, 1000 - share)]);
            let count = people.iter().filter(|person| split.side_of(**person) == Some(2)).count();
            let wanted = people.len() * share as usize / 1000;
            assert!(count.abs_diff(wanted) < 100, "{count} at {share}");
        }
    }

    proptest! {
        #[test]
        fn users_only_move_forward_while_the_share_grows(
            identity in ".{0,40}",
            share in 0..=1000_u32,
            more in 0..=1000_u32,
        ) {
            let is_new = |share: u32| {
                split(&[(2, share), (1, 1000 - share)]).side_of(bucket(&identity)) == Some(2)
            };
            prop_assert!(is_new((share + more).min(1000)) >= is_new(share));
            prop_assert!(is_new(1000) && !is_new(0));
        }
    }
}
