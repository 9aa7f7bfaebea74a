//! The judge of bad answers: is the candidate's error rate above stable's and the tolerance?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bets::{Margin, Odds, STAKES};
use crate::counts::{Counts, Tick, float};
use crate::noise::RateNoise;
use crate::scatter::Scatter;
use crate::stakes::{Parts, Restarts, SCALES, Stakes};
use crate::sums::{Evidence, Sums};
use crate::tempering::Block;

/// Evidence on the error rate of one rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    margin: Margin,
    /// Against "no worse than the margin allows": what turns a rollout back.
    beyond: Stakes<STAKES>,
    /// Against "no worse at all": what makes it wait.
    worse: Stakes<STAKES>,
    /// ... beyond what healthy instances always differ by.
    tolerated: f64,
    blocks: [Block; SCALES.len()],
    /// Seconds of blocks so far.
    seconds: [u32; SCALES.len()],
    noise: [RateNoise; SCALES.len()],
    scatter: Scatter,
    /// Sides that are known to be alike were compared: nothing is learned from the candidate then.
    taught: bool,
    restarts: Restarts,
    /// All of the rollout.
    pub(crate) all: Sums,
    /// Since the mark after which harm shows, if it does.
    pub(crate) since: Sums,
    #[serde(skip)]
    odds: Option<(Odds, Odds)>,
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
            tolerated: 1.0,
            seconds: [0; SCALES.len()],
            blocks: Default::default(),
            noise: [RateNoise::new(); SCALES.len()],
            scatter: Scatter::default(),
            taught: false,
            restarts,
            all: Sums::default(),
            since: Sums::default(),
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
        let labels = float(candidate.bad + stable.bad);
        let parts = self.parts(tick.share, labels);
        self.bet(tick.share, candidate, stable, parts);
        self.all.add(tick.share, candidate, stable, parts);
        self.since.add(tick.share, candidate, stable, parts);
        for block in &mut self.blocks {
            block.take(candidate, stable, labels);
        }
        let mark = self.restarts.pass(tick.seconds);
        for (scale, length) in SCALES.iter().enumerate() {
            let Some(seconds) = self.seconds.get_mut(scale) else { continue };
            *seconds += tick.seconds;
            if *seconds >= *length || mark {
                *seconds = 0;
                self.close(scale);
            }
        }
        if mark {
            self.restart();
        }
    }

    /// The parts that count of what so many bad answers of both sides win.
    fn parts(&self, share: f64, labels: f64) -> Parts {
        let mut parts = [1.0; SCALES.len()];
        for ((part, block), noise) in parts.iter_mut().zip(&self.blocks).zip(&self.noise) {
            *part = block.tempering.part(labels, noise.correlation(share));
        }
        parts
    }

    fn bet(&mut self, share: f64, candidate: Counts, stable: Counts, parts: Parts) {
        if self.odds.is_none() {
            self.tolerated = self.scatter.lasting_ratio();
        }
        let tolerated = Margin { ratio: self.tolerated, extra: 0.0 };
        let odds = match &self.odds {
            Some(odds) if odds.0.share.to_bits() == share.to_bits() => odds,
            Some(_) | None => {
                self.odds.insert((Odds::new(share, self.margin), Odds::new(share, tolerated)))
            }
        };
        let (bad, stable_bad) = (float(candidate.bad), float(stable.bad));
        let good = float(candidate.requests + stable.requests) - bad - stable_bad;
        self.beyond.win(&odds.0.win(bad, stable_bad, good), parts);
        if bad + stable_bad > 0.0 {
            self.worse.win(&odds.1.win(bad, stable_bad, 0.0), parts);
        }
    }

    fn close(&mut self, scale: usize) {
        let ratio = self.ratio_before();
        let (Some(block), Some(noise)) = (self.blocks.get_mut(scale), self.noise.get_mut(scale))
        else {
            return;
        };
        if !self.taught {
            // Its own lasting difference is not noise.
            let odds = ratio * float(block.candidate.requests);
            let theta = odds / (odds + float(block.stable.requests)).max(1.0);
            noise.learn_shared(block.candidate, block.stable, theta.clamp(0.001, 0.999));
        }
        block.close();
        if scale + 1 == SCALES.len() {
            let ratio = self.scatter.lasting_ratio();
            if ratio.to_bits() != self.tolerated.to_bits() {
                (self.tolerated, self.odds) = (ratio, None);
            }
        }
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
        if self.since.at_least(0.0).is_none() {
            self.since = Sums::default();
        }
    }

    /// Other sides are compared from now on: what is seen begins anew, bets go on.
    pub(crate) fn compare_anew(&mut self) {
        self.all = Sums::default();
        self.since = Sums::default();
    }

    /// Is the evidence of harm beyond the margin at least this (a logarithm)?
    #[must_use]
    pub fn is_beyond(&self, threshold: f64) -> bool {
        self.beyond.reaches(threshold)
    }

    /// The evidence (a logarithm) of harm beyond the margin.
    #[must_use]
    pub fn log_beyond(&self) -> f64 {
        self.beyond.log_e()
    }

    /// Is the evidence of any harm at least this (a logarithm)?
    #[must_use]
    pub fn is_worse(&self, threshold: f64) -> bool {
        self.worse.reaches(threshold)
    }

    /// The evidence (a logarithm) of any harm at all: more than healthy instances always differ by.
    #[must_use]
    pub fn log_worse(&self) -> f64 {
        self.worse.log_e()
    }

    /// The evidence (a logarithm) that the candidate's error rate is less than `margin` above
    /// stable's, over the whole rollout.
    #[must_use]
    pub fn log_not_worse_by(&self, margin: f64) -> f64 {
        self.not_worse_by(margin).log_e
    }

    pub(crate) fn not_worse_by(&self, margin: f64) -> Evidence {
        self.all.not_worse_by(margin)
    }

    /// Bytes in memory, those on the heap included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Rate>() + self.scatter.heap() + self.all.heap() + self.since.heap()
    }

    /// What is seen: rates, their difference, and what it is at least, with evidence of 1/α.
    #[must_use]
    pub fn seen(&self, alpha: f64) -> Seen {
        let threshold = -alpha.ln();
        let all = self.all.at_least(threshold - self.restarts.first());
        let since = self.since.at_least(threshold - self.restarts.each());
        let late = since > all;
        let sums = if late { &self.since } else { &self.all };
        let (candidate, stable) = sums.counts();
        Seen { candidate, stable, effect: sums.effect(), at_least: if late { since } else { all } }
    }

    /// The most that the candidate's error rate is above stable's, with evidence of 1/β.
    #[must_use]
    pub fn at_most(&self, beta: f64) -> f64 {
        self.all.at_most(-beta.ln())
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
