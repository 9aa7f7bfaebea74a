//! The counters as Prometheus reads them (text format 0.0.4).

use std::fmt::Write;

use cutover_core::dataplane::Counters;

use crate::plane::Plane;

/// Name, what it counts, and where it is.
type Counter = (&'static str, &'static str, fn(&Counters) -> u64);

const NAMES: [Counter; 8] = [
    ("requests", "Requests that ended.", |counts| counts.requests),
    ("errors", "Requests answered 5xx by the app.", |counts| counts.errors),
    ("failed", "Requests without a complete answer of the app.", |counts| counts.failed),
    ("lost", "Requests lost inside an instance that died.", |counts| counts.lost),
    ("drained", "Requests that ended well after their instance left.", |counts| counts.drained),
    ("cut", "Requests ended by the drain limit.", |counts| counts.cut),
    ("held", "Requests that waited for a server.", |counts| counts.held),
    ("retried", "Requests sent a second time.", |counts| counts.retried),
];

/// All counters; at most a second old.
pub(crate) fn text(plane: &Plane) -> String {
    let routes = plane.routes();
    let mut text = String::new();
    for (name, help, value) in NAMES {
        head(&mut text, &format!("cutover_{name}_total"), help, "counter");
        for (subject, route) in &routes.apps {
            let (instances, none) = route.app.measure.sums();
            // Writing to a string does not fail.
            let _ = writeln!(text, "cutover_{name}_total{{app=\"{subject}\"}} {}", value(&none));
            for (id, counts) in instances {
                let labels =
                    format!("app=\"{subject}\",release=\"{}\",instance=\"{id}\"", id.release);
                let _ = writeln!(text, "cutover_{name}_total{{{labels}}} {}", value(&counts));
            }
        }
    }
    head(&mut text, "cutover_in_flight", "Requests and connections inside an instance.", "gauge");
    for (subject, route) in &routes.apps {
        for (id, inside) in route.app.in_flight() {
            for (kind, count) in [("request", inside.requests), ("upgraded", inside.upgraded)] {
                let labels = format!("app=\"{subject}\",instance=\"{id}\",kind=\"{kind}\"");
                let _ = writeln!(text, "cutover_in_flight{{{labels}}} {count}");
            }
        }
    }
    head(&mut text, "cutover_waiting", "Requests that wait for a server.", "gauge");
    for (subject, route) in &routes.apps {
        let held = route.app.hold.len();
        let _ = writeln!(text, "cutover_waiting{{app=\"{subject}\"}} {held}");
    }
    text
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
