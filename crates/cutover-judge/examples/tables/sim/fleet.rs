//! Many rollouts on a few threads; the outcome does not depend on how many.

/// Rollouts 0 to `runs`, in order.
pub(crate) fn simulate<T: Send>(
    threads: usize,
    runs: usize,
    one: impl Fn(u64) -> T + Sync,
) -> Vec<T> {
    let each = runs.div_ceil(threads.max(1)).max(1);
    let starts: Vec<usize> = (0..runs).step_by(each).collect();
    std::thread::scope(|scope| {
        let one = &one;
        let work: Vec<_> = starts
            .into_iter()
            .map(|start| {
                let part = start..(start + each).min(runs);
                scope.spawn(move || part.map(|run| one(run as u64)).collect::<Vec<T>>())
            })
            .collect();
        work.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
    })
}

/// A seed for a rollout: worlds do not share streams.
pub(crate) fn seed(world: u64, run: u64) -> u64 {
    // The finaliser of splitmix64 (Steele, Lea and Flood, 2014) keeps neighbours apart.
    let mut z = (world << 32 | run).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
