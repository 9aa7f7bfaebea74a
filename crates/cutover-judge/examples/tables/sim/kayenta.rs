//! Kayenta's judge on one metric: a Mann-Whitney interval of what each minute showed.

/// Confidence of 98 %, and the tolerance: both are fixed in its source.
const Z: f64 = 2.326_347_9;
const TOLERANCE: f64 = 0.25;
/// With fewer minutes it is not asked: its interval is not one then.
pub(crate) const LEAST: usize = 5;

/// Values of each minute, sorted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Minutes {
    experiment: Vec<f64>,
    control: Vec<f64>,
}

impl Minutes {
    pub(crate) fn add(&mut self, experiment: f64, control: f64) {
        insert(&mut self.experiment, experiment);
        insert(&mut self.control, control);
    }

    /// "High": the lower limit of the shift is above a quarter of its estimate.
    pub(crate) fn is_high(&self) -> bool {
        let (x, y) = (&self.experiment, &self.control);
        let (Some(least), Some(most)) = (x.first(), x.last()) else { return false };
        let (Some(its_least), Some(its_most)) = (y.first(), y.last()) else { return false };
        // No root is above 0 if the statistic is not: most looks end here.
        if x.len() < LEAST || x == y || self.w(0.0).is_none_or(|w| w <= Z && least <= its_most) {
            return false;
        }
        let bracket = (least - its_most, most - its_least);
        match (self.root(Z, bracket), self.root(0.0, bracket)) {
            (Some(low), Some(estimate)) => low > TOLERANCE * estimate.abs(),
            _ => false,
        }
    }

    /// Where the statistic is `level`; an end of the bracket, if it is not within it.
    fn root(&self, level: f64, (mut low, mut high): (f64, f64)) -> Option<f64> {
        if self.w(low)? <= level {
            return Some(low);
        }
        if self.w(high)? >= level {
            return Some(high);
        }
        while high - low > 1e-4 {
            let middle = 0.5 * (low + high);
            if self.w(middle)? > level { low = middle } else { high = middle }
        }
        Some(0.5 * (low + high))
    }

    /// The standardised rank sum of x − shift among y, with ties and the correction for continuity.
    fn w(&self, shift: f64) -> Option<f64> {
        let (x, y) = (&self.experiment, &self.control);
        let (nx, ny) = (x.len() as f64, y.len() as f64);
        let (mut i, mut j, mut rank, mut ties) = (0, 0, 0.0, 0.0);
        let mut seen = 0.0;
        while i < x.len() || j < y.len() {
            let next_x = x.get(i).map_or(f64::INFINITY, |x| x - shift);
            let value = next_x.min(y.get(j).copied().unwrap_or(f64::INFINITY));
            let (from_x, from_y) = (i, j);
            while x.get(i).is_some_and(|x| x - shift <= value) {
                i += 1;
            }
            while y.get(j).is_some_and(|y| *y <= value) {
                j += 1;
            }
            let (ours, tied) = ((i - from_x) as f64, (i - from_x + j - from_y) as f64);
            rank += ours * (seen + 0.5 * (tied + 1.0));
            ties += tied * tied * tied - tied;
            seen += tied;
        }
        let n = nx + ny;
        let variance = nx * ny / 12.0 * ((n + 1.0) - ties / (n * (n - 1.0)));
        let off = rank - nx * (nx + 1.0) / 2.0 - nx * ny / 2.0;
        let sign = if off == 0.0 { 0.0 } else { off.signum() };
        (variance > 0.0).then(|| (off - 0.5 * sign) / variance.sqrt())
    }
}

fn insert(sorted: &mut Vec<f64>, value: f64) {
    let place = sorted.partition_point(|known| *known <= value);
    sorted.insert(place, value);
}
