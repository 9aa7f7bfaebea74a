//! The judge of one rollout: several metrics, one budget for error, one verdict at each look.

use serde::{Deserialize, Serialize};

use crate::bets::{Margin, log_mean};
use crate::counts::{Counts, Tick, float};
use crate::latency::Latency;
use crate::look::{Kind, Look, Part, Verdict};
use crate::rate::{Rate, Seen};
use crate::srm::{ALPHA, SampleRatio};

/// What the judge is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How much worse the error rate may be; `None`: it is not compared.
    pub errors: Option<Margin>,
    /// How much longer answers may take (0.1 is 10 %); `None`: latency is not compared.
    pub latency: Option<f64>,
    /// The chance of turning back a rollout that is not worse beyond the tolerance, all looks
    /// together.
    pub alpha: f64,
    /// The chance of holding one that is not worse at all.
    pub hold: f64,
    /// The chance of promoting one whose error rate is `not_worse_by` above stable's.
    pub beta: f64,
    /// A candidate is promoted once its error rate is shown to be less than this above stable's.
    pub not_worse_by: f64,
    /// Fewer requests of the candidate than this promote nothing.
    pub min_requests: u64,
    /// How long the rollout is planned to last, in seconds.
    pub horizon: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            errors: Some(Margin::DEFAULT),
            latency: Some(0.1),
            alpha: 0.01,
            hold: 0.05,
            beta: 0.05,
            not_worse_by: 0.01,
            min_requests: 100,
            horizon: 3600,
        }
    }
}

/// All evidence of one rollout. It is kept over all its stages, so that they share one budget, and
/// can be stored, so that a restart keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    settings: Settings,
    metrics: Vec<Metric>,
    /// Whether requests are shared as they are meant to be.
    srm: SampleRatio,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Metric {
    name: String,
    required: bool,
    /// Its latencies are not compared for now.
    #[serde(default)]
    muted: bool,
    rate: Option<Rate>,
    latency: Option<Latency>,
    seconds: u64,
    candidate: Counts,
    stable: Counts,
}

/// A metric beside the requests that the proxy counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compare<'a> {
    /// Its name; not empty.
    pub name: &'a str,
    /// It counts bad answers.
    pub errors: bool,
    /// It has latencies.
    pub latency: bool,
    /// Without anything of it there is no promotion.
    pub required: bool,
}

/// The requests that the proxy counts.
const PROXY: Compare<'_> = Compare { name: "", errors: true, latency: true, required: true };

impl Metric {
    fn new(of: &Compare<'_>, settings: &Settings) -> Metric {
        let (margin, longer) = (settings.errors, settings.latency);
        let rate = margin.filter(|_| of.errors).map(|margin| Rate::new(margin, settings.horizon));
        let latency = longer.filter(|_| of.latency).map(|by| Latency::new(by, settings.horizon));
        let (candidate, stable) = Default::default();
        let (name, required) = (of.name.to_owned(), of.required);
        Metric { name, required, muted: false, rate, latency, seconds: 0, candidate, stable }
    }

    fn observe(&mut self, tick: &Tick<'_>) {
        self.seconds += u64::from(tick.seconds);
        self.candidate.add(tick.candidate.counts);
        self.stable.add(tick.stable.counts);
        if let Some(rate) = &mut self.rate {
            rate.observe(tick);
        }
        if let Some(latency) = self.latency.as_mut().filter(|_| !self.muted) {
            latency.observe(tick);
        }
    }

    fn compare_anew(&mut self) {
        (self.seconds, self.candidate, self.stable) = Default::default();
        if let Some(rate) = &mut self.rate {
            rate.compare_anew();
        }
        if let Some(latency) = &mut self.latency {
            latency.compare_anew();
        }
    }

    /// Evidence of each part: beyond the tolerance, worse at all, not worse.
    fn evidence(&self, settings: &Settings) -> impl Iterator<Item = (f64, f64, f64)> {
        let errors = self.rate.as_ref().map(|rate| {
            let not_worse = rate.log_not_worse_by(settings.not_worse_by);
            (rate.log_beyond(), rate.log_worse(), not_worse)
        });
        let compared = |latency: &&Latency| !self.muted && latency.has_any();
        let slow =
            self.latency.as_ref().filter(compared).map(|latency| {
                (latency.log_beyond(), latency.log_worse(), latency.log_not_worse())
            });
        errors.into_iter().chain(slow)
    }

    fn parts(&self, settings: &Settings) -> impl Iterator<Item = Part> {
        let wanted = -settings.beta.ln();
        let seconds = float(self.seconds);
        let errors = self.rate.as_ref().map(|rate| {
            let not_worse = rate.not_worse_by(settings.not_worse_by);
            Part {
                metric: self.name.clone(),
                kind: Kind::Errors,
                log_beyond: rate.log_beyond(),
                log_worse: rate.log_worse(),
                log_not_worse: not_worse.log_e,
                seen: rate.seen(settings.alpha),
                share: self.share(),
                at_most: rate.at_most(settings.beta),
                needs: not_worse.left(wanted, seconds),
            }
        });
        let slow = self.latency.as_ref().filter(|_| !self.muted).and_then(|latency| {
            let not_worse = latency.not_worse();
            let (kind, seen) = match latency.seen(settings.alpha) {
                Some((quantile, above, seen)) => (Kind::Slow { quantile, above }, seen),
                // Metrics without latencies are not compared by them.
                None if self.seconds > 0 && !latency.has_any() => return None,
                None => (Kind::Slow { quantile: 0.5, above: 0 }, Seen::default()),
            };
            Some(Part {
                metric: self.name.clone(),
                kind,
                log_beyond: latency.log_beyond(),
                log_worse: latency.log_worse(),
                log_not_worse: not_worse.log_e,
                seen,
                share: self.share(),
                at_most: latency.at_most(settings.beta),
                needs: not_worse.left(wanted, float(latency.seconds())),
            })
        });
        errors.into_iter().chain(slow)
    }

