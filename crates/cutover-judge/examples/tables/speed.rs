//! How much the judge costs.

use std::hint::black_box;
use std::time::Instant;

use cutover_judge::{Arm, Counts, Judge, Latency, Margin, Rate, Settings, Tick};

use crate::page;
use crate::sim::world::{Harm, SHARE, Stream, World};
use crate::targets::Targets;

const TICKS: u32 = 400_000;

/// Ticks per second on one core.
pub(crate) fn table(targets: &mut Targets) {
    let mut stream = Stream::new(World::clean(100.0, Harm::None), 1);
    let seconds: Vec<(Counts, Counts)> = (0..TICKS)
        .map(|second| stream.second(second))
        .map(|seen| (seen.candidate, seen.stable))
        .collect();
    let mut rate = Rate::new(Margin::DEFAULT, 3600);
    let checked = {
        million(|| {
            for (candidate, stable) in &seconds {
                rate.observe(&tick(*candidate, *stable, &[], &[]));
                black_box(rate.is_beyond(100_f64.ln()) || rate.is_worse(20_f64.ln()));
            }
        })
    };
    let errors = judge(Settings { latency: None, ..Settings::default() }, &seconds, &[], &[]);
    let [candidate, stable] = latencies();
    let both = judge(Settings::default(), &seconds[..40_000], &candidate, &stable) / 10.0;
    page::head("Speed, one core, 100 rps", &["what", "million ticks a second"]);
    page::row(&["errors: Rate::observe and both checks".to_owned(), format!("{checked:.2}")]);
    page::row(&["errors: Judge::observe and verdict".to_owned(), format!("{errors:.2}")]);
    page::row(&["errors and latency: Judge::observe and verdict".to_owned(), format!("{both:.3}")]);
    targets.at_least("Rate::observe and both checks", checked, 1.0, " million ticks/s");
    state(&mut rate, &candidate, &stable, targets);
    targets.at_least("Judge::observe and verdict, errors", errors, 1.0, " million ticks/s");
}

/// Bytes of one metric, with ten instances told apart.
fn state(rate: &mut Rate, candidate: &[(u64, u64)], stable: &[(u64, u64)], targets: &mut Targets) {
    let counts = Counts::new(100, 1);
    for _ in 0..120 {
        rate.learn(1, &[counts; 10]);
    }
    let mut latency = Latency::new(0.1, 3600);
    for _ in 0..120 {
        latency.observe(&tick(counts, counts, candidate, stable));
    }
    page::head("State of a metric, heap included", &["of", "bytes"]);
    page::row(&["errors".to_owned(), rate.bytes().to_string()]);
    page::row(&["latency".to_owned(), latency.bytes().to_string()]);
    targets.at_most("state of an error rate", Some(rate.bytes() as u64), 4096, " bytes");
    targets.at_most("state of a latency", Some(latency.bytes() as u64), 4096, " bytes");
}

fn judge(
    settings: Settings,
    seconds: &[(Counts, Counts)],
    its: &[(u64, u64)],
    stables: &[(u64, u64)],
) -> f64 {
    million(|| {
        // Rollouts of an hour each.
        for hour in seconds.chunks(3600) {
            let mut judge = Judge::new(settings.clone(), &[]);
            for (candidate, stable) in hour {
                judge.observe("", &tick(*candidate, *stable, its, stables));
                black_box(judge.verdict());
            }
        }
    })
}

/// Millions of ticks a second, if all of them are done once.
fn million(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    f64::from(TICKS) / 1e6 / start.elapsed().as_secs_f64()
}

/// Of the candidate and of stable.
fn latencies() -> [Vec<(u64, u64)>; 2] {
    let side = |n: u64| (0..n).map(|place| (20_000 + place * 1_500, 1)).collect();
    [side(10), side(60)]
}

fn tick<'a>(
    candidate: Counts,
    stable: Counts,
    its: &'a [(u64, u64)],
    stables: &'a [(u64, u64)],
) -> Tick<'a> {
    Tick {
        seconds: 1,
        share: SHARE,
        candidate: Arm { counts: candidate, latency: its },
        stable: Arm { counts: stable, latency: stables },
        cold: false,
    }
}
