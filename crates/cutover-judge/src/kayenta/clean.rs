//! What is taken out of an arm before it is compared.

use super::settings::{Metric, NanStrategy, OutlierStrategy};

/// The values of an arm that are compared, in ascending order.
pub(super) fn clean(values: &[f64], metric: &Metric) -> Vec<f64> {
    let mut kept: Vec<f64> = match metric.nan_strategy {
        NanStrategy::Remove => values.iter().copied().filter(|value| !value.is_nan()).collect(),
        NanStrategy::Replace => {
            values.iter().map(|value| if value.is_nan() { 0.0 } else { *value }).collect()
        }
    };
    kept.sort_by(f64::total_cmp);
    match metric.outliers.strategy {
        OutlierStrategy::Keep => kept,
        OutlierStrategy::Remove => without_outliers(kept, metric.outliers.factor),
    }
}

/// Drops what is outside the fences: `factor` interquartile ranges beyond the quartiles, but never
/// within the 1st and the 99th percentile (Kayenta's `reduceSensitivity`).
fn without_outliers(mut sorted: Vec<f64>, factor: f64) -> Vec<f64> {
    let (Some(q1), Some(q3)) = (percentile(&sorted, 0.25), percentile(&sorted, 0.75)) else {
        return sorted;
    };
    let (Some(p1), Some(p99)) = (percentile(&sorted, 0.01), percentile(&sorted, 0.99)) else {
        return sorted;
    };
    let reach = factor * (q3 - q1);
    let (low, high) = (p1.min(q1 - reach), p99.max(q3 + reach));
    sorted.retain(|value| (low..=high).contains(value));
    sorted
}

/// A percentile of values in order, between neighbours in proportion (R's type 7).
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share * last as f64;
    let below = (place.floor() as usize).min(last);
    let (low, high) = (*sorted.get(below)?, *sorted.get((below + 1).min(last))?);
    Some(low + (place - place.floor()) * (high - low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kayenta::settings::Outliers;

    fn metric(nan_strategy: NanStrategy, strategy: OutlierStrategy, factor: f64) -> Metric {
        Metric { nan_strategy, outliers: Outliers { strategy, factor }, ..Metric::default() }
    }

    #[test]
    fn missing_values_go_or_are_zero() {
        let values = [2.0, f64::NAN, 1.0];
        let removed = clean(&values, &metric(NanStrategy::Remove, OutlierStrategy::Keep, 3.0));
        assert_eq!(removed, [1.0, 2.0]);
        let replaced = clean(&values, &metric(NanStrategy::Replace, OutlierStrategy::Keep, 3.0));
        assert_eq!(replaced, [0.0, 1.0, 2.0]);
    }

    #[test]
    fn percentiles_are_those_of_r_type_7() {
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        assert_eq!(percentile(&sorted, 0.25), Some(2.0));
        assert_eq!(percentile(&sorted, 0.99), Some(8.0 + 0.96 * 8.0));
        assert_eq!(percentile(&sorted, 1.0), Some(16.0));
        assert_eq!(percentile(&[3.0], 0.5), Some(3.0));
        assert_eq!(percentile(&[], 0.5), None);
    }

    /// With 100 values around 0 and one at 1000, the 99th percentile is 9, the fence lower.
    #[test]
    fn only_values_beyond_both_fences_are_outliers() {
        let mut values: Vec<f64> = (0..100).map(|place| f64::from(place % 10)).collect();
        values.push(1000.0);
        let remove = metric(NanStrategy::Remove, OutlierStrategy::Remove, 3.0);
        assert_eq!(clean(&values, &remove).len(), 100);
        assert_eq!(
            clean(&values, &metric(NanStrategy::Remove, OutlierStrategy::Keep, 3.0)).len(),
            101
        );
        // Of ten values, the 99th percentile lies close below the greatest: it alone can go.
        let few = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 50.0, 1000.0];
        assert_eq!(clean(&few, &remove).len(), 9);
        // The ends of an even spread are beyond those percentiles, but within the ranges.
        let even: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(clean(&even, &remove), even);
        assert!(clean(&[], &remove).is_empty());
    }
}
