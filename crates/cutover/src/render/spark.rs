//! A row of small bars.

/// From zero to the top. Zero is a line, so that it differs from nothing being known.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One bar for each value between zero and `top`; ` ` where there is none.
pub(crate) fn bars(values: &[Option<f64>], top: f64) -> String {
    let bar = |value: &Option<f64>| match value {
        None => ' ',
        Some(value) if *value <= 0.0 => BARS[0],
        Some(value) => {
            // What is not zero never looks like it.
            let step = (value / top.max(f64::EPSILON) * 7.0).ceil() as usize;
            BARS.get(step.clamp(1, 7)).copied().unwrap_or(BARS[7])
        }
    };
    values.iter().map(bar).collect()
}

/// As many values as there are columns: each is the newest of those that it stands for.
pub(crate) fn columns(values: &[f64], width: usize) -> Vec<Option<f64>> {
    let count = values.len().min(width);
    let newest = |column: usize| values.get(((column + 1) * values.len()).div_ceil(count) - 1);
    (0..count).map(|column| newest(column).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_little_all_and_unknown_look_different() {
        let values = [Some(0.0), Some(0.01), Some(5.0), Some(10.0), Some(99.0), None];
        assert_eq!(bars(&values, 10.0), "▁▂▅██ ");
        assert_eq!(bars(&[Some(0.0)], 0.0), "▁");
    }

    #[test]
    fn columns_end_with_the_newest() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(columns(&values, 2), [Some(3.0), Some(5.0)]);
        assert_eq!(columns(&values, 9).len(), 5);
        assert_eq!((columns(&[], 3), columns(&values, 0)), (vec![], vec![]));
    }
}
