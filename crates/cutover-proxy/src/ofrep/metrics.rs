//! What is served and counted, as Prometheus reads it (text format 0.0.4).

use std::fmt::{Display, Write};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::Catalog;
use super::counts::FlagCounts;
use super::environment::{Serving, now};

/// Name, type, what it is, and where.
type Metric = (&'static str, &'static str, &'static str, fn(&Serving) -> f64);

const METRICS: [Metric; 11] = [
    ("cutover_flags", "gauge", "Flags that are served.", |it| f64::from(it.served().flags)),
    (
        "cutover_flags_age_seconds",
        "gauge",
        "Time since the daemon last said that the definitions are the newest.",
        |it| now().since(it.confirmed()).as_secs_f64(),
    ),
    ("cutover_flags_served_seconds", "gauge", "Time since the definitions changed.", |it| {
        now().since(it.served().since).as_secs_f64()
    }),
    (
        "cutover_flags_refused",
        "gauge",
        "1 if newer definitions were refused and the last good ones are served.",
        |it| f64::from(u8::from(it.is_behind())),
    ),
    ("cutover_flags_refused_total", "counter", "Definitions that were refused.", |it| {
        float(it.counts.publications_refused.get())
    }),
    ("cutover_flags_broken", "gauge", "Flags that cannot be used.", |it| {
        let served = it.served();
        float(served.problems.iter().filter(|problem| problem.error).count() as u64)
    }),
    ("cutover_flags_listeners", "gauge", "Clients that wait for changes.", |it| {
        f64::from(it.listeners.load(Ordering::Relaxed))
    }),
    ("cutover_flags_unauthorized_total", "counter", "Requests without a token.", |it| {
        float(it.counts.unauthorized.get())
    }),
    ("cutover_flag_tracks_total", "counter", "Exposures and outcomes that came.", |it| {
        float(it.counts.tracks.get())
    }),
    ("cutover_flag_tracks_refused_total", "counter", "Requests to track refused.", |it| {
        float(it.counts.tracks_refused.get())
    }),
    (
        "cutover_flag_tracks_dropped_total",
        "counter",
        "Tracks that were forgotten before anybody read them.",
        |it| float(it.ring.lock().unwrap_or_else(PoisonError::into_inner).unread),
    ),
];

fn float(count: u64) -> f64 {
    // Exact up to 2^53.
    count as f64
}

/// All metrics of all environments; nothing where none is served.
pub(crate) fn text(catalog: &Catalog) -> String {
    let environments = catalog.environments.load();
    let mut text = String::new();
    if environments.is_empty() {
        return text;
    }
    for (name, kind, help, value) in METRICS {
        head(&mut text, name, kind, help);
        for (environment, serving) in environments.iter() {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name}{{environment=\"{environment}\"}} {}", value(serving));
        }
    }
    let name = "cutover_flags_bulk_total";
    head(&mut text, name, "counter", "Requests for all flags, by what became of them.");
    for (environment, serving) in environments.iter() {
        let counts = &serving.counts;
        for (result, count) in [
            ("answered", &counts.bulk),
            ("unchanged", &counts.bulk_unchanged),
            ("refused", &counts.bulk_refused),
        ] {
            let labels = format!("environment=\"{environment}\",result=\"{result}\"");
            let _ = writeln!(text, "{name}{{{labels}}} {}", count.get());
        }
    }
    let name = "cutover_flag_evaluations_total";
    head(&mut text, name, "counter", "Evaluations of single flags, by reason or error.");
    for (environment, serving) in environments.iter() {
        let served = serving.served();
        let mut put = |labels: String, counts: &FlagCounts| {
            for (said, count) in counts.all() {
                let labels = format!("environment=\"{environment}\",{labels},reason=\"{said}\"");
                let _ = writeln!(text, "{name}{{{labels}}} {count}");
            }
        };
        let mut own: Vec<_> = served.counts.iter().collect();
        own.sort_by_key(|(key, _)| *key);
        own.into_iter().for_each(|(key, counts)| put(label("flag", key), counts));
        put("flag=\"\",which=\"other\"".into(), &serving.counts.others);
        put("flag=\"\",which=\"unknown\"".into(), &serving.counts.unknown);
    }
    text
}

fn label(name: &str, value: impl Display) -> String {
    let value = value.to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
