//! The states of small worlds, as far as a test may go: `cargo run --release -p cutover-sim
//! --example exhaust` goes on.

#[path = "../examples/exhaust/model.rs"]
mod model;

use cutover_core::patterns::Pattern;
use cutover_sim::exhaust::Disturbances;
use model::{Deployment, Order, check};

/// States of one pattern that are generated here.
const MOST: usize = 60_000;

#[test]
fn in_every_order_of_steps_every_promise_holds() {
    let mut states = 0;
    for pattern in Pattern::ALL {
        for disturbances in [Disturbances::NONE, Disturbances::ONE] {
            let deployment = Deployment { pattern, batch: 1, in_place: false, disturbances };
            let found = check(deployment, Order::Near, MOST);
            assert_eq!(found.broken, None, "{pattern}");
            assert!(found.states > 1000, "{pattern}: {} states", found.states);
            assert!(!found.closed || found.missing.is_empty(), "{pattern}: {:?}", found.missing);
            println!("{pattern} {disturbances:?}: {} states, depth {}", found.states, found.depth);
            states += found.states;
        }
    }
    println!("{states} states");
}
