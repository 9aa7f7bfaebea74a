//! The probability of counts under a Dirichlet mixture of multinomials, against a fixed one.

/// One arm's count in a tick.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// Units counted.
    pub(super) count: f64,
    /// The arm's share under the null hypothesis, above 0.
    pub(super) share: f64,
    /// The arm's expected share under the mixture, above 0.
    pub(super) predicted: f64,
}

/// ln Q(x)/P(x): P multinomial with the shares, Q Dirichlet-multinomial around the predicted ones.
///
/// With aᵢ = `concentration`·predictedᵢ this is
/// lnΓ(Σa) - lnΓ(Σa+n) + Σ(lnΓ(aᵢ+xᵢ) - lnΓ(aᵢ)) - Σ xᵢ ln θᵢ, the Bayes factor of Lindon and Malek
/// (*Anytime-valid inference for multinomial count data*, `NeurIPS` 2022). The large parts of the
/// terms cancel, so they are left out.
pub(super) fn log_ratio(cells: &[Cell], concentration: f64) -> f64 {
    let total: f64 = cells.iter().map(|cell| cell.count).sum();
    let arms = cells.iter().map(|cell| {
        excess(concentration * cell.predicted, cell.count)
            + cell.count * (cell.predicted / cell.share).ln()
    });
    arms.sum::<f64>() - excess(concentration, total)
}

/// lnΓ(a+x) - lnΓ(a) - x ln a, for a > 0 and x ≥ 0: without a loss of digits where x is far below a.
fn excess(a: f64, x: f64) -> f64 {
    if a < 64.0 {
        return libm::lgamma(a + x) - libm::lgamma(a) - x * a.ln();
    }
    // Stirling's series; what is left out is below 1e-12.
    let rest = |z: f64| (1.0 - 1.0 / (30.0 * z * z)) / (12.0 * z);
    (a + x - 0.5) * (x / a).ln_1p() - x + (rest(a + x) - rest(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells<const K: usize>(counts: [f64; K], shares: [f64; K]) -> [Cell; K] {
        std::array::from_fn(|arm| Cell {
            count: counts[arm],
            share: shares[arm],
            predicted: shares[arm],
        })
    }

    /// Figures by mpmath's `loggamma` at 50 digits.
    #[test]
    fn figures_are_those_of_an_independent_computation() {
        assert!(
            (log_ratio(&cells([60.0, 40.0], [0.5, 0.5]), 100.0) - 0.658_891_818_046_671_9).abs()
                < 1e-9
        );
        let three = cells([700.0, 210.0, 90.0], [0.7, 0.2, 0.1]);
        assert!((log_ratio(&three, 1e4) - -0.024_736_848_742_276_98).abs() < 1e-9);
        let skewed = cells([51e4, 49e4], [0.5, 0.5]);
        assert!((log_ratio(&skewed, 1e4) - 195.725_356_299_283_1).abs() < 1e-7);
        assert!((excess(3.5, 12.0) - 10.302_785_266_824_123).abs() < 1e-12);
        assert!((excess(5e9, 1234.0) / 1.521_521_874_880_189_6e-4 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn both_forms_agree_where_they_meet() {
        for x in [0.0, 1.0, 7.0, 1e3, 1e6] {
            let (below, above) = (excess(63.999_999_999, x), excess(64.0, x));
            assert!((below - above).abs() < 1e-7 * (1.0 + above.abs()), "{x}: {below} {above}");
        }
    }
}
