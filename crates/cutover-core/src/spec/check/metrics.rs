//! Rules for `judge.metrics`.

use std::time::Duration;

use crate::spec::whereabouts::Whereabouts;
use crate::spec::{Auth, HttpValue, Metric, Prometheus, Tls};

/// More would load the machine that keeps them, and the journal.
const MOST: usize = 16;
/// The longest query or URL, in characters.
const LONGEST: usize = 4096;
/// The shortest and the longest time between two looks.
const INTERVALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));
/// Headers that the client itself writes.
const OWN_HEADERS: [&str; 6] =
    ["host", "connection", "content-length", "content-type", "transfer-encoding", "upgrade"];

/// Tells what makes no sense about metrics.
pub(super) fn check(metrics: &[Metric], at: &Whereabouts<'_>) {
    if metrics.len() > MOST {
        at.wrong(
            &[&["judge", "metrics"]],
            &format!("`judge.metrics` holds more than {MOST} metrics"),
            "keep those that would stop a release",
        );
    }
    for (number, metric) in metrics.iter().enumerate() {
        let number = number.to_string();
        let there = Place { number: &number, at };
        if metrics.iter().filter(|other| other.name == metric.name).count() > 1 {
            let message = format!("there are several metrics named `{}`", metric.name);
            there.wrong(&[&["name"]], &message, "their names tell them apart: change one");
        }
        times(metric, there);
        sources(metric, there);
        bounds(metric, there);
    }
}

/// One metric of the spec.
#[derive(Clone, Copy)]
struct Place<'a> {
    number: &'a str,
    at: &'a Whereabouts<'a>,
}

impl Place<'_> {
    /// Tells what is wrong with the first of these values that is there; paths begin in the metric.
    fn wrong(self, paths: &[&[&str]], message: &str, help: &str) {
        let here = ["judge", "metrics", self.number];
        let paths: Vec<Vec<&str>> = paths.iter().map(|path| [&here, *path].concat()).collect();
        let paths: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
        self.at.wrong(&paths, message, help);
    }
}

fn times(metric: &Metric, there: Place<'_>) {
    let (shortest, longest) = INTERVALS;
    if !(shortest..=longest).contains(&metric.interval.0) {
        there.wrong(&[&["interval"]], "a metric's `interval` must be from 1s to 10m", "try 15s");
    }
    if metric.deadline.0.is_zero() || metric.deadline.0 > longest {
        there.wrong(
            &[&["deadline"]],
            "a metric's `deadline` must be above 0 and at most 10m",
            "try 10s",
        );
    }
    if !(1..=100).contains(&metric.failures) {
        there.wrong(&[&["failures"]], "a metric's `failures` must be from 1 to 100", "try 3");
    }
}

fn sources(metric: &Metric, there: Place<'_>) {
    let given = [metric.prometheus.is_some(), metric.http.is_some(), !metric.command.is_empty()];
    if given.iter().filter(|given| **given).count() != 1 {
        there.wrong(
            // All of them: none may be there under a mistyped name.
            &[&[], &["prometheus"], &["http"], &["command"]],
            "a metric is exactly one of `prometheus`, `http` and `command`",
            "write `prometheus: { url: \"http://127.0.0.1:9090\", value: QUERY }`",
        );
    }
    if let Some(prometheus) = &metric.prometheus {
        queries(prometheus, there);
        address(&prometheus.url, false, "prometheus", there);
        entrance(prometheus.auth.as_ref(), "prometheus", there);
        certificates(&prometheus.url, prometheus.tls.as_ref(), "prometheus", there);
    }
    if let Some(http) = &metric.http {
        pointer(http, there);
        address(&http.url, true, "http", there);
        entrance(http.auth.as_ref(), "http", there);
        certificates(&http.url, http.tls.as_ref(), "http", there);
    }
}

fn queries(prometheus: &Prometheus, there: Place<'_>) {
    let Prometheus { requests, errors, latency, value, .. } = prometheus;
    let counters = [("requests", requests), ("errors", errors), ("latency", latency)];
    let counted = counters.iter().any(|(_, query)| query.is_some());
    let paths: [&[&str]; 4] = [
        &["prometheus", "value"],
        &["prometheus", "requests"],
        &["prometheus", "errors"],
        &["prometheus", "latency"],
    ];
    if counted == value.is_some() {
        let paths: Vec<&[&str]> = [&["prometheus"] as &[&str]].into_iter().chain(paths).collect();
        there.wrong(
            &paths,
            "`prometheus` is either counters or a `value`",
            "give `requests` and `errors`, `latency`, or all three; or one `value`",
        );
    }
    if requests.is_some() != errors.is_some() {
        there.wrong(
            &paths[1..3],
            "`requests` and `errors` go together",
            "errors are judged as a share of the requests: add the other query",
        );
    }
    for (key, query) in counters {
        let Some(query) = query else { continue };
        if !["{version}", "{release}"].iter().any(|mark| query.contains(mark)) {
            there.wrong(
                &[&["prometheus", key]],
                &format!("`{key}` does not tell candidate from stable"),
                "ask for a label of one version, like `{version=\"{version}\"}`",
            );
        }
    }
    for (key, query) in counters.into_iter().chain([("value", value)]) {
        let Some(query) = query else { continue };
        if query.trim().is_empty() || query.chars().count() > LONGEST {
            let message = format!("`{key}` must hold a query of at most {LONGEST} characters");
            there.wrong(&[&["prometheus", key]], &message, "write it in PromQL");
        }
    }
}

