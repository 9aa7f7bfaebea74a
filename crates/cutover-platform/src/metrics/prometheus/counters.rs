//! Counters from one moment to the next: what they have grown by, through restarts of instances.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cutover_core::id::ReleaseId;
use cutover_engine::ports::{Instance, Memory};

use super::api::MOST_SERIES;
use super::series::Series;
use super::totals::Totals;

/// How long instances that are not there any more are remembered, should they come back.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// Takes a snapshot into memory, and counts what each series has grown by since the one before.
///
/// - A value lower than before is a restart: all of the new value counts.
/// - A series that is new, of an instance that was known, counts whole: an error counter often
///   appears with the first error.
/// - An instance that is new counts from now on: its counters may tell of a time long before.
/// - What is not there is remembered as it was, for an hour.
///
/// Gives instances with counters that fell by so little that they hardly started anew.
pub(super) fn advance(
    memory: &mut Memory,
    at: u64,
    snapshot: &[(Series, f64)],
    totals: &mut Totals,
) -> BTreeSet<String> {
    let mut instances: BTreeMap<(ReleaseId, &str), Vec<(&Series, f64)>> = BTreeMap::new();
    for (series, value) in snapshot {
        let key = (series.release, series.instance.as_str());
        instances.entry(key).or_default().push((series, *value));
    }
    let mut odd = BTreeSet::new();
    for ((release, name), series) in instances {
        let known = memory.counters.entry(release).or_default();
        let instance = known.entry(name.to_owned()).or_default();
        if step(instance, at, &series, totals) {
            odd.insert(name.to_owned());
        }
    }
    forget(memory, at);
    memory.looked = Some(at);
    odd
}

/// One instance. True if a counter fell only a little.
fn step(instance: &mut Instance, at: u64, now: &[(&Series, f64)], totals: &mut Totals) -> bool {
    // One with none of the series it had is another one under the same name, or newly labelled.
    let known = now.iter().any(|(series, _)| instance.series.contains_key(&series.key));
    let (mut restarted, mut little) = (false, false);
    for (series, value) in now {
        let before = instance.series.insert(series.key.clone(), *value);
        let grown = match before {
            Some(before) if *value >= before => value - before,
            Some(before) => {
                restarted = true;
                little |= *value > 0.9 * before;
                *value
            }
            None if known => *value,
            None => 0.0,
        };
        totals.add(series, grown);
    }
    if restarted || !known {
        // What the new process has not counted yet will begin at 0.
        let there: BTreeSet<&str> = now.iter().map(|(series, _)| series.key.as_str()).collect();
        instance.series.retain(|key, _| there.contains(key.as_str()));
    }
    instance.seen = at;
    little
}

fn forget(memory: &mut Memory, at: u64) {
    let remembered = u64::try_from(REMEMBERED.as_millis()).unwrap_or(u64::MAX);
    let all = memory.counters.values().flat_map(BTreeMap::values);
    let many = all.map(|instance| instance.series.len()).sum::<usize>() > 2 * MOST_SERIES;
    let oldest = if many { at } else { at.saturating_sub(remembered) };
    for instances in memory.counters.values_mut() {
        instances.retain(|_, instance| instance.seen >= oldest);
    }
    memory.counters.retain(|_, instances| !instances.is_empty());
}

#[cfg(test)]
mod tests {
    use super::super::question::Counted;
    use super::*;
    use cutover_core::units::Span;

    const NEW: ReleaseId = ReleaseId(2);

    /// Requests and errors of the candidate, by instance.
    fn at(memory: &mut Memory, at: u64, values: &[(&str, &str, f64)]) -> (u64, u64) {
        let series = |(instance, code, value): &(&str, &str, f64)| {
            let counted = if *code == "500" { Counted::Errors } else { Counted::Requests };
            let series = Series {
                release: NEW,
                counted,
                instance: (*instance).to_owned(),
                key: (*code).to_owned(),
                bucket: None,
            };
            (series, *value)
        };
        let snapshot: Vec<_> = values.iter().map(series).collect();
        let mut totals = Totals::default();
        advance(memory, at, &snapshot, &mut totals);
        let (counts, _) = totals.counts(NEW, ReleaseId(1), Span::secs(1));
        (counts.candidate.counts.requests, counts.candidate.counts.errors)
    }

    #[test]
    fn counters_grow_through_restarts() {
        let mut memory = Memory::default();
        assert_eq!(at(&mut memory, 1, &[("a", "200", 100.0), ("b", "200", 7.0)]), (0, 0));
        assert_eq!(at(&mut memory, 2, &[("a", "200", 130.0), ("b", "200", 7.0)]), (30, 0));
        assert_eq!(
            at(&mut memory, 3, &[("a", "200", 5.0), ("b", "200", 9.0)]),
            (7, 0),
            "restarted"
        );
        assert_eq!(at(&mut memory, 4, &[("a", "200", 6.0), ("b", "200", 9.0)]), (1, 0));
    }

    #[test]
    fn a_new_series_counts_whole_and_a_new_instance_from_then_on() {
        let mut memory = Memory::default();
        at(&mut memory, 1, &[("a", "200", 100.0)]);
        let now = [("a", "200", 110.0), ("a", "500", 3.0), ("b", "200", 9e6), ("b", "500", 9e5)];
        assert_eq!(at(&mut memory, 2, &now), (10, 3));
        let now = [("a", "200", 110.0), ("a", "500", 3.0), ("b", "200", 9e6 + 2.0)];
        assert_eq!(at(&mut memory, 3, &now), (2, 0));
    }

    #[test]
    fn what_vanishes_and_comes_back_goes_on() {
        let mut memory = Memory::default();
        at(&mut memory, 1, &[("a", "200", 100.0), ("b", "200", 50.0)]);
        assert_eq!(at(&mut memory, 2, &[("b", "200", 51.0)]), (1, 0));
        assert_eq!(at(&mut memory, 3, &[("a", "200", 104.0), ("b", "200", 51.0)]), (4, 0));
        let hours = 2 * 3600 * 1000;
        assert_eq!(at(&mut memory, hours, &[("b", "200", 51.0)]), (0, 0));
        assert_eq!(memory.counters[&NEW].len(), 1, "forgotten after an hour");
        assert_eq!(at(&mut memory, hours + 1, &[("a", "200", 500.0)]), (0, 0));
    }

    #[test]
    fn an_error_counter_that_begins_anew_after_a_restart_counts_whole() {
        let mut memory = Memory::default();
        at(&mut memory, 1, &[("a", "200", 100.0), ("a", "500", 2.0)]);
        assert_eq!(at(&mut memory, 2, &[("a", "200", 1.0)]), (1, 0), "restarted, no error yet");
        let now = [("a", "200", 9.0), ("a", "500", 5.0)];
        assert_eq!(at(&mut memory, 3, &now), (8, 5), "not 5 - 2");
    }

    #[test]
    fn memory_is_bounded() {
        let mut memory = Memory::default();
        let keys: Vec<String> = (0..MOST_SERIES).map(|n| n.to_string()).collect();
        for instance in ["a", "b", "c", "d"] {
            let now: Vec<_> = keys.iter().map(|key| (instance, key.as_str(), 1.0)).collect();
            at(&mut memory, 1 + u64::from(instance.as_bytes()[0]), &now);
        }
        let kept: usize = memory.counters[&NEW].values().map(|one| one.series.len()).sum();
        assert!(kept <= 2 * MOST_SERIES, "{kept}");
    }
}
