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
use crate::rate::Seen;
use crate::stakes::{Parts, Restarts, SCALES, Stakes};
use crate::sums::{Evidence, Sums};
use crate::tempering::Tempering;

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
    temperings: [Tempering; SCALES.len()],
    /// Answers of the candidate and of stable in blocks that are not over.
    answers: [(u64, u64); SCALES.len()],
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
    /// Slow answers of the candidate and of stable in blocks that are not over.
    blocks: [[u32; 2]; SCALES.len()],
    noise: [ShareNoise; SCALES.len()],
    /// With the tolerance: slow answers of the candidate and of stable.
    sums: Sums,
    #[serde(skip)]
    odds: Option<Odds>,
}

/// What each stake wins (a logarithm) by one answer: the candidate's slow, fast; stable's likewise.
/// Stakes against any harm are every other one of those against harm beyond the tolerance.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Odds {
    of: f64,
    stakes: [[f32; 4]; BEYOND],
}

impl Odds {
    fn new(of: f64, quantile: f64) -> Odds {
        let slow = 1.0 - quantile;
        let most = (of / slow).min((1.0 - of) / quantile);
        let stake = |part: f64| {
            let stake = part * most;
            [
                rounded((stake * quantile / of).ln_1p()),
                rounded((-stake * slow / of).ln_1p()),
                rounded((-stake * quantile / (1.0 - of)).ln_1p()),
                rounded((stake * slow / (1.0 - of)).ln_1p()),
            ]
        };
        Odds { of, stakes: powers(0.008, 1.96).map(stake) }
    }

    /// What is won by these answers, by `K` of the stakes, the last one and each `every`th before it.
    fn win<const K: usize>(&self, every: usize, candidate: Counts, stable: Counts) -> [f64; K] {
        let slow = float(candidate.bad);
        let fast = float(candidate.requests) - slow;
        let stable_slow = float(stable.bad);
        let stable_fast = float(stable.requests) - stable_slow;
        let mut won = [0.0; K];
        let stakes = self.stakes.iter().skip(every - 1).step_by(every);
        for (won, odds) in won.iter_mut().zip(stakes) {
            let [a, b, c, d] = odds.map(f64::from);
            *won = slow * a + fast * b + stable_slow * c + stable_fast * d;
        }
        won
    }
}

/// Down to a float of half the size: never more than was won.
#[expect(clippy::cast_possible_truncation, reason = "seven digits are enough for odds")]
fn rounded(odds: f64) -> f32 {
    (odds as f32).next_down()
}

/// K values that grow by a factor.
fn powers<const K: usize>(first: f64, factor: f64) -> [f64; K] {
    let mut next = first / factor;
    [(); K].map(|()| {
        next *= factor;
        next
    })
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

    fn observe(
        &mut self,
        tick: &Tick<'_>,
        threshold: f64,
        tolerance: f64,
        temperings: &[Tempering; SCALES.len()],
    ) {
        let stable = slower(tick.stable.latency, threshold);
        let candidate = slower(tick.candidate.latency, allowed(threshold, tolerance, 0.5));
        let beyond = slower(tick.candidate.latency, allowed(threshold, tolerance, 1.0));
        let share = tick.share;
        let answers = float(candidate.requests + stable.requests);
        let mut parts: Parts = [1.0; SCALES.len()];
        for ((part, tempering), noise) in parts.iter_mut().zip(temperings).zip(&self.noise) {
            *part = tempering.part(answers, noise.correlation(share));
        }
        let odds = match &self.odds {
            Some(odds) if odds.of.to_bits() == share.to_bits() => odds,
            Some(_) | None => self.odds.insert(Odds::new(share, self.share)),
        };
        self.beyond.win(&odds.win(1, beyond, stable), parts);
        self.worse.win(&odds.win(BEYOND / WORSE, candidate, stable), parts);
        self.sums.add(share, beyond, stable, parts);
        // How much both scatter is seen where neither is allowed more.
        let same = slower(tick.candidate.latency, threshold);
        for [ours, theirs] in &mut self.blocks {
            *ours = ours.saturating_add(few(same.bad));
            *theirs = theirs.saturating_add(few(stable.bad));
        }
    }

    /// A block with so many answers of both sides is over.
    fn close(&mut self, scale: usize, answers: (u64, u64), follow: bool) {
        let (Some(block), Some(noise)) = (self.blocks.get_mut(scale), self.noise.get_mut(scale))
        else {
            return;
        };
        let [candidate, stable] = std::mem::take(block).map(u64::from);
        if follow {
            noise.follow(Counts::new(answers.0, candidate), Counts::new(answers.1, stable));
        }
    }
}

