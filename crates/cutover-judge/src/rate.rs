//! The judge of bad answers: is the candidate's error rate above stable's and the tolerance?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bets::{Margin, Odds, STAKES};
use crate::counts::{Counts, Tick, float};
use crate::noise::RateNoise;
use crate::scatter::Scatter;
use crate::stakes::{Effects, Restarts, SCALES, Stakes};
use crate::sums::{Evidence, Sums};

/// Evidence on the error rate of one rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    margin: Margin,
    /// Against "no worse than the margin allows": what turns a rollout back.
    beyond: Stakes<STAKES>,
    /// Against "no worse at all": what makes it wait.
    worse: Stakes<STAKES>,
    /// The same, without blocks: for differences between instances that last.
    worse_throughout: [f64; STAKES],
    blocks: [Block; SCALES.len()],
    noise: [RateNoise; SCALES.len()],
    scatter: Scatter,
    /// Sides that are known to be alike were compared: nothing is learned from the candidate then.
    taught: bool,
    restarts: Restarts,
    /// All of the rollout.
    pub(crate) all: Sums,
    /// Since the mark after which harm shows, if it does.
    pub(crate) since: Sums,
    share: f64,
    #[serde(skip)]
    odds: Option<(Odds, Odds)>,
}

/// What both sides did in a block that is not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Block {
    pub(crate) seconds: u32,
    pub(crate) candidate: Counts,
    pub(crate) stable: Counts,
}

impl Rate {
    /// No evidence yet, for a rollout planned to last so many seconds.
    #[must_use]
    pub fn new(margin: Margin, horizon: u64) -> Rate {
        let restarts = Restarts::over(horizon);
        Rate {
            margin,
            beyond: Stakes::new(restarts.first()),
            worse: Stakes::new(restarts.first()),
            worse_throughout: [0.0; STAKES],
            blocks: Default::default(),
            noise: [RateNoise::new(); SCALES.len()],
            scatter: Scatter::default(),
            taught: false,
            restarts,
            all: Sums::default(),
            since: Sums::default(),
            share: 0.5,
            odds: None,
        }
    }

    /// Learns how much stable instances differ, from what each of them did in the same time.
    ///
    /// Before a rollout and during it; at most 16 instances are told apart.
    pub fn learn(&mut self, seconds: u32, instances: &[Counts]) {
        self.taught |= instances.len() > 1;
        self.scatter.take(seconds, instances, &mut self.noise);
    }

    /// Learns from two sides that are known to be alike, in a block of the scale 0 (10 s) or 1
    /// (60 s).
    pub fn learn_pair(&mut self, scale: usize, one: Counts, other: Counts) {
        self.taught = true;
        if let Some(noise) = self.noise.get_mut(scale) {
            noise.learn(one, other);
        }
    }

    /// Takes in a tick.
    pub fn observe(&mut self, tick: &Tick<'_>) {
        let (candidate, stable) = (tick.candidate.counts, tick.stable.counts);
        self.bet(tick.share, candidate, stable);
        self.all.add(tick.share, candidate, stable);
        self.since.add(tick.share, candidate, stable);
        for block in &mut self.blocks {
            block.seconds += tick.seconds;
            block.candidate.add(candidate);
            block.stable.add(stable);
        }
        let mark = self.restarts.pass(tick.seconds);
        for (scale, length) in SCALES.iter().enumerate() {
            let over = self.blocks.get(scale).is_some_and(|block| block.seconds >= *length);
            if over || mark {
                self.close(scale);
            }
        }
        if mark {
            self.restart();
        }
    }

    fn bet(&mut self, share: f64, candidate: Counts, stable: Counts) {
        if self.share.to_bits() != share.to_bits() || self.odds.is_none() {
            self.share = share;
            self.odds = Some((Odds::new(share, self.margin), Odds::new(share, Margin::ZERO)));
        }
        let Some((beyond, worse)) = &self.odds else { return };
        let (bad, stable_bad) = (float(candidate.bad), float(stable.bad));
        let good = float(candidate.requests + stable.requests) - bad - stable_bad;
        self.beyond.win(&beyond.win(bad, stable_bad, good));
        let won = worse.win(bad, stable_bad, good);
        self.worse.win(&won);
        for (sum, won) in self.worse_throughout.iter_mut().zip(won) {
            *sum += won;
        }
    }

