//! The counters as Prometheus reads them (text format 0.0.4).

use std::fmt::Write;

use cutover_core::dataplane::Counters;

use crate::plane::Plane;
use crate::routes::Routes;

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
            let sums = route.app.measure.sums();
            let none = value(&sums.none);
            // Writing to a string does not fail.
            let _ = writeln!(text, "cutover_{name}_total{{app=\"{subject}\"}} {none}");
            for (id, counts) in sums.releases.values().flatten() {
                let labels =
                    format!("app=\"{subject}\",release=\"{}\",instance=\"{id}\"", id.release);
                let _ = writeln!(text, "cutover_{name}_total{{{labels}}} {}", value(counts));
            }
        }
    }
    sides(&mut text, &routes);
    copies(&mut text, &routes);
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

/// Requests by the sides of flags that are, or were, on for some.
fn sides(text: &mut String, routes: &Routes) {
    for (name, help, value) in NAMES.iter().take(3) {
        let name = format!("cutover_flag_{name}_total");
        head(text, &name, &format!("By side of a flag: {help}"), "counter");
        for (subject, route) in &routes.apps {
            for (key, (on, off)) in &route.app.measure.sums().flags {
                for (side, counts) in [("on", on), ("off", off)] {
                    let labels = format!("app=\"{subject}\",flag=\"{key}\",side=\"{side}\"");
                    let _ = writeln!(text, "{name}{{{labels}}} {}", value(counts));
                }
            }
        }
    }
}

/// What became of copies.
fn copies(text: &mut String, routes: &Routes) {
    head(text, "cutover_copies_total", "Copies of requests, by what became of them.", "counter");
    for (subject, route) in &routes.apps {
        let copies = route.app.measure.sums().copies;
        for (result, count) in [
            ("same_status", copies.same_status),
            ("other_status", copies.other_status()),
            ("unanswered", copies.unanswered),
            ("alone", copies.alone),
            ("cut", copies.copy.counts.cut),
            ("behind", copies.behind),
            ("too_large", copies.too_large),
        ] {
            let labels = format!("app=\"{subject}\",result=\"{result}\"");
            let _ = writeln!(text, "cutover_copies_total{{{labels}}} {count}");
        }
    }
    head(text, "cutover_copy_bodies_total", "Copies with the same status, by body.", "counter");
    for (subject, route) in &routes.apps {
        let copies = route.app.measure.sums().copies;
        for (body, count) in [("same", copies.same_body), ("other", copies.other_body)] {
            let labels = format!("app=\"{subject}\",body=\"{body}\"");
            let _ = writeln!(text, "cutover_copy_bodies_total{{{labels}}} {count}");
        }
    }
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
