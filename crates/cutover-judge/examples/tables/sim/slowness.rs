//! One rollout judged by its latencies.

use cutover_judge::{Arm, Counts, Latency, Tick};

use super::chance::Chance;
use super::checks::Argo;
use super::fleet;
use super::kayenta::Minutes;
use super::outcome::{Outcomes, Stop};
use super::world::{HORIZON, LATE, SHARE};

/// Latencies are multiples of each other by this: 26 steps are 30 %.
const STEP: f64 = 1.010_142;
/// Cells of the grid, from this many microseconds on.
const CELLS: usize = 820;
const LEAST: f64 = 1500.0;
/// Seconds of history.
const HISTORY: u32 = 1200;

/// What is slow about the candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Slow {
    None,
    /// All answers take this many times as long.
    All(f64),
    /// From minute 30 on.
    Late(f64),
    /// Only the slowest 5 %.
    Tail(f64),
}

/// Latencies are 95 % LN(40 ms, 0.5) and 5 % LN(200 ms, 0.5).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SlowWorld {
    /// Requests per second, both sides together.
    pub(crate) rate: f64,
    pub(crate) slow: Slow,
    /// Each side's latencies are multiplied by exp(N(0, this)) for 10 s.
    pub(crate) brief: f64,
    /// The candidate's, throughout.
    pub(crate) lasting: f64,
}

