//! The judge of latency: are more of the candidate's answers slow than of stable's, beyond the
//! tolerance?
//!
//! At each of five quantiles q of stable's recent past, x_q, an answer scores h = 1{y > x_q} − (1−q);
//! for a candidate y is divided by the tolerated factor first. Bets are on Z = A·h/ρ − (1−A)·h/(1−ρ),
//! which is fair at most when the candidate's latencies are stochastically no larger than stable's
//! times the tolerance, whatever both do together. The evidence is the mean over quantiles and stakes.

use serde::{Deserialize, Serialize};

use crate::baseline::{Baseline, QUANTILES};
use crate::bets::log_mean;
use crate::counts::{Counts, Tick, float};
use crate::noise::ShareNoise;
use crate::rate::{Block, Seen};
use crate::stakes::{Restarts, SCALES, Stakes};
use crate::sums::{Evidence, Sums};

/// Stakes against harm beyond the tolerance, and against any harm; for each quantile.
const BEYOND: usize = 8;
const WORSE: usize = 4;

/// Evidence on the latency of one rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// A candidate's answers may take this many times as long.
    tolerance: f64,
    baseline: Baseline,
    quantiles: [Quantile; QUANTILES.len()],
    seconds: [u32; SCALES.len()],
    /// Seconds that were compared.
    compared: u64,
    restarts: Restarts,
    taught: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Quantile {
    share: f64,
    beyond: Stakes<BEYOND>,
    worse: Stakes<WORSE>,
    blocks: [Block; SCALES.len()],
    noise: [ShareNoise; SCALES.len()],
    /// With the tolerance: slow answers of the candidate and of stable.
    sums: Sums,
    #[serde(skip)]
    odds: Option<Odds>,
}

/// What each stake wins (a logarithm) by one answer: the candidate's slow, fast; stable's likewise.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Odds {
    of: f64,
    beyond: [[f64; 4]; BEYOND],
    worse: [[f64; 4]; WORSE],
}

impl Odds {
    fn new(of: f64, quantile: f64) -> Odds {
        let slow = 1.0 - quantile;
        let most = (of / slow).min((1.0 - of) / quantile);
        let stake = |part: f64| {
            let stake = part * most;
            [
                (stake * quantile / of).ln_1p(),
                (-stake * slow / of).ln_1p(),
                (-stake * quantile / (1.0 - of)).ln_1p(),
                (stake * slow / (1.0 - of)).ln_1p(),
            ]
        };
        Odds { of, beyond: powers(0.008, 1.96).map(stake), worse: powers(0.01, 3.8).map(stake) }
    }
}

/// K values that grow by a factor.
fn powers<const K: usize>(first: f64, factor: f64) -> [f64; K] {
    let mut next = first / factor;
    [(); K].map(|()| {
        next *= factor;
        next
    })
}

fn win<const K: usize>(odds: &[[f64; 4]; K], candidate: Counts, stable: Counts) -> [f64; K] {
    let slow = float(candidate.bad);
    let fast = float(candidate.requests) - slow;
    let stable_slow = float(stable.bad);
    let stable_fast = float(stable.requests) - stable_slow;
    odds.map(|[a, b, c, d]| slow * a + fast * b + stable_slow * c + stable_fast * d)
}

impl Quantile {
    fn new(share: f64, capital: f64) -> Quantile {
        Quantile {
            share,
            beyond: Stakes::new(capital),
            worse: Stakes::new(capital),
            blocks: Default::default(),
            noise: [ShareNoise::new(); SCALES.len()],
            sums: Sums::default(),
            odds: None,
        }
    }

    fn observe(&mut self, tick: &Tick<'_>, threshold: f64, tolerance: f64) {
        let stable = slower(tick.stable.latency, threshold);
        let candidate = slower(tick.candidate.latency, threshold);
        let beyond = slower(tick.candidate.latency, threshold * tolerance);
        let share = tick.share;
        let odds = match &self.odds {
            Some(odds) if odds.of.to_bits() == share.to_bits() => odds,
            Some(_) | None => self.odds.insert(Odds::new(share, self.share)),
        };
        self.beyond.win(&win(&odds.beyond, beyond, stable));
        self.worse.win(&win(&odds.worse, candidate, stable));
        self.sums.add(share, beyond, stable);
        for block in &mut self.blocks {
            block.candidate.add(candidate);
            block.stable.add(stable);
        }
    }

