//! Measures the judge: false alarms, detection, promotion, latency and speed, beside other methods on
//! the same simulated rollouts. Tables are Markdown; the exit code is 1 if a target is not met.
//!
//! usage: cargo run --release -p cutover-judge --example tables [-- [--small] [--only PART] [--rows TEXT] [--threads N]]

mod detection;
mod false_alarms;
mod page;
mod plan;
mod promotion;
mod sim;
mod slow;
mod speed;
mod targets;

use std::process::ExitCode;

use plan::{Part, Plan};
use targets::Targets;

fn main() -> ExitCode {
    let plan = match Plan::read(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(usage) => {
            page::complain(&usage);
            return ExitCode::from(2);
        }
    };
    let mut targets = Targets::default();
    for part in plan.parts() {
        let start = std::time::Instant::now();
        match part {
            Part::Clean => false_alarms::clean(&plan, &mut targets),
            Part::Noise => false_alarms::noise(&plan, &mut targets),
            Part::Detection => detection::table(&plan, &mut targets),
            Part::Promotion => promotion::table(&plan, &mut targets),
            Part::Latency => slow::tables(&plan, &mut targets),
            Part::Speed => speed::table(&mut targets),
        }
        page::note(&format!("{}: {:.0} s", part.name(), start.elapsed().as_secs_f64()));
    }
    targets.print();
    if targets.all_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