/// Differences of latency below this, in microseconds, are nobody's: machines are busy.
const NOTHING: f64 = 1000.0;

/// What of the tolerance a candidate may use up at this latency, in microseconds: all of it before it
/// is turned back, half of it before it has to wait.
fn allowed(threshold: f64, tolerance: f64, part: f64) -> f64 {
    threshold + part * (threshold * (tolerance - 1.0)).max(NOTHING)
}

/// Answers of one block are counted in half the bytes.
fn few(answers: u64) -> u32 {
    u32::try_from(answers).unwrap_or(u32::MAX)
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
            temperings: Default::default(),
            answers: Default::default(),
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
                quantile.observe(tick, threshold, self.tolerance, &self.temperings);
            }
            let answers = |latency: &[(u64, u64)]| latency.iter().map(|(_, n)| n).sum::<u64>();
            let all = (answers(tick.candidate.latency), answers(tick.stable.latency));
            for (tempering, block) in self.temperings.iter_mut().zip(&mut self.answers) {
                tempering.take(float(all.0 + all.1));
                *block = (block.0 + all.0, block.1 + all.1);
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
                if let Some(tempering) = self.temperings.get_mut(scale) {
                    tempering.close();
                }
                let answers = self.answers.get_mut(scale).map(std::mem::take).unwrap_or_default();
                for quantile in &mut self.quantiles {
                    quantile.close(scale, answers, !self.taught);
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
        self.mean(|quantile| quantile.beyond.log_e())
    }

    /// Is the evidence of harm beyond the tolerance at least this (a logarithm)?
    #[must_use]
    pub fn is_beyond(&self, threshold: f64) -> bool {
        self.any(|quantile| quantile.beyond.reaches(threshold)) && self.log_beyond() >= threshold
    }

    /// The evidence (a logarithm) of any harm.
    #[must_use]
    pub fn log_worse(&self) -> f64 {
        self.mean(|quantile| quantile.worse.log_e())
    }

    /// Is the evidence of any harm at least this (a logarithm)?
    #[must_use]
    pub fn is_worse(&self, threshold: f64) -> bool {
        self.any(|quantile| quantile.worse.reaches(threshold)) && self.log_worse() >= threshold
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
            Some(quantile.sums.not_worse_by(*margin))
        });
        must.reduce(|a, b| if a.log_e <= b.log_e { a } else { b }).unwrap_or_default()
    }

    /// What is seen at the quantile that shows most: (quantile, threshold in microseconds, slow
    /// answers of both sides); `None` before there are thresholds.
    #[must_use]
    pub fn seen(&self, alpha: f64) -> Option<(f64, u64, Seen)> {
        let (quantile, threshold) = self.telling()?;
        let (candidate, stable) = quantile.sums.counts();
        let needed = self.restarts.first() + alpha.ln();
        let at_least = quantile.sums.at_least(-needed);
        let seen = Seen { candidate, stable, effect: quantile.sums.effect(), at_least };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a latency of at most minutes"
        )]
        let threshold = allowed(threshold, self.tolerance, 1.0) as u64;
        Some((quantile.share, threshold, seen))
    }

    /// Bytes in memory, those on the heap included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let sums = self.quantiles.iter().map(|quantile| quantile.sums.heap());
        size_of::<Latency>() + self.baseline.heap() + sums.sum::<usize>()
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

    /// The most that the candidate's share of slow answers is above stable's, at the quantile that
    /// [`Latency::seen`] is of.
    #[must_use]
    pub fn at_most(&self, beta: f64) -> f64 {
        self.telling().map_or(1.0, |(quantile, _)| quantile.sums.at_most(-beta.ln()))
    }

    /// The quantile that shows most, and its threshold in microseconds.
    fn telling(&self) -> Option<(&Quantile, f64)> {
        let evidence = |quantile: &Quantile| quantile.beyond.log_e();
        let both = self.quantiles.iter().zip(self.baseline.thresholds()?);
        let most = both.max_by(|one, other| evidence(one.0).total_cmp(&evidence(other.0)))?;
        Some((most.0, *most.1))
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
