//! Each pattern, struck by each blow at each record of its journal.

use std::collections::BTreeSet;

use cutover_core::patterns::Pattern;
use cutover_sim::many;
use cutover_sim::points::all;
use cutover_sim::strike::Blow;

#[test]
fn whatever_strikes_at_whichever_record_every_promise_holds() {
    let points = all(2).unwrap();
    let count = points.len() as u64;
    let all = many::run(0..count, |place| {
        let (name, scenario) = points[usize::try_from(place).unwrap()].clone();
        (name, Ok(scenario))
    });
    println!("{all}");
    assert!(all.broken.is_empty(), "a promise is broken: {all}");
    assert_eq!(all.worlds, count);
    let least = 2 * Pattern::ALL.len() * Blow::ALL.len() * 3 * 6;
    assert!(points.len() > least, "only {count} points");
    let patterns: BTreeSet<&str> =
        points.iter().filter_map(|(name, _)| name.split(' ').next()).collect();
    assert_eq!(patterns.len(), Pattern::ALL.len());
}
