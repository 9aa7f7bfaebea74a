//! The Mann-Whitney test as an interval for the shift between two arms.

use super::root::{Point, root};

/// The normal quantile at 99 %, for a two-sided interval of 98 %: Kayenta's, not configurable.
const QUANTILE: f64 = 2.326_347_874_040_841;

/// By how much the experiment is shifted against the control (Hodges and Lehmann).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shift {
    /// The lower end of the 98 % interval.
    pub(super) low: f64,
    /// The upper end.
    pub(super) high: f64,
    /// The median of the differences between a value of one arm and one of the other.
    pub(super) estimate: f64,
}

/// Why there is no shift to speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoShift {
    /// All values are equal once the arms are shifted: there is no order to test.
    AllTied,
    /// A difference between values is beyond the range of numbers.
    TooFarApart,
}

/// The ranks of the experiment's values among all.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ranks {
    /// Their sum; equal values share the mean of their ranks.
    sum: f64,
    /// Σ(t³ - t) over groups of t equal values.
    ties: f64,
}

/// The shift between two arms in ascending order, neither of them empty.
///
/// An end of the interval is where the test's statistic, as a function of the shift, crosses the
/// normal quantile. Where it never does, the end is the least or greatest shift possible: with few
/// values this makes an interval of a shift that is not significant, so do not ask for it.
///
/// # Errors
/// If the values have no order, or their differences no size.
pub(super) fn shift(experiment: &[f64], control: &[f64]) -> Result<Shift, NoShift> {
    let (Some(low), Some(high)) = bracket(experiment, control) else {
        return Err(NoShift::AllTied);
    };
    if !low.is_finite() || !high.is_finite() {
        return Err(NoShift::TooFarApart);
    }
    let at = |shift: f64| statistic(experiment, control, shift);
    let ends = [low, high];
    let values = [at(low)?, at(high)?];
    let crossing = |quantile: f64| {
        let [first, second] =
            [0, 1].map(|end| Point { at: ends[end], value: values[end] - quantile });
        root([first, second], |shift| Ok(at(shift)? - quantile))
    };
    let end = |quantile: f64| {
        if values[0] - quantile <= 0.0 {
            Ok(low)
        } else if values[1] - quantile >= 0.0 {
            Ok(high)
        } else {
            crossing(quantile)
        }
    };
    Ok(Shift { low: end(QUANTILE)?, high: end(-QUANTILE)?, estimate: crossing(0.0)? })
}

/// How probably a value of the experiment is greater than one of the control; ties count half.
pub(super) fn cles(experiment: &[f64], control: &[f64]) -> f64 {
    let (ours, theirs) = (experiment.len() as f64, control.len() as f64);
    (2.0 * ranks(experiment, control, 0.0).sum - ours * (ours + 1.0)) / (2.0 * ours * theirs)
}

/// The least and the greatest difference between a value of one arm and one of the other.
fn bracket(experiment: &[f64], control: &[f64]) -> (Option<f64>, Option<f64>) {
    let difference = |ours: Option<&f64>, theirs: Option<&f64>| Some(*ours? - *theirs?);
    (difference(experiment.first(), control.last()), difference(experiment.last(), control.first()))
}

/// The standardised rank sum if the experiment were shifted back by this much: normal under the
/// null hypothesis that it is, with corrections for continuity and ties.
fn statistic(experiment: &[f64], control: &[f64], shift: f64) -> Result<f64, NoShift> {
    let (ours, theirs) = (experiment.len() as f64, control.len() as f64);
    let all = ours + theirs;
    let ranks = ranks(experiment, control, shift);
    let excess = ranks.sum - ours * (ours + 1.0) / 2.0 - ours * theirs / 2.0;
    let continuity = if excess == 0.0 { 0.0 } else { 0.5_f64.copysign(excess) };
    let variance = ours * theirs / 12.0 * ((all + 1.0) - ranks.ties / (all * (all - 1.0)));
    if variance > 0.0 { Ok((excess - continuity) / variance.sqrt()) } else { Err(NoShift::AllTied) }
}

