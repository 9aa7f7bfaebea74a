//! Is a share above a fixed limit? Evidence that stays valid however often it is looked at.
//!
//! The likelihood of the counts under a mixture of all shares, Beta(1/2, 1/2), over that at the
//! limit (Robbins, *Statistical methods related to the law of the iterated logarithm*, 1970). Where
//! the share is the limit this is a martingale that begins at 1, so by Ville's inequality it ever
//! reaches 1/α with a chance of at most α. Only counts above the limit are evidence, and more bad
//! ones are more of it, so smaller shares reach it even less often.

use libm::{lgamma, log};

/// The natural logarithm of the evidence that more than `limit` (0 to 1) of the answers are bad;
/// zero while no more than that were.
#[must_use]
pub fn log_above(bad: u64, all: u64, limit: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of one stage are far below 2^52")]
    let (bad, good) = (bad.min(all) as f64, all.saturating_sub(bad) as f64);
    if bad <= limit * (bad + good) {
        return 0.0;
    }
    if limit <= 0.0 {
        return f64::INFINITY;
    }
    let log_beta = |a: f64, b: f64| lgamma(a) + lgamma(b) - lgamma(a + b);
    let mixed = log_beta(bad + 0.5, good + 0.5) - log_beta(0.5, 0.5);
    (mixed - bad * log(limit) - good * log(1.0 - limit)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator (splitmix64): uniform between 0 and 1.
    fn uniform(state: &mut u64) -> f64 {
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    #[test]
    fn nothing_at_or_below_the_limit_is_evidence() {
        assert_eq!(log_above(0, 0, 0.01), 0.0);
        assert_eq!(log_above(1, 100, 0.01), 0.0);
        assert_eq!(log_above(0, 1_000_000, 0.0), 0.0);
        assert!(log_above(1, 1_000_000, 0.0).is_infinite());
    }

    #[test]
    fn two_errors_in_a_hundred_are_not_and_a_broken_release_is_at_once() {
        let sure = log(100.0);
        assert!(log_above(2, 100, 0.01) < sure);
        assert!(log_above(3, 3, 0.01) > sure);
        assert!(log_above(10, 100, 0.01) > sure);
        assert!(log_above(150, 10_000, 0.01) > sure);
    }

    #[test]
    fn looking_after_each_answer_is_wrong_in_at_most_one_of_a_hundred() {
        let (runs, mut state) = (2000, 7);
        for share in [0.01, 0.002] {
            let mut wrong = 0;
            for _ in 0..runs {
                let mut bad = 0;
                let above = (1..=4000_u64).any(|all| {
                    bad += u64::from(uniform(&mut state) < share);
                    log_above(bad, all, 0.01) >= log(100.0)
                });
                wrong += u32::from(above);
            }
            assert!(wrong <= runs / 100 + 9, "{wrong} of {runs} at {share}");
        }
    }
}
