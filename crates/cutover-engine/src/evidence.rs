//! The judge of one rollout, fed with what the data plane counted; stored with the tally, so that a
//! restart keeps its budget.

use std::collections::VecDeque;
use std::time::Duration;

use cutover_core::comparison::{Compared, Copies};
use cutover_core::dataplane::{Measured, Second};
use cutover_core::id::ReleaseId;
use cutover_core::metric;
use cutover_core::plan::{Gate, Plan};
use cutover_core::sample::Sample;
use cutover_core::spec::{Against, Judge as Spec, Kayenta, Metric};
use cutover_core::table::Generation;
use cutover_judge::{Arm, Compare, Counts, Judge, Look, Margin, Realised, Settings, Tick, Verdict};
use serde::{Deserialize, Serialize};

use crate::buckets::{Block, Buckets};
use crate::recorded;

/// Seconds that are not compared after a new table: some of their requests were dealt by the old one.
const UNSETTLED: u32 = 2;
/// Seconds of stable's past that are one block of it.
const BLOCK: u32 = 5;
/// Blocks of stable's past that are kept: ten minutes.
const BLOCKS: usize = 120;

/// What is compared now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparing {
    pub(crate) of: Option<Compared>,
    pub(crate) stable: ReleaseId,
    pub(crate) candidate: ReleaseId,
    /// The share by which each single request is dealt; `None` where users keep their side.
    pub(crate) share: Option<f64>,
    /// The candidate's instances are fresh: their latencies say nothing yet.
    pub(crate) cold: bool,
    /// The table in force.
    pub(crate) generation: Generation,
}

/// All evidence of one rollout.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Evidence {
    judge: Option<Judge>,
    /// What was compared when the evidence was taken.
    of: Option<Compared>,
    realised: Realised,
    /// Stable's last minutes, where the plan compares the candidate with them.
    past: Option<Past>,
    /// The same requests for Kayenta's judge, where the spec asks for it, and how long a stretch is.
    kayenta: Option<(u64, Buckets)>,
    /// It was shown, at this stage, that the candidate is not worse.
    shown: bool,
    /// Seconds that were compared.
    #[serde(default)]
    compared: u64,
    /// What was compared since it was stored last, a line for each tick.
    #[serde(skip)]
    recorded: Vec<String>,
    #[serde(skip)]
    comparing: Option<Comparing>,
    #[serde(skip)]
    unsettled: u32,
}

/// Stable before the candidate got requests.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Past {
    blocks: VecDeque<Block>,
    open: Block,
    /// The candidate's requests since the switch that are not compared yet.
    candidate: Block,
}

impl Past {
    /// A second in which stable got all requests.
    fn add(&mut self, arm: Arm<'_>) {
        self.open.add(1, arm);
        if self.open.seconds >= BLOCK {
            self.blocks.push_back(std::mem::take(&mut self.open));
            if self.blocks.len() > BLOCKS {
                self.blocks.pop_front();
            }
        }
    }
}

impl Evidence {
    /// The judge for a plan, made once.
    pub(crate) fn prepare(&mut self, plan: &Plan, spec: Option<&Spec>) {
        if let (None, Some(against)) = (&self.judge, &plan.against) {
            let metrics = spec.map_or(&[][..], |spec| &spec.metrics);
            let kayenta = spec.and_then(|spec| spec.kayenta.as_ref());
            self.kayenta = kayenta.map(|kayenta| (kayenta.bucket.0.as_secs(), Buckets::default()));
            let counted = metrics.iter().filter(|metric| metric.is_counted());
            let others: Vec<Compare<'_>> = counted
                .map(|metric| Compare {
                    name: metric.name.as_str(),
                    errors: metric.counts_errors(),
                    latency: metric.counts_latency(),
                    required: metric.required,
                })
                .collect();
            self.judge = Some(Judge::new(settings(plan, against), &others));
            let after = |stage| Compared::at(plan, stage) == Some(Compared::Before);
            self.past = plan.stages.iter().any(after).then(Past::default);
        }
    }

    /// Takes out what was compared since the last time.
    pub(crate) fn take_recorded(&mut self) -> Vec<String> {
        std::mem::take(&mut self.recorded)
    }

    /// Is there a judge?
    pub(crate) fn has_judge(&self) -> bool {
        self.judge.is_some()
    }

    /// What is compared from now on.
    pub(crate) fn compare(&mut self, now: Comparing) {
        let known = self.comparing.as_ref();
        if known.is_none_or(|known| known.generation != now.generation || known.of != now.of) {
            self.unsettled = UNSETTLED;
        }
        if known.is_some_and(|known| known.share != now.share || known.of != now.of) {
            self.realised = Realised::default();
        }
        self.comparing = Some(now);
    }

