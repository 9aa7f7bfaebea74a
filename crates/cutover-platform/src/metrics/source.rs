//! One look at one metric, within its deadline.

use cutover_core::metric::Reading;
use cutover_core::spec::Metric;
use cutover_engine::ports::{Memory, MetricError, MetricSource, Sides};

use super::unread::Unread;
use super::{command, json, prometheus};

/// Every source of metrics that a spec can name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Metrics;

impl MetricSource for Metrics {
    async fn read(
        &self,
        metric: &Metric,
        sides: &Sides,
        memory: &mut Memory,
    ) -> Result<Reading, MetricError> {
        let mut secrets = sides.confidential.clone();
        let look = look(metric, sides, memory, &mut secrets);
        let looked = tokio::time::timeout(metric.deadline.0, look).await.unwrap_or_else(|_| {
            let reason = format!("not done after {}", metric.deadline);
            Err(Unread::new(reason).help("is it overloaded? `deadline` may be longer"))
        });
        match looked {
            Ok(Reading { found, warnings }) => {
                let warnings = warnings.iter().map(|text| scrub(text, &secrets)).collect();
                Ok(Reading { found, warnings })
            }
            Err(Unread { reason, help }) => Err(MetricError {
                metric: metric.name.clone(),
                from: from(metric, sides),
                reason: scrub(&reason, &secrets),
                help,
            }),
        }
    }
}

async fn look(
    metric: &Metric,
    sides: &Sides,
    memory: &mut Memory,
    secrets: &mut Vec<String>,
) -> Result<Reading, Unread> {
    if let Some(source) = &metric.prometheus {
        return prometheus::read(metric, source, sides, memory, secrets).await;
    }
    if let Some(http) = &metric.http {
        return json::read(http, sides, secrets).await.map(Reading::of);
    }
    command::read(&metric.command, sides).await.map(Reading::of)
}

/// Where a metric comes from, for messages.
fn from(metric: &Metric, sides: &Sides) -> String {
    let url = metric.prometheus.as_ref().map(|prometheus| &prometheus.url);
    match url.or(metric.http.as_ref().map(|http| &http.url)) {
        Some(url) => sides.fill(url, &sides.candidate),
        None => sides.fill(&metric.command.join(" "), &sides.candidate),
    }
}

/// The shortest value that is worth hiding: shorter ones would blot out ordinary words.
const SHORTEST: usize = 4;

pub(super) fn scrub(text: &str, secrets: &[String]) -> String {
    let worth = secrets.iter().filter(|secret| secret.len() >= SHORTEST);
    worth.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "[redacted]"))
}
