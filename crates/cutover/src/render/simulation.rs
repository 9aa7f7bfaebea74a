//! What a simulation came to: a table, and one run drawn over time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use cutover_core::id::ReleaseId;
use cutover_core::patterns::{Making, Pattern, plan};
use cutover_core::plan::{Gate, Rest};
use cutover_core::spec::Spec;
use cutover_core::units::Count;
use cutover_sim::simulate::{Moment, Run};
use cutover_sim::suppose::Suppose;
use serde::Serialize;

use super::spark;
use super::text::outcome_words;
use super::time::span;

/// Columns of the drawing.
const WIDTH: usize = 60;

/// What a simulation came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Simulation {
    app: String,
    pattern: Pattern,
    instances: Count,
    supposed: Supposed,
    runs: usize,
    seed: u64,
    ends: Vec<End>,
    /// The fewest ready instances that served at one time in any run, and the most that existed.
    fewest_serving: Count,
    most_existing: Count,
    /// Promises that were broken; there should be none.
    broken: Vec<String>,
    shown: Shown,
}

#[derive(Debug, Clone, Serialize)]
struct Supposed {
    ready_seconds: (f64, f64),
    start_fails: f64,
    more_errors: f64,
    slower: f64,
    rate: u32,
    errors: f64,
    latency_ms: f64,
}

/// All runs that ended in one way.
#[derive(Debug, Clone, Serialize)]
struct End {
    end: String,
    runs: usize,
    /// Median and longest.
    seconds: (f64, f64),
    /// Requests that the new version answered: median and most.
    requests: (u64, u64),
    /// Bad answers among them: median and most.
    bad: (u64, u64),
}

/// A run like most.
#[derive(Debug, Clone, Serialize)]
struct Shown {
    seed: u64,
    end: String,
    seconds: f64,
    moments: Vec<At>,
}

/// From when on it was so.
#[derive(Debug, Clone, Copy, Serialize)]
struct At {
    seconds: f64,
    old_serving: Count,
    new_serving: Count,
    exist: Count,
    new_share: f64,
}

/// How a run ended, as people say it.
fn end(run: &Run) -> String {
    run.outcome.map_or_else(|| "did not end".to_owned(), outcome_words)
}

/// How long the plan of a spec lasts if everything passes at once.
pub(crate) fn planned_time(spec: &Spec) -> Duration {
    let (n, before) = (spec.instances, Some(Rest::of(ReleaseId(1))));
    let plan = plan(spec.pattern, Making { spec, n, before, candidate: ReleaseId(2) });
    let gates = plan.stages.iter().flat_map(|stage| &stage.gates);
    let lasts = gates.map(|gate| match gate {
        Gate::Hold(span) | Gate::Conclude(span) => *span,
        Gate::Judge { bake, .. } => *bake,
        Gate::Ready | Gate::Approval | Gate::Confirm(_) | Gate::Hooks => Duration::ZERO,
    });
    lasts.sum()
}

fn middle_and_most<T: Copy + Ord>(values: impl Iterator<Item = T>) -> Option<(T, T)> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    Some((*values.get(values.len().checked_sub(1)? / 2)?, *values.last()?))
}

