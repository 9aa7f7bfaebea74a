//! A row of small bars.

/// From zero to the top. Zero is a line, so that it differs from nothing being known.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One bar for each value between zero and `top`; ` ` where there is none.
pub(super) fn bars(values: &[Option<f64>], top: f64) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_little_all_and_unknown_look_different() {
        let values = [Some(0.0), Some(0.01), Some(5.0), Some(10.0), Some(99.0), None];
        assert_eq!(bars(&values, 10.0), "▁▂▅██ ");
        assert_eq!(bars(&[Some(0.0)], 0.0), "▁");
    }
}
