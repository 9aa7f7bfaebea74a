//! Draws: normal, gamma and Poisson numbers from one seeded stream.

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Chance {
    rng: fastrand::Rng,
    spare: Option<f64>,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance { rng: fastrand::Rng::with_seed(seed), spare: None }
    }

    /// Between 0 and 1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.rng.f64()
    }

    /// A whole number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.rng.usize(0..end)
    }

    /// Mean 0, variance 1: the polar method of Marsaglia.
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let s = x * x + y * y;
            if s > 0.0 && s < 1.0 {
                let factor = (-2.0 * s.ln() / s).sqrt();
                self.spare = Some(y * factor);
                return x * factor;
            }
        }
    }

    /// Mean 1 with this coefficient of variation, gamma distributed (Marsaglia and Tsang, "A simple
    /// method for generating gamma variables", 2000; shapes from 1 on, so for a CV of at most 1).
    pub(crate) fn gamma(&mut self, variation: f64) -> f64 {
        let shape = 1.0 / (variation * variation);
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.unit().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v / shape;
            }
        }
    }

    /// A Poisson number: by inversion where the mean is small, else by transformed rejection
    /// (Hörmann, "The transformed rejection method for generating Poisson random variables", 1993).
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        if mean < 12.0 {
            return self.few(mean);
        }
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.024_83 * b;
        let within = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let u = self.unit() - 0.5;
            let v = self.unit();
            let edge = 0.5 - u.abs();
            let k = ((2.0 * a / edge + b) * u + mean + 0.43).floor();
            if edge >= 0.07 && v <= within {
                return k as u64;
            }
            if k < 0.0 || (edge < 0.013 && v > edge) {
                continue;
            }
            let inverse = 1.1239 + 1.1328 / (b - 3.4);
            let log = (v * inverse / (a / (edge * edge) + b)).ln();
            if log <= k * mean.ln() - mean - libm::lgamma(k + 1.0) {
                return k as u64;
            }
        }
    }

    fn few(&mut self, mean: f64) -> u64 {
        let u = self.unit();
        let mut term = (-mean).exp();
        let mut sum = term;
        let (mut k, mut count) = (0.0, 0);
        while u > sum && count < 200 {
            count += 1;
            k += 1.0;
            term *= mean / k;
            sum += term;
        }
        count
    }
}
