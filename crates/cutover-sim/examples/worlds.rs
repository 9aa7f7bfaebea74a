//! Tries many worlds, or traces one.
//!
//! `cargo run --release -p cutover-sim --example worlds -- 1000000` tries a million rollouts;
//! `… -- --from 5000 20000` begins with another seed; `… -- --seed 7` traces one world.
#![expect(clippy::print_stdout, reason = "a program for developers")]

use std::process::ExitCode;
use std::time::Instant;

use cutover_sim::conduct::Stage;
use cutover_sim::many;
use cutover_sim::scenario::scenario;
use mimalloc::MiMalloc;

/// A rollout asks for memory some thousand times.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Worlds between two lines of progress.
const BATCH: u64 = 20_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<u64> = arguments.iter().filter_map(|text| text.parse().ok()).collect();
    match (arguments.first().map(String::as_str), numbers.as_slice()) {
        (Some("--seed"), [seed]) => trace(*seed),
        (Some("--from"), [from, rollouts]) => try_many(*from, *rollouts),
        (_, [rollouts]) => try_many(0, *rollouts),
        _ => {
            println!("usage: worlds [--from SEED] ROLLOUTS | --seed SEED");
            ExitCode::from(2)
        }
    }
}

fn trace(seed: u64) -> ExitCode {
    let ended = scenario(seed).and_then(|scenario| {
        println!("{}", scenario.told());
        let stage = Stage::new().map_err(|error| error.to_string())?;
        Ok(stage.run(scenario, true))
    });
    match ended {
        Ok(ending) => {
            println!("{}\n{}", ending.trace.join("\n"), ending.told);
            println!("{}", ending.broken.as_deref().unwrap_or("no promise is broken"));
            ExitCode::from(u8::from(ending.broken.is_some()))
        }
        Err(what) => {
            println!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn try_many(from: u64, rollouts: u64) -> ExitCode {
    let (begun, mut next, mut all) = (Instant::now(), from, many::Many::default());
    while all.rollouts < rollouts && all.broken.is_empty() {
        let batch = BATCH.min(rollouts - all.rollouts);
        all.merge(many::run(next..next + batch, |seed| (seed.to_string(), scenario(seed))));
        next += batch;
        let rate = all.rollouts as f64 / begun.elapsed().as_secs_f64();
        println!("{:>9} rollouts, {rate:.0} a second", all.rollouts);
    }
    print!("{all}");
    let seconds = begun.elapsed().as_secs_f64();
    println!("{:.1} s, {:.0} rollouts a second", seconds, all.rollouts as f64 / seconds);
    for broken in all.broken.values() {
        for seed in &broken.some {
            println!("trace: cargo run --release -p cutover-sim --example worlds -- --seed {seed}");
        }
    }
    ExitCode::from(u8::from(!all.broken.is_empty()))
}
