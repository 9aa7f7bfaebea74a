//! Times until a part that was hit did its work again.

use std::time::Duration;

use super::table::Table;
use crate::fault::{Damage, Fault, Part};
use crate::processes::Role;
use crate::run::Outcome;

/// Times of one kind.
#[derive(Debug)]
pub(crate) struct Figures {
    times: Vec<Duration>,
}

impl Figures {
    pub(crate) fn of(times: impl Iterator<Item = Duration>) -> Figures {
        let mut times: Vec<Duration> = times.collect();
        times.sort_unstable();
        Figures { times }
    }
    /// The smallest time that this share of all does not exceed (nearest rank).
    fn quantile(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.times.len() as f64).ceil() as usize;
        self.times.get(rank.saturating_sub(1)).copied()
    }
    fn cells(&self) -> [String; 4] {
        let shown = |time: Option<Duration>| {
            time.map_or_else(|| "-".to_owned(), |time| format!("{} ms", time.as_millis()))
        };
        let quantiles = [0.5, 0.99, 1.0].map(|share| shown(self.quantile(share)));
        let [median, p99, most] = quantiles;
        [self.times.len().to_string(), median, p99, most]
    }

    /// All kinds that there are times of.
    pub(crate) fn table(outcomes: &[Outcome]) -> Table {
        let mut table = Table::new(&["until", "times", "median", "p99", "max"]);
        let kinds: [(&str, &[Fault]); 7] = [
            ("a killed daemon's successor is in charge", &[Fault::Kill(Role::Daemon)]),
            ("the same, with twenty apps in the middle of releases", &[Fault::Crowd]),
            ("one of four daemons started at once is in charge", &[Fault::Daemons]),
            ("a daemon that was stopped and started is in charge", &[Fault::Restart(Part::Daemon)]),
            (
                "a new user is served after kill -9 of the proxy",
                &[Fault::Kill(Role::Proxy), Fault::ProxyState(Damage::PreviousGone)],
            ),
            (
                "the same, with its newest file damaged",
                &[Fault::ProxyState(Damage::Truncated), Fault::ProxyState(Damage::Garbled)],
            ),
            ("a new user is served after SIGTERM of the proxy", &[Fault::Restart(Part::Proxy)]),
        ];
        for (name, faults) in kinds {
            let mine = outcomes.iter().filter(|one| faults.contains(&one.choices.fault));
            let figures = Figures::of(mine.filter_map(|one| one.back));
            if !figures.times.is_empty() {
                table.push([name.to_owned()].into_iter().chain(figures.cells()).collect());
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let figures = Figures::of((1..=100).rev().map(Duration::from_millis));
        assert_eq!(figures.cells(), ["100", "50 ms", "99 ms", "100 ms"]);
        assert_eq!(Figures::of(std::iter::empty()).cells(), ["0", "-", "-", "-"]);
        let one = Figures::of(std::iter::once(Duration::from_millis(7)));
        assert_eq!(one.cells(), ["1", "7 ms", "7 ms", "7 ms"]);
    }
}