    fn close(&mut self, scale: usize) {
        let effect = self.effects().get(scale).copied().unwrap_or(1.0);
        let ratio = self.ratio_before();
        let (Some(block), Some(noise)) = (self.blocks.get_mut(scale), self.noise.get_mut(scale))
        else {
            return;
        };
        let block = std::mem::take(block);
        if !self.taught {
            // Its own lasting difference is not noise.
            let odds = ratio * float(block.candidate.requests);
            let theta = odds / (odds + float(block.stable.requests)).max(1.0);
            noise.learn_shared(block.candidate, block.stable, theta.clamp(0.001, 0.999));
        }
        self.beyond.close(scale, effect);
        self.worse.close(scale, effect);
        self.all.close(scale, effect);
        self.since.close(scale, effect);
    }

    /// How many times as bad as stable the candidate has been so far.
    fn ratio_before(&self) -> f64 {
        let (candidate, stable) = self.all.counts();
        let rate = |side: Counts| (float(side.bad) + 0.5) / (float(side.requests) + 1.0);
        rate(candidate) / rate(stable)
    }

    fn restart(&mut self) {
        self.beyond.restart(self.restarts.each());
        self.worse.restart(self.restarts.each());
        // Harm that shows is looked at from where it began; what is fine so far is not counted then.
        if self.since.at_least(0.0, [1.0; 2]).is_none() {
            self.since = Sums::default();
        }
    }

    /// Other sides are compared from now on: what is seen begins anew, bets go on.
    pub(crate) fn compare_anew(&mut self) {
        self.all = Sums::default();
        self.since = Sums::default();
    }

    /// The design effects of the blocks that are not over.
    pub(crate) fn effects(&self) -> Effects {
        let mut effects = [1.0; SCALES.len()];
        for ((effect, block), noise) in effects.iter_mut().zip(&self.blocks).zip(&self.noise) {
            *effect = noise.effect(float(block.candidate.bad + block.stable.bad), self.share);
        }
        effects
    }

    /// Is the evidence of harm beyond the margin at least this (a logarithm)?
    #[must_use]
    pub fn is_beyond(&self, threshold: f64) -> bool {
        self.beyond.reaches(threshold, self.effects())
    }

    /// The evidence (a logarithm) of harm beyond the margin.
    #[must_use]
    pub fn log_beyond(&self) -> f64 {
        self.beyond.log_e(self.effects())
    }

    /// The evidence (a logarithm) of any harm at all.
    #[must_use]
    pub fn log_worse(&self) -> f64 {
        let by_blocks = self.worse.log_e(self.effects());
        by_blocks.min(self.log_worse_throughout())
    }

    /// Is the evidence of any harm at least this (a logarithm)?
    #[must_use]
    pub fn is_worse(&self, threshold: f64) -> bool {
        self.worse.reaches(threshold, self.effects()) && self.log_worse_throughout() >= threshold
    }

    /// One instance that is always a little worse than others is no worse release: the whole rollout
    /// counts as one block, with the scatter of instances over ten minutes.
    fn log_worse_throughout(&self) -> f64 {
        let Some(noise) = self.scatter.between_instances() else { return f64::INFINITY };
        let (candidate, stable) = self.all.counts();
        let effect = noise.effect(float(candidate.bad + stable.bad), self.share);
        let worth = self.worse_throughout.map(|sum| sum / effect);
        crate::bets::log_mean(&worth)
    }

    /// The evidence (a logarithm) that the candidate's error rate is less than `margin` above
    /// stable's, over the whole rollout.
    #[must_use]
    pub fn log_not_worse_by(&self, margin: f64) -> f64 {
        self.not_worse_by(margin).log_e
    }

    pub(crate) fn not_worse_by(&self, margin: f64) -> Evidence {
        self.all.not_worse_by(margin, self.effects())
    }

    /// What is seen: rates, their difference, and what it is at least, with evidence of 1/α.
    #[must_use]
    pub fn seen(&self, alpha: f64) -> Seen {
        let threshold = -alpha.ln();
        let effects = self.effects();
        let all = self.all.at_least(threshold - self.restarts.first(), effects);
        let since = self.since.at_least(threshold - self.restarts.each(), effects);
        let late = since > all;
        let sums = if late { &self.since } else { &self.all };
        let (candidate, stable) = sums.counts();
        Seen { candidate, stable, effect: sums.effect(), at_least: if late { since } else { all } }
    }

    /// The most that the candidate's error rate is above stable's, with evidence of 1/β.
    #[must_use]
    pub fn at_most(&self, beta: f64) -> f64 {
        self.all.at_most(-beta.ln(), self.effects())
    }
}

/// What a metric shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// The candidate's requests.
    pub candidate: Counts,
    /// Stable's requests.
    pub stable: Counts,
    /// The candidate's rate less stable's.
    pub effect: f64,
    /// ... which is at least this; `None` without evidence that it is above 0.
    pub at_least: Option<f64>,
}
