//! One rollout judged by its bad answers: every method on the same stream.

use cutover_judge::{Arm, Counts, Margin, Rate, Tick};

use super::chance::Chance;
use super::checks::{Argo, Flagger};
use super::exact::Exact;
use super::fleet;
use super::kayenta::Minutes;
use super::looks;
use super::outcome::{Outcomes, Stop};
use super::world::{HISTORY, HORIZON, INSTANCES, Parties, SHARE, Second, Stream, World};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Argo0,
    Argo3,
    Flagger,
    Kayenta,
    Z,
    Asymptotic,
    Exact,
    Hold,
    Robust,
}

pub(crate) const METHODS: [Method; 9] = [
    Method::Argo0,
    Method::Argo3,
    Method::Flagger,
    Method::Kayenta,
    Method::Z,
    Method::Asymptotic,
    Method::Exact,
    Method::Hold,
    Method::Robust,
];

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::Argo0 => "Argo 0",
            Method::Argo3 => "Argo 3",
            Method::Flagger => "Flagger 5",
            Method::Kayenta => "Kayenta",
            Method::Z => "z-test",
            Method::Asymptotic => "AsympCS",
            Method::Exact => "EXACT",
            Method::Hold => "HOLD",
            Method::Robust => "ROBUST",
        }
    }
}

/// When each method turned the rollout back.
pub(crate) type Stops = [Option<Stop>; METHODS.len()];

/// What each method did in a world.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    outcomes: [Outcomes; METHODS.len()],
}

impl Cell {
    pub(crate) fn of(&self, method: Method) -> &Outcomes {
        &self.outcomes[method as usize]
    }
}

/// Simulates a world. Stops before the harm begins are left out, and times count from there.
pub(crate) fn cell(world: World, number: u64, runs: usize, threads: usize) -> Cell {
    let all = fleet::simulate(threads, runs, |run| rollout(world, fleet::seed(number, run)));
    let mut outcomes: [Outcomes; METHODS.len()] = Default::default();
    let start = world.harm.start();
    for stops in all {
        for (outcomes, stop) in outcomes.iter_mut().zip(stops) {
            match stop {
                Some(stop) if stop.seconds <= start => {}
                Some(stop) => outcomes.add(Some(Stop { seconds: stop.seconds - start, ..stop })),
                None => outcomes.add(None),
            }
        }
    }
    Cell { outcomes }
}

/// A judge that has seen the history.
fn taught(stream: &mut Stream, parties: Parties) -> Rate {
    let mut rate = Rate::new(Margin::DEFAULT, u64::from(HORIZON));
    let mut blocks = [(Counts::default(), Counts::default()); 2];
    for second in 0..HISTORY {
        let mut seen = stream.before(second);
        match parties {
            Parties::Instances => {
                seen.instances[INSTANCES - 1] = seen.candidate;
                rate.learn(1, &seen.instances);
            }
            Parties::Sides => {
                for (scale, ((one, other), length)) in blocks.iter_mut().zip([10, 60]).enumerate() {
                    one.add(seen.candidate);
                    other.add(seen.stable);
                    if (second + 1) % length == 0 {
                        rate.learn_pair(scale, *one, *other);
                        (*one, *other) = Default::default();
                    }
                }
            }
        }
    }
    stream.replace();
    rate
}

pub(crate) fn tick(second: &Second) -> Tick<'static> {
    Tick {
        seconds: 1,
        share: SHARE,
        candidate: Arm { counts: second.candidate, latency: &[] },
        stable: Arm { counts: second.stable, latency: &[] },
        cold: false,
    }
}

/// Everything that watches a rollout.
struct Watch {
    rate: Rate,
    exact: Exact,
    argo: [Argo; 2],
    flagger: Flagger,
    minutes: Minutes,
    control: Chance,
    candidate: Counts,
    stable: Counts,
    minute: Counts,
    truth: f64,
    stops: Stops,
}

impl Watch {
    fn open(&self, method: Method) -> bool {
        self.stops[method as usize].is_none()
    }

