//! Which release a request goes to, and which of its instances.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use cutover_core::id::ReleaseId;
use cutover_core::units::Share;

use crate::identity::bucket;
use crate::instance::Instance;

/// A split by weight, exact in each aligned block of 100 claims (1000 where a share is not whole
/// percent).
///
/// The order inside a block is shuffled, because a plain round robin aliases with periodic traffic:
/// at 10 % one side would get all the POSTs of a client that sends one every ten requests.
#[derive(Debug)]
pub(crate) struct Split {
    /// The favoured release first; shares in thousandths.
    shares: Vec<(ReleaseId, u32)>,
    seed: u64,
    claims: AtomicU64,
    block: ArcSwap<Block>,
}

#[derive(Debug)]
struct Block {
    number: u64,
    order: Vec<ReleaseId>,
}

impl Split {
    pub(crate) fn new(
        shares: &BTreeMap<ReleaseId, Share>,
        favoured: ReleaseId,
        seed: u64,
    ) -> Arc<Split> {
        let mut shares: Vec<_> =
            shares.iter().map(|(release, share)| (*release, share.permille())).collect();
        shares.sort_by_key(|(release, _)| *release != favoured);
        let block = Block { number: 0, order: shuffled(&shares, seed, 0) };
        Arc::new(Split {
            shares,
            seed,
            claims: AtomicU64::new(0),
            block: ArcSwap::from_pointee(block),
        })
    }

    /// Is it the same split, so that a new table may go on counting where the old one was?
    pub(crate) fn equals(&self, other: &Split) -> bool {
        self.shares == other.shares
    }

    /// The next place in the deal.
    pub(crate) fn ticket(&self) -> u64 {
        self.claims.fetch_add(1, Ordering::Relaxed)
    }

    /// The release of a place.
    pub(crate) fn side(&self, ticket: u64) -> Option<ReleaseId> {
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

    /// The release of a user. While the favoured share grows, users only move to it.
    pub(crate) fn side_of(&self, identity: &str) -> Option<ReleaseId> {
        let bucket = bucket(identity);
        let mut end = 0;
        for (release, share) in &self.shares {
            end += share;
            if bucket < end {
                return Some(*release);
            }
        }
        self.shares.last().map(|(release, _)| *release)
    }
}

fn shuffled(shares: &[(ReleaseId, u32)], seed: u64, number: u64) -> Vec<ReleaseId> {
    let per = if shares.iter().all(|(_, share)| share % 10 == 0) { 10 } else { 1 };
    let mut order: Vec<ReleaseId> = shares
        .iter()
        .flat_map(|(release, share)| {
            std::iter::repeat_n(*release, usize::try_from(share / per).unwrap_or(0))
        })
        .collect();
    // Odd, so that seeds of neighbouring blocks are far apart.
    let mut random = fastrand::Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    random.shuffle(&mut order);
    order
}

/// The less busy of two random instances; one that just refused a connection, or is to be avoided,
/// only where there is no other.
pub(crate) fn choose<'a>(
    among: &'a [Arc<Instance>],
    avoid: Option<&Arc<Instance>>,
) -> Option<&'a Arc<Instance>> {
    let is_avoided =
        |instance: &Arc<Instance>| avoid.is_some_and(|avoid| Arc::ptr_eq(avoid, instance));
    let usable = |instance: &&Arc<Instance>| !is_avoided(instance) && !instance.is_refusing();
    let first = fastrand::usize(..among.len().max(1));
    let second = match among.len() {
        0 | 1 => first,
        // Any but the first one.
        count => (first + fastrand::usize(1..count)) % count,
    };
    let pair = (among.get(first).filter(usable), among.get(second).filter(usable));
    match pair {
        (Some(one), Some(other)) if other.load() < one.load() => Some(other),
        (Some(one), _) => Some(one),
        (None, Some(other)) => Some(other),
        (None, None) => {
            let mut turned = among.iter().cycle().skip(first).take(among.len());
            turned
                .clone()
                .find(usable)
                .or_else(|| turned.find(|instance| !is_avoided(instance)))
                .or_else(|| among.get(first))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(shares: &[(u32, u32)]) -> Arc<Split> {
        let shares = shares
            .iter()
            .map(|(release, share)| (ReleaseId(*release), Share::from_permille(*share)))
            .collect();
        Split::new(&shares, ReleaseId(2), 7)
    }

    #[test]
    fn every_aligned_block_is_exact_for_any_number_of_workers() {
        for (shares, size) in [
            (&[(1, 900), (2, 100)][..], 100),
            (&[(1, 995), (2, 5)][..], 1000),
            (&[(1, 500), (2, 300), (3, 200)][..], 100),
        ] {
            let split = split(shares);
            let per_thread: Vec<Vec<(u64, ReleaseId)>> = std::thread::scope(|scope| {
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
            let mut counts: BTreeMap<(u64, ReleaseId), u64> = BTreeMap::new();
            for (ticket, side) in per_thread.into_iter().flatten() {
                *counts.entry((ticket / size, side)).or_default() += 1;
            }
            for block in 0..10 {
                for (release, share) in shares {
                    let dealt = counts[&(block, ReleaseId(*release))];
                    assert_eq!(dealt * 1000, u64::from(*share) * size, "block {block}");
                }
            }
        }
    }

    #[test]
    fn blocks_are_shuffled_each_in_its_own_way() {
        let split = split(&[(1, 900), (2, 100)]);
        let favoured = |block: u64| -> Vec<u64> {
            (0..100).filter(|place| split.side(block * 100 + place) == Some(ReleaseId(2))).collect()
        };
        assert_ne!(favoured(0), favoured(1));
        assert_ne!(favoured(0), (0..10).collect::<Vec<_>>());
        assert_eq!(favoured(0), favoured(0));
    }

    #[test]
    fn users_only_move_forward_while_the_share_grows() {
        let people: Vec<String> = (0..2000).map(|number| format!("user-{number}")).collect();
        let mut before = 0;
        for share in [0, 10, 55, 250, 500, 999, 1000] {
            let split = split(&[(1, 1000 - share), (2, share)]);
            let sides: Vec<bool> =
                people.iter().map(|person| split.side_of(person) == Some(ReleaseId(2))).collect();
            let earlier = split_earlier(before, &people);
            assert!(earlier.iter().zip(&sides).all(|(was, is)| *is || !*was), "at {share}");
            let count = sides.iter().filter(|side| **side).count();
            let wanted = people.len() * share as usize / 1000;
            assert!(count.abs_diff(wanted) < 100, "{count} at {share}");
            before = share;
        }
    }

    fn split_earlier(share: u32, people: &[String]) -> Vec<bool> {
        let split = split(&[(1, 1000 - share), (2, share)]);
        people.iter().map(|person| split.side_of(person) == Some(ReleaseId(2))).collect()
    }

    #[test]
    fn an_instance_that_refuses_is_passed_over_while_there_is_another() {
        let instance = |slot| {
            let id = format!("r1.{slot}").parse().unwrap();
            Instance::new(id, "127.0.0.1:1".parse().unwrap())
        };
        let both = [instance(0), instance(1)];
        both[0].refused();
        assert!((0..100).all(|_| choose(&both, None).unwrap().id == both[1].id));
        both[1].refused();
        assert!((0..100).any(|_| choose(&both, None).unwrap().id == both[0].id));
        assert!((0..100).all(|_| choose(&both, Some(&both[0])).unwrap().id == both[1].id));
        assert!(choose(&both[..1], Some(&both[0])).is_some());
        assert!(choose(&[], None).is_none());
    }
}
