//! Visits every state of small worlds: all patterns with three instances, under every order of
//! readiness, exits, arriving tables, aborts, scaling, a third version and restarts.
//!
//! `cargo run --release -p cutover-sim --example exhaust`; `… -- 100000` stops each pattern there.
#![expect(clippy::print_stdout, reason = "a program for developers")]

mod model;

use std::process::ExitCode;
use std::time::Instant;

use cutover_core::patterns::Pattern;
use cutover_sim::exhaust::Disturbances;
use model::{Deployment, Found, Order, check};

/// States of one pattern after which it is not looked any further.
const MOST: usize = 10_000_000;

fn main() -> ExitCode {
    let most = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(MOST);
    println!("| pattern | batch | disturbed by | states | depth | | s |");
    println!("|---|---|---|---|---|---|---|");
    let mut fine = true;
    for pattern in Pattern::ALL {
        let batches: &[(u32, bool)] = match pattern {
            Pattern::Rolling => &[(1, false), (2, false), (1, true), (2, true)],
            _ => &[(1, false)],
        };
        for (batch, in_place) in batches {
            for (what, disturbances) in kinds() {
                let (batch, in_place) = (*batch, *in_place);
                let begun = Instant::now();
                let deployment = Deployment { pattern, batch, in_place, disturbances };
                let all = deployment.disturbances == Disturbances::ONE;
                let found = check(deployment, if all { Order::Deep } else { Order::Near }, most);
                let seconds = begun.elapsed().as_secs_f64();
                let place = if in_place { " in place" } else { "" };
                let Found { states, depth, closed, broken, missing } = found;
                let end = if closed { "all of them" } else { "stopped there" };
                println!(
                    "| {pattern} | {batch}{place} | {what} | {states} | {depth} | {end} | {seconds:.0} |"
                );
                if let Some(broken) = broken {
                    println!("BROKEN:\n{broken}");
                    fine = false;
                }
                if !missing.is_empty() && closed {
                    println!("never: {missing:?}");
                    fine = false;
                }
            }
        }
    }
    ExitCode::from(u8::from(!fine))
}

/// What disturbs, by name.
fn kinds() -> Vec<(&'static str, Disturbances)> {
    let none = Disturbances::NONE;
    vec![
        ("an exit", Disturbances { exits: 1, ..none }),
        ("a loss of readiness", Disturbances { losses: 1, ..none }),
        ("an abort, a restart", Disturbances { aborts: 1, restarts: 1, ..none }),
        ("scaling", Disturbances { scales: 1, ..none }),
        ("a third version", Disturbances { supersedes: 1, ..none }),
        ("one of each", Disturbances::ONE),
    ]
}