    fn set(&mut self, method: Method, second: u32, found: bool) {
        let place = &mut self.stops[method as usize];
        // Harm that starts later is missed by none of those that were wrong before: they end there.
        if found && place.is_none() {
            *place = Some(Stop { seconds: second + 1, bad: self.candidate.bad });
        }
    }

    fn take(&mut self, second: u32, seen: &Second, parties: Parties) {
        self.candidate.add(seen.candidate);
        self.stable.add(seen.stable);
        self.minute.add(seen.candidate);
        self.truth += seen.truth;
        if self.open(Method::Exact) {
            let found = self.exact.observe(second, seen.candidate.bad, seen.stable.bad);
            self.set(Method::Exact, second, found);
        }
        if self.open(Method::Asymptotic) {
            let found = looks::asymptotic(self.candidate, self.stable);
            self.set(Method::Asymptotic, second, found);
        }
        if self.open(Method::Hold) || self.open(Method::Robust) {
            self.rate.observe(&tick(seen));
            if parties == Parties::Instances {
                self.rate.learn(1, &seen.instances[..INSTANCES - 1]);
            }
            let (hold, robust) = (20_f64.ln(), 100_f64.ln());
            let found = self.open(Method::Hold) && self.rate.is_worse(hold);
            self.set(Method::Hold, second, found);
            let found = self.open(Method::Robust) && self.rate.is_beyond(robust);
            self.set(Method::Robust, second, found);
        }
    }

    /// Once a minute. `rate`: the candidate's requests a second.
    fn check(&mut self, second: u32, rate: f64) {
        let high = self.minute.rate() > 0.01;
        for (argo, method) in [(0, Method::Argo0), (1, Method::Argo3)] {
            let found = self.argo[argo].check(high);
            self.set(method, second, found);
        }
        let found = self.flagger.check(high || self.minute.requests == 0);
        self.set(Method::Flagger, second, found);
        let found = looks::z_test(self.candidate, self.stable);
        self.set(Method::Z, second, found);
        if self.open(Method::Kayenta) {
            let bad = self.control.poisson(rate * self.truth);
            let good = self.control.poisson(rate * (60.0 - self.truth));
            let control = Counts::new(bad + good, bad);
            if control.requests > 0 && self.minute.requests > 0 {
                self.minutes.add(self.minute.rate() * 100.0, control.rate() * 100.0);
            }
            let found = self.minutes.is_high();
            self.set(Method::Kayenta, second, found);
        }
        self.minute = Counts::default();
        self.truth = 0.0;
    }
}

/// One rollout.
fn rollout(world: World, seed: u64) -> Stops {
    let mut stream = Stream::new(world, seed);
    let mut watch = Watch {
        rate: taught(&mut stream, world.parties),
        exact: Exact::new(SHARE),
        argo: [Argo::new(0), Argo::new(3)],
        flagger: Flagger::new(5),
        minutes: Minutes::default(),
        control: Chance::new(!seed),
        candidate: Counts::default(),
        stable: Counts::default(),
        minute: Counts::default(),
        truth: 0.0,
        stops: Stops::default(),
    };
    for second in 0..HORIZON {
        let seen = stream.second(second);
        watch.take(second, &seen, world.parties);
        if (second + 1).is_multiple_of(60) {
            watch.check(second, world.rate * SHARE);
        }
        if watch.stops.iter().all(Option::is_some) {
            break;
        }
    }
    watch.stops
}

/// Promotions: when a candidate was shown to be worse by less than `margin`.
pub(crate) fn promotions(world: World, number: u64, runs: usize, threads: usize) -> Outcomes {
    let all = fleet::simulate(threads, runs, |run| {
        let mut stream = Stream::new(world, fleet::seed(number, run));
        let mut rate = taught(&mut stream, world.parties);
        let mut candidate = Counts::default();
        (0..HORIZON).find_map(|second| {
            let seen = stream.second(second);
            rate.observe(&tick(&seen));
            candidate.add(seen.candidate);
            let shown = candidate.requests >= 100 && rate.log_not_worse_by(0.01) >= 20_f64.ln();
            shown.then_some(Stop { seconds: second + 1, bad: candidate.bad })
        })
    });
    let mut outcomes = Outcomes::default();
    all.into_iter().for_each(|stop| outcomes.add(stop));
    outcomes
}
