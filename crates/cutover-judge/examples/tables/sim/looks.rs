//! Tests on all counts so far: the z-test, which does not allow for looking often, and the
//! asymptotic confidence sequence, which does.

use cutover_judge::Counts;

/// Both sides' difference and its variance.
fn difference(candidate: Counts, stable: Counts) -> Option<(f64, f64)> {
    if candidate.requests == 0 || stable.requests == 0 {
        return None;
    }
    let variance = |side: Counts| side.rate() * (1.0 - side.rate()) / side.requests as f64;
    Some((candidate.rate() - stable.rate(), variance(candidate) + variance(stable)))
}

/// One-sided at 5 %, as if nobody had looked before.
pub(crate) fn z_test(candidate: Counts, stable: Counts) -> bool {
    difference(candidate, stable).is_some_and(|(d, v)| v > 0.0 && d > 1.645 * v.sqrt())
}

/// D ± √(VN)·√(2(Ns+1)/(N²s)·ln(√(Ns+1)/α)), tightest at 5000 requests, α = 1 % (Waudby-Smith,
/// Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
/// sequences", Annals of Statistics 2024).
pub(crate) fn asymptotic(candidate: Counts, stable: Counts) -> bool {
    const ALPHA: f64 = 0.01;
    let Some((d, v)) = difference(candidate, stable) else { return false };
    if d <= 0.0 || d * d <= 9.0 * v || candidate.bad + stable.bad < 2 {
        return false;
    }
    let tight = (-2.0 * ALPHA.ln() + (-2.0 * ALPHA.ln()).ln_1p()) / 5000.0;
    let n = (candidate.requests + stable.requests) as f64;
    let grown = n * tight + 1.0;
    d * d > v * n * 2.0 * grown / (n * n * tight) * (grown.sqrt() / ALPHA).ln()
}