    fn effects(&self) -> [f64; SCALES.len()] {
        let mut effects = [1.0; SCALES.len()];
        for ((effect, block), noise) in effects.iter_mut().zip(&self.blocks).zip(&self.noise) {
            *effect = noise.effect(block.candidate.requests, block.stable.requests);
        }
        effects
    }

    fn close(&mut self, scale: usize, follow: bool) {
        let effect = self.effects().get(scale).copied().unwrap_or(1.0);
        let (Some(block), Some(noise)) = (self.blocks.get_mut(scale), self.noise.get_mut(scale))
        else {
            return;
        };
        let block = std::mem::take(block);
        if follow {
            noise.follow(block.candidate, block.stable);
        }
        self.beyond.close(scale, effect);
        self.worse.close(scale, effect);
        self.sums.close(scale, effect);
    }
}

/// Answers, and those of them slower than the threshold.
fn slower(latency: &[(u64, u64)], threshold: f64) -> Counts {
    let mut counts = Counts::default();
    for (upper, count) in latency {
        counts.requests += count;
        if float(*upper) > threshold {
            counts.bad += count;
        }
    }
    counts
}

/// Which quantiles a candidate must be shown not to be worse at, and how many more of its answers
/// may be slow, as a share.
const MUST: [(f64, f64); 2] = [(0.5, 0.1), (0.95, 0.05)];

impl Latency {
    /// No evidence yet: a candidate's answers may take `1 + tolerance` times as long.
    #[must_use]
    pub fn new(tolerance: f64, horizon: u64) -> Latency {
        let restarts = Restarts::over(horizon);
        Latency {
            tolerance: 1.0 + tolerance,
            baseline: Baseline::new(),
            quantiles: QUANTILES.map(|share| Quantile::new(share, restarts.first())),
            seconds: [0; SCALES.len()],
            compared: 0,
            restarts,
            taught: false,
        }
    }

    /// Learns stable's latencies, before there is a candidate.
    pub fn learn(&mut self, seconds: u32, stable: &[(u64, u64)]) {
        self.baseline.add(seconds, stable);
    }

    /// Learns from two sides that are known to be alike, in a block of the scale 0 (10 s) or 1
    /// (60 s).
    pub fn learn_pair(&mut self, scale: usize, one: &[(u64, u64)], other: &[(u64, u64)]) {
        let Some(thresholds) = self.baseline.thresholds().copied() else { return };
        self.taught = true;
        for (quantile, threshold) in self.quantiles.iter_mut().zip(thresholds) {
            if let Some(noise) = quantile.noise.get_mut(scale) {
                noise.learn(slower(one, threshold), slower(other, threshold));
            }
        }
    }

    /// Takes in a tick.
    pub fn observe(&mut self, tick: &Tick<'_>) {
        if let Some(thresholds) = self.baseline.thresholds().copied()
            && !tick.cold
        {
            for (quantile, threshold) in self.quantiles.iter_mut().zip(thresholds) {
                quantile.observe(tick, threshold, self.tolerance);
            }
            self.pass(tick.seconds);
        }
        self.baseline.add(tick.seconds, tick.stable.latency);
    }

    fn pass(&mut self, seconds: u32) {
        self.compared += u64::from(seconds);
        let mark = self.restarts.pass(seconds);
        for (scale, length) in SCALES.iter().enumerate() {
            let Some(open) = self.seconds.get_mut(scale) else { continue };
            *open += seconds;
            if *open >= *length || mark {
                *open = 0;
                for quantile in &mut self.quantiles {
                    quantile.close(scale, !self.taught);
                }
            }
        }
        if mark {
            for quantile in &mut self.quantiles {
                quantile.beyond.restart(self.restarts.each());
                quantile.worse.restart(self.restarts.each());
            }
        }
    }

