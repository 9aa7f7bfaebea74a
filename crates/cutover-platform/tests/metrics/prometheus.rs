//! A stand-in for a Prometheus: it does not read queries, but knows what was when.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::server::{Answer, Request, Server, answer};

/// Series at one moment: the part of the question they answer, their labels, and their value.
pub(crate) type Series = Vec<(&'static str, Value, String)>;

/// What was when, in seconds; and what time it is.
#[derive(Default)]
pub(crate) struct Past {
    pub(crate) now: u64,
    pub(crate) moments: BTreeMap<u64, Series>,
    /// How long a range query takes.
    pub(crate) slow: std::time::Duration,
}

pub(crate) struct Fake {
    pub(crate) server: Server,
    past: Arc<Mutex<Past>>,
}

/// `r2 requests`, an instance, a value.
pub(crate) fn one(part: &'static str, instance: &str, value: u64) -> (&'static str, Value, String) {
    (part, json!({ "instance": instance }), value.to_string())
}

/// A bucket of a histogram.
pub(crate) fn bucket(
    part: &'static str,
    instance: &str,
    le: &str,
    value: u64,
) -> (&'static str, Value, String) {
    (part, json!({ "instance": instance, "le": le }), value.to_string())
}

impl Fake {
    pub(crate) async fn start() -> Fake {
        let past: Arc<Mutex<Past>> = Arc::default();
        let known = Arc::clone(&past);
        let server = Server::start(move |request| known.lock().unwrap().answer(request)).await;
        Fake { server, past }
    }
    /// Lets it become this time, with these counters from then on.
    pub(crate) fn at(&self, seconds: u64, series: Series) {
        let mut past = self.past.lock().unwrap();
        past.now = seconds;
        past.moments.insert(seconds, series);
    }
    pub(crate) fn slow(&self, slow: std::time::Duration) {
        self.past.lock().unwrap().slow = slow;
    }
    /// The paths of all calls so far; it forgets them.
    pub(crate) fn calls(&self) -> Vec<String> {
        let all = std::mem::take(&mut *self.server.requests.lock().unwrap());
        all.iter().map(|request| request.path().replace("/api/v1/", "")).collect()
    }
}

impl Past {
    fn answer(&self, request: &Request) -> Answer {
        let data = match request.path() {
            "/api/v1/query" => {
                let at = self.now;
                let row = |(metric, value): (Value, String)| json!({ "metric": metric, "value": [at, value] });
                let rows: Vec<Value> = self.rows(at).into_iter().map(row).collect();
                json!({ "resultType": "vector", "result": rows })
            }
            "/api/v1/query_range" => {
                std::thread::sleep(self.slow);
                self.range(request)
            }
            _ => return answer("404 Not Found", ""),
        };
        let all = json!({ "status": "success", "data": data, "warnings": ["one store is away"] });
        answer("200 OK", &all.to_string())
    }

    /// What is known at a moment, as it is labelled in an answer.
    fn rows(&self, at: u64) -> Vec<(Value, String)> {
        let series = self.moments.range(..=at).next_back().map_or(&[][..], |(_, all)| all);
        let mark = |(part, labels, value): &(&str, Value, String)| {
            let mut labels = labels.clone();
            labels["cutover_part"] = json!(part);
            (labels, value.clone())
        };
        let now = (json!({ "cutover_part": "now" }), at.to_string());
        series.iter().map(mark).chain([now]).collect()
    }

    fn range(&self, request: &Request) -> Value {
        let number = |name: &str| -> f64 { request.field(name).unwrap().parse().unwrap() };
        let (start, end, step) = (number("start"), number("end"), number("step"));
        let mut rows: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let mut at = start;
        while at <= end {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            for (labels, value) in self.rows(at as u64) {
                rows.entry(labels.to_string()).or_default().push(json!([at, value]));
            }
            at += step;
        }
        let row = |(labels, values): (String, Vec<Value>)| {
            let labels: Value = serde_json::from_str(&labels).unwrap();
            json!({ "metric": labels, "values": values })
        };
        json!({ "resultType": "matrix", "result": rows.into_iter().map(row).collect::<Vec<_>>() })
    }
}