impl Simulation {
    /// `None` of no runs.
    pub(crate) fn of(spec: &Spec, suppose: Suppose, runs: Vec<Run>) -> Option<Simulation> {
        let mut by_end: BTreeMap<String, Vec<&Run>> = BTreeMap::new();
        for run in &runs {
            by_end.entry(end(run)).or_default().push(run);
        }
        let mut ends: Vec<(String, Vec<&Run>)> = by_end.into_iter().collect();
        ends.sort_by_key(|(_, runs)| std::cmp::Reverse(runs.len()));
        let (_, most) = ends.first()?;
        let usual = middle_and_most(most.iter().map(|run| (run.took, run.seed)))?.0;
        let shown = most.iter().find(|run| run.seed == usual.1)?;
        let moment = |moment: &Moment, begun: cutover_core::units::At| At {
            seconds: moment.at.since(begun).as_secs_f64(),
            old_serving: moment.serving.0,
            new_serving: moment.serving.1,
            exist: moment.exist,
            new_share: f64::from(moment.share.permille()) / 1000.0,
        };
        let begun = shown.moments.first()?.at;
        let of_end = |(end, runs): &(String, Vec<&Run>)| {
            let took = middle_and_most(runs.iter().map(|run| run.took))?;
            Some(End {
                end: end.clone(),
                runs: runs.len(),
                seconds: (took.0.as_secs_f64(), took.1.as_secs_f64()),
                requests: middle_and_most(runs.iter().map(|run| run.exposed.requests))?,
                bad: middle_and_most(runs.iter().map(|run| run.exposed.errors))?,
            })
        };
        Some(Simulation {
            app: spec.app.to_string(),
            pattern: spec.pattern,
            instances: spec.instances,
            supposed: Supposed::of(suppose),
            runs: runs.len(),
            seed: runs.iter().map(|run| run.seed).min()?,
            ends: ends.iter().filter_map(of_end).collect(),
            fewest_serving: runs.iter().map(|run| run.instances.0).min()?,
            most_existing: runs.iter().map(|run| run.instances.1).max()?,
            broken: runs.iter().filter_map(|run| run.broken.clone()).collect(),
            shown: Shown {
                seed: shown.seed,
                end: end(shown),
                seconds: shown.took.as_secs_f64(),
                moments: shown.moments.iter().map(|known| moment(known, begun)).collect(),
            },
        })
    }
}

impl Supposed {
    fn of(suppose: Suppose) -> Supposed {
        let millionths = |count: u32| f64::from(count) / 1e6;
        Supposed {
            ready_seconds: (suppose.ready.0.as_secs_f64(), suppose.ready.1.as_secs_f64()),
            start_fails: f64::from(suppose.start_fails) / 1000.0,
            more_errors: millionths(suppose.worse),
            slower: f64::from(suppose.slower) / 100.0 - 1.0,
            rate: suppose.rate,
            errors: millionths(suppose.errors),
            latency_ms: suppose.latency.as_secs_f64() * 1000.0,
        }
    }

    fn told(&self) -> String {
        let (least, most) = self.ready_seconds;
        let between = match least < most {
            true => format!("{least} to {most} s"),
            false => format!("{least} s"),
        };
        let percent = |share: f64| format!("{}%", (share * 1e6).round() / 1e4);
        let mut text = format!("instances are ready after {between}");
        if self.start_fails > 0.0 {
            let _ = write!(text, ", {} of starts fail", percent(self.start_fails));
        }
        let _ = write!(text, ";\n{} requests/s, {} errors", self.rate, percent(self.errors));
        if self.more_errors > 0.0 {
            let _ = write!(text, ", {} more of the new version", percent(self.more_errors));
        }
        if self.slower > 0.0 {
            let _ = write!(text, ", which is {} slower", percent(self.slower));
        }
        text
    }
}

fn seconds(seconds: f64) -> String {
    span(Duration::from_secs_f64(seconds.max(0.0)))
}

/// For people.
pub(crate) fn simulation(simulation: &Simulation) -> String {
    let Simulation { app, pattern, instances, runs, seed, .. } = simulation;
    let mut text = format!(
        "{app} by {pattern}, {instances} instances: {runs} simulated runs from seed {seed}\n\
         Supposed: {}.\n\n{:<48}{:>5}  {:<20}{:<20}{}\n",
        simulation.supposed.told(),
        "ended",
        "runs",
        "after (longest)",
        "requests (most)",
        "bad (most)"
    );
    for end in &simulation.ends {
        let took = format!("{} ({})", seconds(end.seconds.0), seconds(end.seconds.1));
        let requests = format!("{} ({})", end.requests.0, end.requests.1);
        let bad = format!("{} ({})", end.bad.0, end.bad.1);
        let _ = writeln!(text, "{:<48}{:>5}  {took:<20}{requests:<20}{bad}", end.end, end.runs);
    }
    let _ = writeln!(
        text,
        "\nRequests are those that the new version answered. At least {} of {instances} instances served \
         at any time, at most {} existed.",
        simulation.fewest_serving, simulation.most_existing
    );
    for broken in &simulation.broken {
        let _ = writeln!(text, "A PROMISE IS BROKEN: {broken}");
    }
    let _ = write!(text, "\n{}", drawing(simulation));
    text
}