impl SlowWorld {
    fn late(&self) -> u32 {
        match self.slow {
            Slow::Late(_) => LATE,
            Slow::None | Slow::All(_) | Slow::Tail(_) => 0,
        }
    }
    /// Steps by which the candidate is slower, and those of its slowest 5 %.
    fn steps(&self, second: u32) -> (i64, i64) {
        match self.slow {
            Slow::None => (0, 0),
            Slow::All(times) => (steps(times), steps(times)),
            Slow::Late(times) if second >= LATE => (steps(times), steps(times)),
            Slow::Late(_) => (0, 0),
            Slow::Tail(times) => (0, steps(times)),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a few hundred")]
fn steps(times: f64) -> i64 {
    (times.ln() / STEP.ln()).round() as i64
}

/// How many latencies are in each cell.
#[derive(Debug, Clone)]
struct Side {
    cells: Vec<u32>,
    list: Vec<(u64, u64)>,
    low: usize,
    high: usize,
}

impl Side {
    fn new() -> Side {
        Side { cells: vec![0; CELLS], list: Vec::new(), low: CELLS, high: 0 }
    }

    fn clear(&mut self) {
        if self.low <= self.high {
            self.cells[self.low..=self.high].fill(0);
        }
        self.list.clear();
        (self.low, self.high) = (CELLS, 0);
    }

    fn put(&mut self, cell: i64) {
        let cell = usize::try_from(cell).unwrap_or(0).min(CELLS - 1);
        self.cells[cell] += 1;
        self.low = self.low.min(cell);
        self.high = self.high.max(cell);
    }

    fn close(&mut self, edges: &[u64]) {
        for cell in self.low..=self.high.min(CELLS - 1) {
            if self.cells[cell] > 0 {
                self.list.push((edges[cell], u64::from(self.cells[cell])));
            }
        }
    }
}

/// Where quantiles of a minute are taken.
#[derive(Debug, Clone)]
struct Minute {
    cells: Vec<u32>,
    count: u32,
}

impl Minute {
    fn new() -> Minute {
        Minute { cells: vec![0; CELLS], count: 0 }
    }
    fn add(&mut self, side: &Side) {
        for cell in side.low..=side.high.min(CELLS - 1) {
            self.cells[cell] += side.cells[cell];
            self.count += side.cells[cell];
        }
    }
    /// In milliseconds.
    fn quantile(&self, share: f64, edges: &[u64]) -> Option<f64> {
        let wanted = share * f64::from(self.count);
        let mut below = 0.0;
        let cell = self.cells.iter().position(|count| {
            below += f64::from(*count);
            below >= wanted
        });
        (self.count > 0).then(|| edges[cell.unwrap_or(CELLS - 1)] as f64 / 1000.0)
    }
    fn clear(&mut self) {
        self.cells.fill(0);
        self.count = 0;
    }
}

/// Draws latencies from tables of quantiles: fine enough, and one look-up each.
#[derive(Debug, Clone)]
pub(crate) struct Draws {
    /// Cells of the quick part, of equal weight; likewise of the slow part.
    quick: Vec<i64>,
    slow: Vec<i64>,
    edges: Vec<u64>,
}

impl Draws {
    pub(crate) fn new() -> Draws {
        let mut chance = Chance::new(7);
        #[expect(clippy::cast_possible_truncation, reason = "cells")]
        let mut table = |median: f64| -> Vec<i64> {
            let one = |_| {
                let value = median * (0.5 * chance.normal()).exp();
                ((value / LEAST).ln() / STEP.ln()).ceil() as i64
            };
            (0..1 << 16).map(one).collect()
        };
        let (quick, slow) = (table(40_000.0), table(200_000.0));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "microseconds")]
        let edge = |cell| (LEAST * STEP.powi(cell)).round() as u64;
        Draws { quick, slow, edges: (0..CELLS as i32).map(edge).collect() }
    }

    fn fill(&self, side: &mut Side, chance: &mut Chance, n: u64, (quick, slow): (i64, i64)) {
        for _ in 0..n {
            let place = chance.below(20 << 16);
            let cell = match place >> 16 {
                0 => self.slow[place & 0xFFFF] + slow,
                _ => self.quick[place & 0xFFFF] + quick,
            };
            side.put(cell);
        }
        side.close(&self.edges);
    }
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlowMethod {
    Argo,
    KayentaTail,
    KayentaMedian,
    Hold,
    Robust,
}

pub(crate) const SLOW_METHODS: [SlowMethod; 5] = [
    SlowMethod::Argo,
    SlowMethod::KayentaTail,
    SlowMethod::KayentaMedian,
    SlowMethod::Hold,
    SlowMethod::Robust,
];

impl SlowMethod {
    pub(crate) fn name(self) -> &'static str {
        match self {
            SlowMethod::Argo => "Argo p99",
            SlowMethod::KayentaTail => "Kayenta p99",
            SlowMethod::KayentaMedian => "Kayenta p50",
            SlowMethod::Hold => "HOLD",
            SlowMethod::Robust => "ROBUST",
        }
    }
}

type Stops = [Option<Stop>; SLOW_METHODS.len()];

/// What each method did in a world.
#[derive(Debug, Clone)]
pub(crate) struct SlowCell {
    outcomes: [Outcomes; SLOW_METHODS.len()],
}

impl SlowCell {
    pub(crate) fn of(&self, method: SlowMethod) -> &Outcomes {
        &self.outcomes[method as usize]
    }
}

/// Simulates a world. Stops before the harm begins are left out, and times count from there.
pub(crate) fn slow_cell(world: SlowWorld, number: u64, runs: usize, threads: usize) -> SlowCell {
    let draws = Draws::new();
    let all =
        fleet::simulate(threads, runs, |run| rollout(world, &draws, fleet::seed(number, run)));
    let mut outcomes: [Outcomes; SLOW_METHODS.len()] = Default::default();
    let start = world.late();
    for stops in all {
        for (outcomes, stop) in outcomes.iter_mut().zip(stops) {
            match stop {
                Some(stop) if stop.seconds <= start => {}
                Some(stop) => outcomes.add(Some(Stop { seconds: stop.seconds - start, ..stop })),
                None => outcomes.add(None),
            }
        }
    }
    SlowCell { outcomes }
}

/// Both sides of one rollout.
struct Sides<'a> {
    world: SlowWorld,
    draws: &'a Draws,
    chance: Chance,
    candidate: Side,
    stable: Side,
    control: Side,
    brief: [i64; 2],
    lasting: i64,
}

