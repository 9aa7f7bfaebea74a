//! Finding where a falling step function crosses zero.

/// How near a root is found, in the unit of the metric: Kayenta's, absolute.
const TOLERANCE: f64 = 1e-4;
const MOST_STEPS: u32 = 1000;

/// A place and the function's value there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) at: f64,
    pub(super) value: f64,
}

/// A root between two places where the function has opposite signs.
///
/// Brent's method (*Algorithms for Minimization without Derivatives*, 1973, chapter 4) in the form
/// that R's `uniroot` and Kayenta use. On a step function it ends at either side of the step, so
/// the order of its steps is part of the result.
///
/// # Errors
/// The function's first.
pub(super) fn root<E>(
    [start, end]: [Point; 2],
    mut function: impl FnMut(f64) -> Result<f64, E>,
) -> Result<f64, E> {
    if start.value == 0.0 {
        return Ok(start.at);
    }
    // `best` is the answer so far, `last` the one before, `opposite` has the other sign.
    let (mut last, mut best, mut opposite) = (start, end, start);
    for _ in 0..=MOST_STEPS {
        let moved = best.at - last.at;
        if opposite.value.abs() < best.value.abs() {
            (last, best, opposite) = (best, opposite, best);
        }
        let tolerance = 2.0 * f64::EPSILON * best.at.abs() + TOLERANCE / 2.0;
        let half = (opposite.at - best.at) / 2.0;
        if half.abs() <= tolerance || best.value == 0.0 {
            break;
        }
        let fast = moved.abs() >= tolerance && last.value.abs() > best.value.abs();
        let guess = if fast { interpolate([last, best, opposite], moved, tolerance) } else { None };
        let step = guess.unwrap_or(half);
        let step = if step.abs() >= tolerance {
            step
        } else if step > 0.0 {
            tolerance
        } else {
            -tolerance
        };
        last = best;
        best.at += step;
        best.value = function(best.at)?;
        if best.value * opposite.value > 0.0 {
            opposite = last;
        }
    }
    Ok(best.at)
}

/// The step to where a line or an inverse parabola through the points is zero; none if it leads too
/// far or halves too little.
fn interpolate(points: [Point; 3], moved: f64, tolerance: f64) -> Option<f64> {
    let [last, best, opposite] = points;
    let width = opposite.at - best.at;
    let to_last = best.value / last.value;
    let (above, below) = if last.at == opposite.at {
        (width * to_last, 1.0 - to_last)
    } else {
        let across = last.value / opposite.value;
        let to_opposite = best.value / opposite.value;
        let bend = across * (across - to_opposite);
        let above = to_last * (width * bend - (best.at - last.at) * (to_opposite - 1.0));
        (above, (across - 1.0) * (to_opposite - 1.0) * (to_last - 1.0))
    };
    let (above, below) = if above > 0.0 { (above, -below) } else { (-above, below) };
    let inside = above < 0.75 * width * below - (tolerance * below).abs() / 2.0;
    (inside && above < (moved * below / 2.0).abs()).then(|| above / below)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn find(low: f64, high: f64, function: impl Fn(f64) -> f64) -> f64 {
        let ends = [low, high].map(|at| Point { at, value: function(at) });
        let found: Result<f64, Infallible> = root(ends, |at| Ok(function(at)));
        found.unwrap()
    }

    #[test]
    fn smooth_and_stepped_roots_are_found_within_the_tolerance() {
        assert!((find(0.0, 2.0, |x| 2.0 - x * x) - 2.0_f64.sqrt()).abs() < 1e-4);
        assert!((find(-9.0, 9.0, |x| if x < 1.234 { 1.0 } else { -3.0 }) - 1.234).abs() < 1e-4);
        assert_eq!(find(1.0, 3.0, |x| 1.0 - x), 1.0);
        assert_eq!(find(-1.0, 1.0, |x| 1.0 - x), 1.0);
    }

    #[test]
    fn what_never_crosses_zero_ends() {
        assert!(find(0.0, 1.0, |_| 1.0).is_finite());
        assert!(!find(0.0, 1.0, |_| f64::NAN).is_nan());
    }
}
