//! The account on one screen.

use std::fmt::Write;

use crate::report::{Moment, Report};

impl Report {
    /// The account in plain text, aligned, one screen, for people.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{name:<14}{value}");
        };
        let seconds = self.elapsed_ms as f64 / 1000.0;
        line("due", format!("{} in {seconds:.1} s, {}/s asked for", self.due, self.rate));
        line(
            "sent",
            format!("{} of {} begun, {} under way", self.sent, self.started, self.under_way),
        );
        line(
            "answered",
            format!(
                "{}: {} ok, {} rejected (4xx), {} errors (5xx)",
                self.completed, self.ok, self.rejected, self.errors
            ),
        );
        let reasons = counts(&self.failed.by_reason);
        line("failed", format!("{}{reasons}", self.failed.total));
        for example in &self.failed.examples {
            let (at, detail) = (at(example.at), &example.detail);
            line("", format!("{at}  #{}  {}: {detail}", example.request, example.reason));
        }
        for (name, version) in &self.by_version {
            let all: u64 = version.by_status.values().sum();
            let (first, last) = (at(version.first), at(version.last));
            let statuses = counts(&version.by_status);
            line("version", format!("{name}  {all}{statuses}, from {first} to {last}"));
        }
        let [p50, p90, p99, p99_9, max] = [
            self.latency.p50,
            self.latency.p90,
            self.latency.p99,
            self.latency.p99_9,
            self.latency.max,
        ]
        .map(|us| us as f64 / 1000.0);
        line(
            "latency ms",
            format!("p50 {p50:.1}  p90 {p90:.1}  p99 {p99:.1}  p99.9 {p99_9:.1}  max {max:.1}"),
        );
        let gap = self.longest_gap;
        line("longest gap", format!("{} ms without a good answer, from {}", gap.ms, at(gap.from)));
        if self.posts.sent > 0 {
            line("posts", format!("{} sent, {} created", self.posts.sent, self.posts.created));
        }
        line(
            "the load",
            format!("{} reopened, {} late, {} unsent", self.reopened, self.late, self.unsent),
        );
        text
    }
}

fn counts<K: std::fmt::Display>(counts: &std::collections::BTreeMap<K, u64>) -> String {
    let words: Vec<_> = counts.iter().map(|(key, count)| format!("{key} × {count}")).collect();
    if words.is_empty() {
        return String::new();
    }
    format!(" ({})", words.join(", "))
}

fn at(moment: Moment) -> String {
    format!("{:+.3} s", moment.offset_ms as f64 / 1000.0)
}