/// The values of one line of the drawing, a column each.
fn columns(shown: &Shown, value: impl Fn(&At) -> f64) -> Vec<Option<f64>> {
    let step = shown.seconds / WIDTH as f64;
    let at = |column: usize| {
        let time = step * (column as f64 + 0.5);
        shown.moments.iter().rev().find(|moment| moment.seconds <= time).map(&value)
    };
    (0..WIDTH).map(at).collect()
}

fn drawing(simulation: &Simulation) -> String {
    let shown = &simulation.shown;
    let mut text = format!("A run like most (seed {}): {}.\n\n", shown.seed, shown.end);
    let n = f64::from(simulation.instances.max(1));
    let mut row = |name: &str, top: f64, value: fn(&At) -> f64| {
        let bars = spark::bars(&columns(shown, value), top);
        let top = if name.starts_with("share") { "100%".to_owned() } else { top.to_string() };
        let _ = writeln!(text, "{name:>14} {bars} █ = {top}");
    };
    row("old, ready", n, |at| f64::from(at.old_serving));
    row("new, ready", n, |at| f64::from(at.new_serving));
    row("all that exist", f64::from(simulation.most_existing), |at| f64::from(at.exist));
    row("share of new", 1.0, |at| at.new_share);
    let end = seconds(shown.seconds);
    let _ = write!(text, "{:>14} 0{:>width$}", "", end, width = WIDTH - 1);
    text
}

/// The run as a picture.
pub(crate) fn simulation_svg(simulation: &Simulation) -> String {
    const SIZE: (f64, f64) = (800.0, 260.0);
    const FRAME: (f64, f64, f64, f64) = (60.0, 40.0, 720.0, 180.0);
    let shown = &simulation.shown;
    let (left, top, width, height) = FRAME;
    let n = f64::from(simulation.instances.max(1));
    let line = |colour: &str, value: &dyn Fn(&At) -> f64| {
        let (mut path, mut last) = (String::new(), None);
        let x = |time: f64| left + width * time / shown.seconds.max(1e-9);
        let y = |share: f64| top + height * (1.0 - share.clamp(0.0, 1.0));
        for moment in &shown.moments {
            let now = (x(moment.seconds), y(value(moment)));
            let begun = last.map_or('M', |_| 'L');
            if let Some(before) = last {
                let _ = write!(path, "L{:.1} {before:.1} ", now.0);
            }
            let _ = write!(path, "{begun}{:.1} {:.1} ", now.0, now.1);
            last = Some(now.1);
        }
        if let Some(y) = last {
            let _ = write!(path, "L{:.1} {y:.1}", left + width);
        }
        format!("<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n")
    };
    let lines = [
        line("#1f6feb", &|at| f64::from(at.old_serving) / n),
        line("#2da44e", &|at| f64::from(at.new_serving) / n),
        line("#cf222e", &|at| at.new_share),
    ];
    let legend = "<tspan fill=\"#1f6feb\">old, ready</tspan>  <tspan fill=\"#2da44e\">new, ready</tspan>  \
                  <tspan fill=\"#cf222e\">share of new</tspan>";
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{left}\" y=\"22\">{} by {}, seed {}: {}   {legend}</text>\n\
         <rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"none\" \
         stroke=\"#999\"/>\n{}<text x=\"8\" y=\"{}\">100%</text>\n<text x=\"8\" y=\"{}\">0</text>\n\
         <text x=\"{left}\" y=\"{}\">0</text>\n<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n</svg>\n",
        SIZE.0,
        SIZE.1,
        simulation.app,
        simulation.pattern,
        shown.seed,
        shown.end,
        lines.concat(),
        top + 5.0,
        top + height,
        top + height + 20.0,
        left + width,
        top + height + 20.0,
        seconds(shown.seconds),
    )
}