    /// The evidence (a logarithm) of harm beyond the tolerance.
    #[must_use]
    pub fn log_beyond(&self) -> f64 {
        self.mean(|quantile| quantile.beyond.log_e(quantile.effects()))
    }

    /// Is the evidence of harm beyond the tolerance at least this (a logarithm)?
    #[must_use]
    pub fn is_beyond(&self, threshold: f64) -> bool {
        self.any(|quantile| quantile.beyond.reaches(threshold, quantile.effects()))
            && self.log_beyond() >= threshold
    }

    /// The evidence (a logarithm) of any harm.
    #[must_use]
    pub fn log_worse(&self) -> f64 {
        self.mean(|quantile| quantile.worse.log_e(quantile.effects()))
    }

    /// Is the evidence of any harm at least this (a logarithm)?
    #[must_use]
    pub fn is_worse(&self, threshold: f64) -> bool {
        self.any(|quantile| quantile.worse.reaches(threshold, quantile.effects()))
            && self.log_worse() >= threshold
    }

    /// The evidence (a logarithm) that the candidate is not slower: at the median less than 10 % more
    /// of its answers are slow, at the 95th percentile less than 5 % more, with the tolerance.
    #[must_use]
    pub fn log_not_worse(&self) -> f64 {
        self.not_worse().log_e
    }

    pub(crate) fn not_worse(&self) -> Evidence {
        let must = MUST.iter().filter_map(|(share, margin)| {
            let quantile = self.at(*share)?;
            Some(quantile.sums.not_worse_by(*margin, quantile.effects()))
        });
        must.reduce(|a, b| if a.log_e <= b.log_e { a } else { b }).unwrap_or_default()
    }

    /// What is seen at the quantile that shows most: (quantile, threshold in microseconds, slow
    /// answers of both sides); `None` before there are thresholds.
    #[must_use]
    pub fn seen(&self, alpha: f64) -> Option<(f64, u64, Seen)> {
        let thresholds = self.baseline.thresholds()?;
        let evidence = |quantile: &Quantile| quantile.beyond.log_e(quantile.effects());
        let both = self.quantiles.iter().zip(thresholds);
        let (quantile, threshold) =
            both.max_by(|one, other| evidence(one.0).total_cmp(&evidence(other.0)))?;
        let (candidate, stable) = quantile.sums.counts();
        let needed = self.restarts.first() + alpha.ln();
        let at_least = quantile.sums.at_least(-needed, quantile.effects());
        let seen = Seen { candidate, stable, effect: quantile.sums.effect(), at_least };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a latency of at most minutes"
        )]
        let threshold = (threshold * self.tolerance) as u64;
        Some((quantile.share, threshold, seen))
    }

    /// Seconds that were compared.
    pub(crate) fn seconds(&self) -> u64 {
        self.compared
    }

    /// Is there any latency of stable?
    pub(crate) fn has_any(&self) -> bool {
        self.baseline.has_any()
    }

    /// Other sides are compared from now on: what is seen begins anew, bets go on.
    pub(crate) fn compare_anew(&mut self) {
        self.compared = 0;
        for quantile in &mut self.quantiles {
            quantile.sums = Sums::default();
        }
    }

    /// The most that the share of slow answers at the 95th percentile is above stable's.
    pub(crate) fn at_most(&self, beta: f64) -> f64 {
        let quantile = self.at(0.95);
        quantile.map_or(1.0, |q| q.sums.at_most(-beta.ln(), q.effects()))
    }

    fn at(&self, share: f64) -> Option<&Quantile> {
        self.quantiles.iter().find(|quantile| quantile.share.to_bits() == share.to_bits())
    }

    fn mean(&self, evidence: impl Fn(&Quantile) -> f64) -> f64 {
        let logs: Vec<f64> = self.quantiles.iter().map(evidence).collect();
        log_mean(&logs)
    }

    fn any(&self, reaches: impl Fn(&Quantile) -> bool) -> bool {
        self.quantiles.iter().any(reaches)
    }
}