    fn share(&self) -> f64 {
        let (candidate, stable) = (float(self.candidate.requests), float(self.stable.requests));
        if candidate + stable > 0.0 { candidate / (candidate + stable) } else { 0.0 }
    }
}

impl Judge {
    /// No evidence yet. `others` are metrics beside the requests that the proxy counts.
    #[must_use]
    pub fn new(settings: Settings, others: &[Compare<'_>]) -> Judge {
        let all = std::iter::once(&PROXY).chain(others);
        let metrics = all.map(|of| Metric::new(of, &settings)).collect();
        Judge { settings, metrics, srm: SampleRatio::default() }
    }

    /// What it is asked.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Learns from stable alone, before there is a candidate or beside it: what each instance did in
    /// the same span of time, and (before there is a candidate) their latencies.
    pub fn learn(&mut self, seconds: u32, instances: &[Counts], latency: &[(u64, u64)]) {
        let Some(metric) = self.metrics.first_mut() else { return };
        if let Some(rate) = &mut metric.rate {
            rate.learn(seconds, instances);
        }
        if let Some(its) = &mut metric.latency
            && !latency.is_empty()
        {
            its.learn(seconds, latency);
        }
    }

    /// Leaves latencies out of the comparison, or takes them up again: those of another time tell of
    /// the time more than of the release.
    pub fn mute_latency(&mut self, muted: bool) {
        for metric in &mut self.metrics {
            metric.muted = muted;
        }
    }

    /// Takes in a tick of a metric; the proxy's is the empty name. Unknown names are ignored.
    pub fn observe(&mut self, metric: &str, tick: &Tick<'_>) {
        if let Some(metric) = self.metrics.iter_mut().find(|known| known.name == metric) {
            metric.observe(tick);
        }
    }

    /// Checks that requests are shared as they are meant to be. Only where each is dealt by itself:
    /// one of a user follows that user's others.
    pub fn check_split(&mut self, share: f64, candidate: u64, stable: u64) {
        // A share of none or all, which cannot be checked, is left out.
        let _ = self.srm.observe(&[candidate, stable], &[share, 1.0 - share]);
    }

    /// The verdict alone, without the figures of [`Judge::look`]; as often as one likes.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let metrics = self.metrics.iter().filter(|metric| metric.seconds > 0);
        let evidence = metrics.flat_map(|metric| metric.evidence(&self.settings));
        let mut sums = (0.0, 0.0, f64::INFINITY, 0.0);
        for (beyond, worse, not_worse) in evidence {
            sums =
                (sums.0 + beyond.exp(), sums.1 + worse.exp(), not_worse.min(sums.2), sums.3 + 1.0);
        }
        let (beyond, worse, not_worse, count) = sums;
        let not_worse = if count > 0.0 { not_worse } else { 0.0 };
        self.decide((beyond / count).ln(), (worse / count).ln(), not_worse)
    }

    /// A look at all evidence; as often as one likes.
    #[must_use]
    pub fn look(&self) -> Look {
        let metrics = self.metrics.iter().filter(|metric| metric.seconds > 0);
        let parts: Vec<Part> = metrics.flat_map(|metric| metric.parts(&self.settings)).collect();
        let all = |evidence: fn(&Part) -> f64| {
            let logs: Vec<f64> = parts.iter().map(evidence).collect();
            if logs.is_empty() { 0.0 } else { log_mean(&logs) }
        };
        let log_not_worse = parts.iter().map(|part| part.log_not_worse);
        let mut look = Look {
            verdict: Verdict::Continue,
            log_beyond: all(|part| part.log_beyond),
            log_worse: all(|part| part.log_worse),
            log_not_worse: log_not_worse.reduce(f64::min).unwrap_or(0.0),
            parts,
        };
        look.verdict = self.decide(look.log_beyond, look.log_worse, look.log_not_worse);
        look
    }

    fn decide(&self, log_beyond: f64, log_worse: f64, log_not_worse: f64) -> Verdict {
        let settings = &self.settings;
        let candidate = self.metrics.first().map_or(0, |metric| metric.candidate.requests);
        if candidate == 0 {
            Verdict::NoData
        } else if log_beyond >= -settings.alpha.ln() {
            Verdict::Rollback
        } else if self.srm.is_mismatch(ALPHA) {
            Verdict::Invalid
        } else if log_worse >= -settings.hold.ln() {
            Verdict::Hold
        } else if self
            .metrics
            .iter()
            .any(|metric| metric.required && metric.candidate.requests == 0)
        {
            Verdict::NoData
        } else if log_not_worse >= -settings.beta.ln() && candidate >= settings.min_requests {
            Verdict::Promote
        } else {
            Verdict::Continue
        }
    }

    /// Another comparison begins, of other sides: what was shown of the ones before is no reason to
    /// promote these. Evidence of harm stays, and so does the budget for error.
    pub fn compare_anew(&mut self) {
        for metric in &mut self.metrics {
            metric.compare_anew();
        }
    }
}
