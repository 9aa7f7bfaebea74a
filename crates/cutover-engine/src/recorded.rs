//! What a judge was fed with, second by second, as lines that `cutover judge replay` reads.

use cutover_judge::{Arm, Tick};
use serde::Serialize;

/// One tick as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    t: u64,
    seconds: u32,
    rho: f64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cold: bool,
    candidate: Side<'a>,
    stable: Side<'a>,
}

#[derive(Serialize)]
struct Side<'a> {
    n: u64,
    errors: u64,
    latency_us: Histogram<'a>,
}

#[derive(Serialize)]
struct Histogram<'a> {
    buckets: &'a [(u64, u64)],
}

fn side(arm: Arm<'_>) -> Side<'_> {
    let latency_us = Histogram { buckets: arm.latency };
    // Of copies, those are counted that have an original to be compared with.
    let answers = arm.latency.iter().map(|(_, count)| count).sum();
    Side { n: arm.counts.requests.max(answers), errors: arm.counts.bad, latency_us }
}

/// The line of a tick that ends at the second `t` of what was compared.
pub(crate) fn line(t: u64, tick: &Tick<'_>) -> Option<String> {
    let line = Line {
        t,
        seconds: tick.seconds,
        rho: tick.share,
        cold: tick.cold,
        candidate: side(tick.candidate),
        stable: side(tick.stable),
    };
    serde_json::to_string(&line).ok()
}

#[cfg(test)]
mod tests {
    use cutover_judge::Counts;

    use super::*;

    #[test]
    fn a_line_is_what_replay_reads() {
        let latency = [(1000, 2)];
        let candidate = Arm { counts: Counts::new(2, 1), latency: &latency };
        let tick = Tick { seconds: 1, share: 0.1, candidate, stable: Arm::default(), cold: false };
        let wanted = r#"{"t":7,"seconds":1,"rho":0.1,"candidate":{"n":2,"errors":1,"latency_us":{"buckets":[[1000,2]]}},"stable":{"n":0,"errors":0,"latency_us":{"buckets":[]}}}"#;
        assert_eq!(line(7, &tick).as_deref(), Some(wanted));
    }
}