    /// Another stage: it is shown anew that the candidate is not worse, by all evidence so far.
    pub(crate) fn enter(&mut self) {
        self.shown = false;
    }

    /// Takes in seconds from before the rollout: how stable's instances differ, and how fast it is.
    pub(crate) fn learn(&mut self, seconds: &[Second]) {
        for second in seconds {
            self.remember(second, true);
        }
    }

    /// Takes in a second.
    pub(crate) fn take(&mut self, second: &Second) {
        let Some(comparing) = self.comparing.clone() else { return };
        let settled = self.unsettled == 0;
        self.unsettled = self.unsettled.saturating_sub(1);
        let of = comparing.of.as_ref().filter(|_| settled);
        self.remember(second, of.is_none());
        if let Some(of) = of {
            if self.of.as_ref().is_some_and(|known| !known.is_alike(of)) {
                self.compare_anew();
            }
            self.of = Some(of.clone());
            if let Some(judge) = &mut self.judge {
                judge.mute_latency(*of == Compared::Before);
            }
            self.observe(second, &comparing, of);
        }
    }

    /// Other sides are compared from now on.
    fn compare_anew(&mut self) {
        if let Some(judge) = &mut self.judge {
            judge.compare_anew();
        }
        if let Some((_, buckets)) = &mut self.kayenta {
            *buckets = Buckets::default();
        }
    }

    /// Learns from stable's instances, which are known to be alike.
    fn remember(&mut self, second: &Second, alone: bool) {
        let (Some(judge), Some(comparing)) = (&mut self.judge, &self.comparing) else { return };
        let Some(stable) = second.releases.get(&comparing.stable) else { return };
        let each = stable.instances.values();
        let instances: Vec<Counts> = each.map(|one| Counts::new(one.requests, one.bad())).collect();
        // What is compared brings its own latencies.
        let latency = if alone { stable.latency.as_slice() } else { &[] };
        judge.learn(1, &instances, latency);
        if let Some(past) = &mut self.past
            && !second.releases.contains_key(&comparing.candidate)
        {
            let counts = counts(&stable.sample());
            past.add(Arm { counts, latency: &stable.latency });
        }
    }

    fn observe(&mut self, second: &Second, comparing: &Comparing, of: &Compared) {
        let release = |id| second.releases.get(&id).map(Measured::sample).unwrap_or_default();
        let (old, new) = match of {
            Compared::Releases | Compared::Experiment => {
                (release(comparing.stable), release(comparing.candidate))
            }
            Compared::Flag { key, .. } => {
                let sides = second.flags.get(key).cloned().unwrap_or_default();
                (sides.off, sides.on)
            }
            Compared::Shadow => {
                if let Some(copies) = &second.copies {
                    self.observe_copies(copies, comparing.cold);
                }
                return;
            }
            Compared::Before => {
                self.observe_after(&release(comparing.candidate), comparing.cold);
                return;
            }
        };
        let (candidate, stable) = (counts(&new), counts(&old));
        let realised = self.realised.take(1, candidate.requests, stable.requests);
        let share = comparing.share.filter(|_| *of == Compared::Releases);
        if let (Some(share), Some(judge)) = (share, &mut self.judge) {
            judge.check_split(share, candidate.requests, stable.requests);
        }
        let Some(share) = share.or(realised) else { return };
        let candidate = Arm { counts: candidate, latency: &new.latency };
        let stable = Arm { counts: stable, latency: &old.latency };
        let cold = comparing.cold;
        self.tick(&Tick { seconds: 1, share, candidate, stable, cold });
    }

    /// Takes in a tick of the requests that the proxy counted.
    fn tick(&mut self, tick: &Tick<'_>) {
        if let Some(judge) = &mut self.judge {
            judge.observe("", tick);
            self.compared += u64::from(tick.seconds);
            self.recorded.extend(recorded::line(self.compared, tick));
        }
        if let Some((length, buckets)) = &mut self.kayenta {
            buckets.take(tick, *length);
        }
    }

    /// Copies and their originals are pairs: only those count in which one side was bad and the
    /// other was not.
    fn observe_copies(&mut self, copies: &Copies, cold: bool) {
        let (pairs, only_original, only_copy) = copies.discordant();
        let candidate =
            Arm { counts: Counts::new(pairs, only_copy), latency: &copies.copy.latency };
        let stable = Arm { counts: Counts::new(pairs, only_original), latency: &copies.original };
        self.tick(&Tick { seconds: 1, share: 0.5, candidate, stable, cold });
    }

