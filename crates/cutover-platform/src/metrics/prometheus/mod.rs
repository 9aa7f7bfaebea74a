//! Counters and values from a Prometheus, by its HTTP API (`/api/v1/query`, `/api/v1/query_range`).
//!
//! Everything of one look is asked in one query. So both sides are seen at the same moment, and
//! requests and errors that came with the same scrape are seen together.

mod answer;
mod api;
mod counters;
mod look;
mod question;
mod series;
mod totals;
mod value;

use cutover_core::metric::Reading;
use cutover_core::spec::{Metric, Prometheus};
use cutover_engine::ports::{Memory, Sides};

use super::unread::Unread;
use api::Api;

/// Looks once.
pub(super) async fn read(
    metric: &Metric,
    source: &Prometheus,
    sides: &Sides,
    memory: &mut Memory,
    secrets: &mut Vec<String>,
) -> Result<Reading, Unread> {
    let api = Api::open(source, sides, metric.deadline.0, secrets).await?;
    match &source.value {
        Some(query) => value::read(&api, &sides.fill(query, &sides.candidate)).await,
        None => look::read(&api, metric, source, sides, memory).await,
    }
}