fn pointer(http: &HttpValue, there: Place<'_>) {
    if !http.value.is_empty() && !http.value.starts_with('/') {
        there.wrong(
            &[&["http", "value"]],
            "`http.value` must be a JSON pointer",
            "write it like `/queue/depth`",
        );
    }
}

/// `with_query`: may the URL have a part from `?` on?
fn address(url: &str, with_query: bool, source: &str, there: Place<'_>) {
    let flawed = |message: &str, help: &str| {
        there.wrong(&[&[source, "url"]], &format!("`{source}.url` {message}"), help);
    };
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let Some(rest) = rest else {
        return flawed(
            "must begin with http:// or https://",
            "write it like http://127.0.0.1:9090",
        );
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_graphic();
    if host.is_empty() || url.chars().count() > LONGEST || !url.chars().all(plain) {
        return flawed("is not a URL", "write it like http://127.0.0.1:9090");
    }
    if host.contains('{') {
        flawed("must name its host", "`{version}` and the others belong into the path or query");
    }
    // Whoever reads the spec, a plan or an error would see them.
    if host.contains('@') {
        flawed("must hold no user or password", "use `auth`, with a file");
    }
    if rest.contains('#') || (!with_query && rest.contains('?')) {
        flawed("must end with its path", "leave out what follows `?` or `#`");
    }
}

fn entrance(auth: Option<&Auth>, source: &str, there: Place<'_>) {
    let Some(auth) = auth else { return };
    let given = [auth.header.is_some(), auth.basic.is_some(), auth.bearer_file.is_some()];
    if given.iter().filter(|given| **given).count() != 1 {
        there.wrong(
            &[&[source, "auth"]],
            "`auth` is exactly one of `header`, `basic` and `bearer-file`",
            "write `auth: { bearer-file: secrets/token }`",
        );
    }
    if let Some(header) = &auth.header {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let own = OWN_HEADERS.contains(&header.name.to_ascii_lowercase().as_str());
        if header.name.is_empty() || !header.name.bytes().all(token) || own {
            there.wrong(
                &[&[source, "auth", "header", "name"]],
                "`auth.header.name` is not a header to be let in by",
                "write it like `X-Scope-OrgID`",
            );
        }
    }
    if auth.basic.as_ref().is_some_and(|basic| basic.user.contains(':')) {
        there.wrong(
            &[&[source, "auth", "basic", "user"]],
            "`auth.basic.user` must not hold a colon",
            "the password stands in `password-file`",
        );
    }
}

fn certificates(url: &str, tls: Option<&Tls>, source: &str, there: Place<'_>) {
    let Some(tls) = tls else { return };
    if !url.starts_with("https://") {
        there.wrong(
            &[&[source, "tls"], &[source, "url"]],
            "`tls` needs a URL with https://",
            "change `url`, or leave `tls` out",
        );
    }
    if tls.cert.is_some() != tls.key.is_some() {
        there.wrong(
            &[&[source, "tls", "cert"], &[source, "tls", "key"]],
            "`cert` and `key` go together",
            "write `tls: { cert: client.pem, key: client.key }`",
        );
    }
}

fn bounds(metric: &Metric, there: Place<'_>) {
    let (min, max) = (metric.min, metric.max);
    let paths: [&[&str]; 2] = [&["max"], &["min"]];
    if metric.is_counted() && (min.is_some() || max.is_some()) {
        there.wrong(
            &[paths[0], paths[1], &["prometheus"]],
            "`min` and `max` are for values; counters are compared with stable",
            "leave them out, or give one `value`",
        );
    }
    let value = !metric.is_counted();
    if value && min.is_none() && max.is_none() {
        there.wrong(
            &[&[], paths[0], paths[1]],
            "a value needs a bound",
            "add `max: 100`, `min`, or both",
        );
    }
    if min.zip(max).is_some_and(|(min, max)| min > max) {
        there.wrong(&paths, "`min` must not be above `max`", "nothing would be good");
    }
    if [min, max].into_iter().flatten().any(|bound| !bound.is_finite()) {
        there.wrong(&paths, "`min` and `max` must be numbers", "leave out the one without limit");
    }
}