    /// After the switch nothing runs beside the candidate: it is compared with stable's last minutes,
    /// each of them once.
    fn observe_after(&mut self, candidate: &Sample, cold: bool) {
        let Some(past) = &mut self.past else { return };
        past.candidate.add(1, Arm { counts: counts(candidate), latency: &candidate.latency });
        if past.candidate.seconds < BLOCK {
            return;
        }
        let now = std::mem::take(&mut past.candidate);
        let Some(before) = past.blocks.pop_back() else { return };
        let mut realised = Realised::default();
        let share = realised.take(BLOCK, now.counts.requests, before.counts.requests);
        if let Some(share) = share {
            let (candidate, stable) = (now.arm(), before.arm());
            self.tick(&Tick { seconds: BLOCK, share, candidate, stable, cold });
        }
    }

    /// Takes in what a metric of one's own counted since its last look.
    pub(crate) fn take_counts(&mut self, metric: &Metric, read: &metric::Counts) {
        let compared = self.comparing.as_ref().and_then(|comparing| comparing.of.as_ref());
        // Only releases can be told apart by labels.
        let releases = matches!(compared, Some(Compared::Releases | Compared::Experiment));
        let Some(judge) = self.judge.as_mut().filter(|_| releases) else { return };
        let arm = |sample: &Sample| Counts::new(sample.counts.requests, sample.counts.errors);
        let (candidate, stable) = (arm(&read.candidate), arm(&read.stable));
        let mut realised = Realised::default();
        let seconds = u32::try_from(read.span.0.as_secs()).unwrap_or(u32::MAX).max(1);
        let share = realised.take(seconds, candidate.requests, stable.requests);
        let Some(share) = share else { return };
        let candidate = Arm { counts: candidate, latency: &read.candidate.latency };
        let stable = Arm { counts: stable, latency: &read.stable.latency };
        let cold = self.comparing.as_ref().is_some_and(|comparing| comparing.cold);
        judge.observe(metric.name.as_str(), &Tick { seconds, share, candidate, stable, cold });
    }

    /// Is there more to compare? Stable's past comes to an end, and an app that was started a moment
    /// ago has none: then only absolute bounds can judge.
    fn has_more(&self) -> bool {
        let of = self.comparing.as_ref().and_then(|comparing| comparing.of.as_ref());
        let past = self.past.as_ref().is_some_and(|past| !past.blocks.is_empty());
        of != Some(&Compared::Before) || past
    }

    /// What the evidence comes to; `None` where nothing is, or can be, compared.
    pub(crate) fn look(&mut self) -> Option<Look> {
        self.comparing.as_ref()?.of.as_ref()?;
        let mut look = self.judge.as_ref()?.look();
        self.shown |= look.verdict == Verdict::Promote;
        // What was shown once stays shown: evidence may be looked at whenever it is enough.
        if self.shown && look.verdict == Verdict::Continue {
            look.verdict = Verdict::Promote;
        }
        let open = matches!(look.verdict, Verdict::Continue | Verdict::NoData);
        (!open || self.has_more()).then_some(look)
    }

    /// What Kayenta's judge says; `None` where nothing is compared, or not by it.
    pub(crate) fn kayenta(&self, settings: &Kayenta) -> Option<(Verdict, String)> {
        self.comparing.as_ref()?.of.as_ref()?;
        Some(self.kayenta.as_ref()?.1.judge(settings))
    }
}

fn counts(sample: &Sample) -> Counts {
    let (requests, bad) = sample.proof();
    Counts::new(requests, bad)
}

/// The judge's settings for a plan: its horizon is all the time in which the plan collects evidence.
#[must_use]
pub fn settings(plan: &Plan, against: &Against) -> Settings {
    let gates = plan.stages.iter().flat_map(|stage| &stage.gates);
    let time = gates.map(|gate| match gate {
        Gate::Hold(span) | Gate::Conclude(span) => *span,
        Gate::Judge { limit, .. } => *limit,
        Gate::Ready | Gate::Approval | Gate::Confirm(_) | Gate::Hooks => Duration::ZERO,
    });
    let errors = against.tolerance.errors;
    Settings {
        errors: Some(Margin { ratio: errors.times(), extra: errors.more() }),
        latency: Some(f64::from(against.tolerance.latency.permille()) / 1000.0),
        not_worse_by: against.not_worse_by.share(),
        min_requests: against.min_requests,
        horizon: time.sum::<Duration>().as_secs().max(600),
        ..Settings::default()
    }
}
