//! What the proxy counted, second by second, for as long as it remembers.

use std::collections::VecDeque;

use cutover_core::dataplane::{Second, Seconds};
use cutover_core::id::ReleaseId;
use cutover_core::sample::{Sample, add_latencies};
use cutover_core::units::At;

/// Seconds that are kept; the proxy keeps as many.
pub(crate) const KEPT: usize = 600;

/// The seconds of one app, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Series {
    /// Of the proxy process that counted the newest second, and the number of that second.
    newest: Option<(u64, u64)>,
    read_at: Option<At>,
    /// `None` is a second of which nothing is known.
    seconds: VecDeque<Option<Second>>,
    /// Seconds that are not kept any more: with them each second has a place that never changes.
    forgotten: usize,
}

/// Who got the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// A release.
    Release(ReleaseId),
    /// No release: held too long, or no server.
    Nobody,
}

/// Some seconds in a row, summed up.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Column {
    /// How many of its seconds are known.
    known: usize,
    sample: Sample,
}

impl Series {
    /// Takes in an answer of the proxy. One of another process holds all that this one counted.
    pub(crate) fn read(&mut self, answer: &Seconds, at: At) {
        let mut last = self.newest.filter(|(epoch, _)| *epoch == answer.epoch);
        if self.newest.is_some() && last.is_none() {
            self.skip(self.unseen(answer, at));
        }
        for second in &answer.seconds {
            match last {
                Some((_, number)) if second.number <= number => continue,
                Some((_, number)) => self.skip(second.number - number - 1),
                None => {}
            }
            last = Some((answer.epoch, second.number));
            self.push(Some(second.clone()));
        }
        // A process that has not finished a second yet is known all the same.
        self.newest = last.or(Some((answer.epoch, answer.cursor)));
        self.read_at = Some(at);
    }

    /// Seconds between the last one of the process before and the first one of this; at least one,
    /// so that the break is seen.
    fn unseen(&self, answer: &Seconds, at: At) -> u64 {
        let since = self.read_at.map_or(0, |read| at.since(read).as_secs());
        let counted = u64::try_from(answer.seconds.len()).unwrap_or(u64::MAX);
        since.saturating_sub(counted).max(1)
    }

    fn skip(&mut self, seconds: u64) {
        let most = usize::try_from(seconds).unwrap_or(KEPT).min(KEPT);
        (0..most).for_each(|_| self.push(None));
    }

    fn push(&mut self, second: Option<Second>) {
        self.seconds.push_back(second);
        if self.seconds.len() > KEPT {
            self.seconds.pop_front();
            self.forgotten += 1;
        }
    }

    /// When it was read last.
    pub(crate) fn read_at(&self) -> Option<At> {
        self.read_at
    }

    /// The newest seconds in `width` columns of `per` seconds each, the newest last. A second stays
    /// in its column until it leaves at the left, so that what is past does not flicker.
    pub(crate) fn columns(&self, who: Who, per: usize, width: usize) -> Vec<Column> {
        let per = per.max(1);
        let mut columns = vec![Column::default(); width];
        let last = (self.forgotten + self.seconds.len()).saturating_sub(1) / per;
        for (index, second) in self.seconds.iter().enumerate() {
            let back = last - (self.forgotten + index) / per;
            let column = width.checked_sub(back + 1).and_then(|place| columns.get_mut(place));
            if let (Some(column), Some(second)) = (column, second) {
                column.add(second, who);
            }
        }
        columns
    }

    /// The newest seconds in one sum.
    pub(crate) fn latest(&self, who: Who, seconds: usize) -> Column {
        let mut column = Column::default();
        let first = self.seconds.len().saturating_sub(seconds);
        for second in self.seconds.iter().skip(first).flatten() {
            column.add(second, who);
        }
        column
    }

    /// Did somebody send requests that no release got, of late?
    pub(crate) fn some_got_nobody(&self, seconds: usize) -> bool {
        self.latest(Who::Nobody, seconds).sample.counts.requests > 0
    }
}

impl Column {
    fn add(&mut self, second: &Second, who: Who) {
        self.known += 1;
        let release = match who {
            Who::Nobody => return self.sample.counts.add(&second.none),
            Who::Release(release) => second.releases.get(&release),
        };
        let Some(measured) = release else { return };
        measured.instances.values().for_each(|counts| self.sample.counts.add(counts));
        add_latencies(&mut self.sample.latency, &measured.latency);
    }

    /// Requests per second; `None` where nothing is known.
    pub(crate) fn rate(&self) -> Option<f64> {
        (self.known > 0).then(|| self.sample.counts.requests as f64 / self.known as f64)
    }

