//! The account while it is being written.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use tokio::time::Instant;

use crate::call::{Call, Kind};
use crate::connection::{Answer, Progress};
use crate::failure::Failure;
use crate::report::{Example, Failed, Gap, Latency, Moment, Posts, Report, Version};
use crate::settings::Settings;

const LATE: Duration = Duration::from_millis(10);
const EXAMPLES: usize = 5;
/// An hour; what is longer counts as an hour.
const LONGEST_LATENCY_US: u64 = 3_600_000_000;

/// Every number of a [`Report`], and what is needed to go on counting.
pub(crate) struct Account {
    /// Filled in as far as it can be; `report` does the rest.
    report: Report,
    began: Instant,
    latencies: Histogram<u64>,
    /// When the last answer below 400 ended, slow ones aside, from the start.
    last_ok: Duration,
    /// When the last request had come due, once it has.
    ended: Option<Duration>,
    /// The POSTs answered with 201.
    acknowledged: Vec<u64>,
}

impl Account {
    pub(crate) fn new(
        settings: &Settings,
        began: Instant,
    ) -> Result<Self, hdrhistogram::CreationError> {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let began_unix_ms = milliseconds(unix.unwrap_or_default());
        let from = Moment { offset_ms: 0, unix_ms: began_unix_ms };
        Ok(Self {
            report: Report {
                seed: settings.seed,
                rate: settings.rate,
                began_unix_ms,
                elapsed_ms: 0,
                due: 0,
                unsent: 0,
                late: 0,
                started: 0,
                sent: 0,
                under_way: 0,
                completed: 0,
                ok: 0,
                rejected: 0,
                errors: 0,
                failed: Failed::default(),
                by_status: BTreeMap::new(),
                by_version: BTreeMap::new(),
                posts: Posts::default(),
                latency: Latency::default(),
                longest_gap: Gap { from, ms: 0 },
                reopened: 0,
            },
            began,
            latencies: Histogram::new_with_bounds(1, LONGEST_LATENCY_US, 3)?,
            last_ok: Duration::ZERO,
            ended: None,
            acknowledged: Vec::new(),
        })
    }

    /// A request came due; is it begun?
    pub(crate) fn due(&mut self, begun: bool) {
        let report = &mut self.report;
        report.due += 1;
        let fate = if begun { &mut report.started } else { &mut report.unsent };
        *fate += 1;
    }

    pub(crate) fn begun(&mut self, late_by: Duration) {
        self.report.late += u64::from(late_by > LATE);
    }

    pub(crate) fn ended(
        &mut self,
        call: Call,
        begun: Instant,
        due: Instant,
        progress: &Progress,
        result: &Result<Answer, Failure>,
    ) {
        self.report.sent += u64::from(progress.sent);
        self.report.reopened += u64::from(progress.reopened);
        if call.kind == Kind::Post {
            self.report.posts.sent += u64::from(progress.sent);
        }
        match result {
            Ok(answer) => self.answered(call, begun, due, answer),
            Err(failure) => self.failed(call.k, failure),
        }
    }

    fn answered(&mut self, call: Call, begun: Instant, due: Instant, answer: &Answer) {
        let latency = due.elapsed().as_micros();
        let latency = u64::try_from(latency).unwrap_or(u64::MAX).max(1);
        self.latencies.saturating_record(latency);
        let at = self.moment(begun.duration_since(self.began));
        let now = self.ended.unwrap_or_else(|| self.began.elapsed());
        let gap = self.gap_until(now);
        let report = &mut self.report;
        report.completed += 1;
        *report.by_status.entry(answer.status).or_default() += 1;
        let version = report.by_version.entry(answer.version.clone());
        let version =
            version.or_insert_with(|| Version { by_status: BTreeMap::new(), first: at, last: at });
        *version.by_status.entry(answer.status).or_default() += 1;
        // Requests end in another order than they begin.
        version.first = version.first.min(at);
        version.last = version.last.max(at);
        if call.kind == Kind::Post && answer.status == 201 {
            self.acknowledged.push(call.k);
        }
        match answer.status {
            500.. => report.errors += 1,
            400.. => report.rejected += 1,
            _ => {
                report.ok += 1;
                // A slow request was let in long ago: its answer says nothing about now.
                if call.kind != Kind::Slow {
                    report.longest_gap = gap;
                    self.last_ok = now;
                }
            }
        }
    }

    pub(crate) fn failed(&mut self, request: u64, failure: &Failure) {
        let at = self.moment(self.began.elapsed());
        let failed = &mut self.report.failed;
        failed.total += 1;
        *failed.by_reason.entry(failure.reason).or_default() += 1;
        if failed.examples.len() < EXAMPLES {
            let (reason, detail) = (failure.reason, failure.detail.clone());
            failed.examples.push(Example { request, at, reason, detail });
        }
    }

    /// No more requests come due.
    pub(crate) fn end(&mut self) {
        self.ended = Some(self.began.elapsed());
    }

    pub(crate) fn report(&self, settings: &Settings) -> Report {
        let mut report = self.report.clone();
        let elapsed = self.ended.unwrap_or_else(|| self.began.elapsed());
        report.elapsed_ms = milliseconds(elapsed);
        report.longest_gap = self.gap_until(elapsed);
        report.under_way = report.started - report.completed - report.failed.total;
        report.posts.created = self.acknowledged.len() as u64;
        report.posts.acknowledged = self.acknowledged.iter().map(|k| settings.id(*k)).collect();
        let at = |quantile| self.latencies.value_at_quantile(quantile);
        if !self.latencies.is_empty() {
            report.latency = Latency {
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                p99_9: at(0.999),
                max: self.latencies.max(),
            };
        }
        report
    }

    /// The longest gap, if the one that is open ended now.
    fn gap_until(&self, now: Duration) -> Gap {
        let ms = milliseconds(now.saturating_sub(self.last_ok));
        if ms <= self.report.longest_gap.ms {
            return self.report.longest_gap;
        }
        let from = self.moment(self.last_ok);
        Gap { from, ms }
    }

    fn moment(&self, offset: Duration) -> Moment {
        let offset_ms = milliseconds(offset);
        let unix_ms = self.report.began_unix_ms + offset_ms;
        Moment { offset_ms, unix_ms }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