/// Merges the two arms, the experiment shifted back; a shift keeps the order within it.
fn ranks(experiment: &[f64], control: &[f64], shift: f64) -> Ranks {
    let (mut ours, mut theirs) = (experiment.iter().peekable(), control.iter().peekable());
    let mut ranks = Ranks { sum: 0.0, ties: 0.0 };
    let mut before = 0.0;
    loop {
        let next = match (ours.peek(), theirs.peek()) {
            (Some(own), Some(other)) => (**own - shift).min(**other),
            (Some(own), None) => **own - shift,
            (None, Some(other)) => **other,
            (None, None) => return ranks,
        };
        let mut equal = [0.0; 2];
        while ours.next_if(|own| **own - shift <= next).is_some() {
            equal[0] += 1.0;
        }
        while theirs.next_if(|other| **other <= next).is_some() {
            equal[1] += 1.0;
        }
        let group = equal[0] + equal[1];
        if group == 0.0 {
            return ranks; // Only NaN compares like this, and there are none.
        }
        ranks.sum += equal[0] * (before + (group + 1.0) / 2.0);
        ranks.ties += group * group * group - group;
        before += group;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An experiment, a control; low, high and estimate; CLES; the statistic at no shift.
    type Case<'a> = (&'a [f64], &'a [f64], [f64; 3], f64, f64);

    /// Computed with SciPy's `rankdata` and a transcription of R's `zeroin`; the transcription
    /// gives the figures in Kayenta's own tests too.
    const CASES: [Case<'_>; 6] = [
        (
            &[10.002, 10.597, 9.452, 8.219, 9.091, 8.017, 10.12, 12.68],
            &[9.016, 8.759, 10.98, 10.714, 10.211, 8.139, 9.941, 11.391],
            [-1.939_004_316_065_735_3, 1.838_058_774_241_103_2, -0.267_422_795_342_577_4],
            0.4375,
            -0.367_573_522_057_352_55,
        ),
        (
            &[
                10.312, 12.085, 9.198, 10.421, 9.317, 12.53, 10.465, 13.543, 13.314, 12.626, 7.966,
                11.923,
            ],
            &[9.903, 10.227, 6.94, 9.044, 8.043, 8.382, 12.122, 8.385, 9.935],
            [-0.036_947_996_325_456_41, 4.041_996_498_169_308, 2.059_014_974_970_124],
            0.805_555_555_555_555_6,
            2.309_674_427_185_78,
        ),
        (
            &[4.0, 5.0, 3.0, 3.0, 6.0, 3.0, 6.0, 5.0, 6.0, 2.0, 5.0, 1.0, 4.0, 6.0, 3.0],
            &[
                3.0, 1.0, 4.0, 2.0, 4.0, 7.0, 4.0, 4.0, 5.0, 1.0, 3.0, 4.0, 4.0, 1.0, 4.0, 4.0,
                0.0, 0.0, 2.0, 1.0,
            ],
            [-6.270_282_190_989_83e-5, 2.999_982_299_898_21, 1.000_007_811_001_269_3],
            0.688_333_333_333_333_4,
            1.899_541_310_738_293_5,
        ),
        (
            &[21.5, 22.0, 20.25, 24.0, 23.0],
            &[10.0, 11.5, 12.0, 9.0, 10.75],
            [8.250_084_796_221_836, 14.999_915_203_778_164, 11.330_196_792_891_492],
            1.0,
            2.506_718_245_762_048_7,
        ),
        (
            &[
                1.3621, 4.37, 4.4071, 2.5336, 3.5642, 4.0177, 4.1189, 4.3089, 2.1645, 5.7978,
                1.4575, 4.1823, 3.4798, 4.2073, 6.9553, 5.71, 1.5333, 1.1684, 4.0896, 1.6364,
            ],
            &[
                7.3434, 11.2443, 3.2482, 2.5728, 8.4119, 7.5549, 6.5345, 7.5328, 4.8054, 3.4669,
                6.7983, 4.5455, 3.2487, 9.5147, 7.1657, 9.0545, 4.5057, 5.3173, 4.4838, 4.743,
            ],
            [-4.041_956_608_302_135, -0.653_355_399_301_087_2, -2.602_243_281_040_638_4],
            0.18,
            -3.448_886_352_602_928_5,
        ),
        (
            &[2.0, 2.0, 2.0, 2.0, 3.0, 2.0, 2.0],
            &[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
            [1.999_951_976_033_07, 2.000_048_023_966_930_3, 2.0],
            1.0,
            3.333_753_838_658_727_5,
        ),
    ];

    fn sorted(values: &[f64]) -> Vec<f64> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    #[test]
    fn figures_are_those_of_an_independent_computation() {
        for (experiment, control, interval, effect, standard) in CASES {
            let (experiment, control) = (sorted(experiment), sorted(control));
            let found = shift(&experiment, &control).unwrap();
            for (found, known) in [found.low, found.high, found.estimate].iter().zip(interval) {
                assert!((found - known).abs() < 1e-9, "{found} is not {known}");
            }
            assert!((cles(&experiment, &control) - effect).abs() < 1e-12);
            assert!((statistic(&experiment, &control, 0.0).unwrap() - standard).abs() < 1e-12);
        }
    }

    /// The statistic steps down only where a value of one arm meets one of the other.
    #[test]
    fn ends_are_differences_found_by_trying_them_all() {
        for (experiment, control, _, _, _) in CASES {
            let (experiment, control) = (sorted(experiment), sorted(control));
            let found = shift(&experiment, &control).unwrap();
            let pairs = experiment.iter().flat_map(|own| control.iter().map(move |t| own - t));
            let differences = sorted(&pairs.collect::<Vec<f64>>());
            let step = |quantile: f64| {
                let past =
                    |at: &&f64| statistic(&experiment, &control, **at + 1e-7).unwrap() <= quantile;
                *differences.iter().find(past).unwrap()
            };
            assert!((found.low - step(QUANTILE)).abs() < 1.01e-4);
            assert!((found.high - step(-QUANTILE)).abs() < 1.01e-4);
            assert!(statistic(&experiment, &control, found.estimate - 2e-4).unwrap() >= 0.0);
            assert!(statistic(&experiment, &control, found.estimate + 2e-4).unwrap() <= 0.0);
        }
    }

    /// Two values cannot reach 98 %: the ends are the least and the greatest difference.
    #[test]
    fn with_too_few_values_the_interval_is_what_is_possible_at_all() {
        let found = shift(&[10.0, 11.0], &[1.0, 3.0]).unwrap();
        assert_eq!((found.low, found.high), (7.0, 10.0));
    }

    #[test]
    fn what_has_no_order_or_no_size_is_an_error() {
        assert_eq!(shift(&[2.0; 6], &[1.0; 6]), Err(NoShift::AllTied));
        assert_eq!(shift(&[], &[1.0; 6]), Err(NoShift::AllTied));
        let huge = [f64::MAX, f64::MAX / 2.0];
        assert_eq!(shift(&huge, &[-f64::MAX, 0.0]), Err(NoShift::TooFarApart));
    }
}