    /// The share of requests that went wrong, 0 to 1, counted as the guard does; `None` without
    /// requests.
    pub(crate) fn bad(&self) -> Option<f64> {
        let counts = &self.sample.counts;
        let bad = counts.errors + counts.failed + counts.lost;
        (counts.requests > 0).then(|| bad as f64 / counts.requests as f64)
    }

    /// The latency in seconds that 99 % stay under; `None` without answers.
    pub(crate) fn p99(&self) -> Option<f64> {
        self.sample.quantile(0.99).map(|latency| latency.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{second, seconds};
    use super::*;

    const V1: Who = Who::Release(ReleaseId(1));

    fn rates(series: &Series, per: usize, width: usize) -> Vec<Option<u32>> {
        let columns = series.columns(V1, per, width);
        columns.iter().map(|column| column.rate().map(|rate| rate as u32)).collect()
    }

    #[test]
    fn seconds_stand_in_columns_with_the_newest_last() {
        let mut series = Series::default();
        let of = |number, requests| second(number).of(1, requests, 0, 5).made();
        series.read(&seconds(7, vec![of(1, 10), of(2, 20)]), At(2000));
        // Read again by the same cursor: nothing is counted twice.
        series.read(&seconds(7, vec![of(2, 20), of(3, 40)]), At(3000));
        assert_eq!(rates(&series, 1, 4), [None, Some(10), Some(20), Some(40)]);
        assert_eq!(rates(&series, 2, 2), [Some(15), Some(40)], "a column not full is no dip");
        series.read(&seconds(7, vec![of(4, 60)]), At(4000));
        assert_eq!(rates(&series, 2, 2), [Some(15), Some(50)], "the full column has not moved");
        assert_eq!(series.latest(V1, 2).rate(), Some(50.0));
    }

    #[test]
    fn seconds_that_were_forgotten_are_unknown_and_not_zero() {
        let mut series = Series::default();
        let of = |number| second(number).of(1, 10, 0, 5).made();
        series.read(&seconds(7, vec![of(1)]), At(1000));
        let mut later = seconds(7, vec![of(4)]);
        later.gap = true;
        series.read(&later, At(4000));
        assert_eq!(rates(&series, 1, 4), [Some(10), None, None, Some(10)]);
        assert_eq!(series.columns(Who::Release(ReleaseId(2)), 1, 4)[3].rate(), Some(0.0));
    }

    #[test]
    fn another_proxy_process_counts_anew_after_a_break() {
        let mut series = Series::default();
        let of = |number| second(number).of(1, 10, 0, 5).made();
        series.read(&seconds(7, vec![of(500), of(501)]), At(501_000));
        series.read(&seconds(8, vec![of(1), of(2)]), At(506_000));
        let ten = Some(10);
        assert_eq!(rates(&series, 1, 7), [ten, ten, None, None, None, ten, ten]);
        series.read(&seconds(8, vec![of(3)]), At(507_000));
        assert_eq!(rates(&series, 1, 3), [ten, ten, ten]);
        // One that has counted nothing yet is a break, too, and only one.
        series.read(&seconds(9, vec![]), At(508_000));
        series.read(&seconds(9, vec![of(1)]), At(509_000));
        assert_eq!(rates(&series, 1, 3), [ten, None, ten]);
    }

    #[test]
    fn only_the_newest_are_kept_and_columns_stay_where_they_are() {
        let mut series = Series::default();
        let of = |number| second(number).of(1, u64::from(number % 10 == 0), 0, 5).made();
        series.read(&seconds(7, (1..=600).map(of).collect()), At(0));
        let before: Vec<_> = series.columns(V1, 10, 60).iter().map(Column::rate).collect();
        series.read(&seconds(7, vec![of(601), of(602)]), At(0));
        let after: Vec<_> = series.columns(V1, 10, 61).iter().map(Column::rate).collect();
        assert_eq!(series.seconds.len(), KEPT);
        assert_eq!(before[1..], after[1..60]);
    }

    #[test]
    fn errors_and_latency_are_those_of_the_guard() {
        let mut series = Series::default();
        let slow = second(2).of(1, 100, 4, 250).made();
        series.read(&seconds(7, vec![second(1).made(), slow, second(3).nobody(3).made()]), At(0));
        let latest = series.latest(V1, 3);
        assert_eq!((latest.bad(), latest.p99()), (Some(0.04), Some(0.25)));
        let quiet = series.columns(V1, 1, 3);
        assert_eq!((quiet[0].rate(), quiet[0].bad(), quiet[0].p99()), (Some(0.0), None, None));
        assert!(series.some_got_nobody(1) && series.latest(Who::Nobody, 3).bad() == Some(1.0));
    }
}