impl Sides<'_> {
    /// One second, or a block of several.
    fn next(&mut self, second: u32, seconds: u32, (quick, slow): (i64, i64), control: bool) {
        if self.world.brief > 0.0 && second.is_multiple_of(10) {
            self.brief = [(); 2].map(|()| steps((self.world.brief * self.chance.normal()).exp()));
        }
        let [ours, theirs] = self.brief;
        let all = self.world.rate * f64::from(seconds);
        for side in [&mut self.candidate, &mut self.stable, &mut self.control] {
            side.clear();
        }
        let n = self.chance.poisson(all * SHARE);
        let moved = (quick + ours + self.lasting, slow + ours + self.lasting);
        self.draws.fill(&mut self.candidate, &mut self.chance, n, moved);
        let stable = self.chance.poisson(all * (1.0 - SHARE));
        self.draws.fill(&mut self.stable, &mut self.chance, stable, (theirs, theirs));
        if control {
            self.draws.fill(&mut self.control, &mut self.chance, n, (theirs, theirs));
        }
    }

    fn taught(&mut self) -> Latency {
        let mut latency = Latency::new(0.1, u64::from(HORIZON));
        let mut long = [Minute::new(), Minute::new()];
        for block in 0..HISTORY / 10 {
            self.next(block * 10, 10, (0, 0), false);
            latency.learn(10, &self.stable.list);
            latency.learn_pair(0, &self.candidate.list, &self.stable.list);
            long[0].add(&self.candidate);
            long[1].add(&self.stable);
            if (block + 1).is_multiple_of(6) {
                let [one, other] = long.each_ref().map(|minute| minute.list(&self.draws.edges));
                latency.learn_pair(1, &one, &other);
                long.iter_mut().for_each(Minute::clear);
            }
        }
        if self.world.lasting > 0.0 {
            self.lasting = steps((self.world.lasting * self.chance.normal()).exp());
        }
        latency
    }
}

impl Minute {
    fn list(&self, edges: &[u64]) -> Vec<(u64, u64)> {
        let all = edges.iter().zip(&self.cells).filter(|(_, count)| **count > 0);
        all.map(|(edge, count)| (*edge, u64::from(*count))).collect()
    }
}

fn rollout(world: SlowWorld, draws: &Draws, seed: u64) -> Stops {
    let mut sides = Sides {
        world,
        draws,
        chance: Chance::new(seed),
        candidate: Side::new(),
        stable: Side::new(),
        control: Side::new(),
        brief: [0; 2],
        lasting: 0,
    };
    let mut latency = sides.taught();
    let mut argo = Argo::new(3);
    let (mut tail, mut median) = (Minutes::default(), Minutes::default());
    let (mut minute, mut control) = (Minute::new(), Minute::new());
    let mut stops = Stops::default();
    let mut set = |method: SlowMethod, second: u32, found: bool| {
        let place = &mut stops[method as usize];
        if found && place.is_none() {
            *place = Some(Stop { seconds: second + 1, bad: 0 });
        }
        place.is_none()
    };
    let mut open = [true; SLOW_METHODS.len()];
    for second in 0..HORIZON {
        let compared = open[1] || open[2];
        sides.next(second, 1, world.steps(second), compared);
        if open[3] || open[4] {
            latency.observe(&tick(&sides));
            open[3] = open[3] && set(SlowMethod::Hold, second, latency.is_worse(20_f64.ln()));
            open[4] = open[4] && set(SlowMethod::Robust, second, latency.is_beyond(100_f64.ln()));
        }
        minute.add(&sides.candidate);
        control.add(&sides.control);
        if (second + 1).is_multiple_of(60) {
            let at = |share, side: &Minute| side.quantile(share, &draws.edges);
            let high = at(0.99, &minute).is_some_and(|p99| p99 > 500.0);
            open[0] = open[0] && set(SlowMethod::Argo, second, argo.check(high));
            let parts = [(1, SlowMethod::KayentaTail, 0.99), (2, SlowMethod::KayentaMedian, 0.5)];
            for ((place, method, share), minutes) in parts.into_iter().zip([&mut tail, &mut median])
            {
                if let (true, Some(x), Some(y)) =
                    (open[place], at(share, &minute), at(share, &control))
                {
                    minutes.add(x, y);
                    open[place] = set(method, second, minutes.is_high());
                }
            }
            minute.clear();
            control.clear();
        }
        if open.iter().all(|open| !open) {
            break;
        }
    }
    stops
}

fn tick<'a>(sides: &'a Sides<'_>) -> Tick<'a> {
    let arm = |side: &'a Side| {
        let requests = side.list.iter().map(|(_, count)| count).sum();
        Arm { counts: Counts::new(requests, 0), latency: &side.list }
    };
    Tick {
        seconds: 1,
        share: SHARE,
        candidate: arm(&sides.candidate),
        stable: arm(&sides.stable),
        cold: false,
    }
}
