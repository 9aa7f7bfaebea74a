//! One look at the counters of both sides, and catching up after an outage.

use std::collections::BTreeSet;

use cutover_core::metric::{Found, Reading};
use cutover_core::release::ReleaseName;
use cutover_core::spec::{Metric, Prometheus};
use cutover_core::units::Span;
use cutover_engine::ports::{Memory, Sides};
use tokio::time::Instant;

use super::super::unread::Unread;
use super::api::{Api, Given, NotGiven};
use super::counters::advance;
use super::question::{Counted, Question};
use super::series::{Snapshot, snapshots};
use super::totals::Totals;

/// After an outage no more moments than this are looked at: of a long one fewer a minute.
const MOST_MOMENTS: u64 = 1000;
/// How many values are asked for at once.
const AT_ONCE: u64 = 20_000;
/// A clock that is this far behind the last look was wrong then, in milliseconds.
const WRONG_CLOCK: u64 = 300_000;

/// Looks at the counters.
pub(super) async fn read(
    api: &Api,
    metric: &Metric,
    source: &Prometheus,
    sides: &Sides,
    memory: &mut Memory,
) -> Result<Reading, Unread> {
    let Some(stable) = &sides.stable else {
        let why = "there is no old release to compare with";
        return Ok(Reading::of(Found::Nothing(why.to_owned())));
    };
    let question = Question::new(source, sides, stable)?;
    let begun = Instant::now();
    let now = now(api, &question).await?;
    let mut look = Look { api, metric, question, now, odd: BTreeSet::new(), begun };
    let mut next = memory.clone();
    let mut reading = look.found(&mut next, sides, stable).await?;
    // Only what went well is remembered.
    *memory = next;
    reading.warnings.splice(0..0, look.now.warnings);
    reading.warnings.extend(look.odd.iter().take(3).map(|instance| {
        format!(
            "a counter of {instance:?} fell by less than a tenth, which counts as a restart: are \
             there two Prometheus servers behind one address?"
        )
    }));
    Ok(reading)
}

/// The counters at the present moment.
struct Now {
    at: u64,
    counters: Snapshot,
    warnings: Vec<String>,
}

struct Look<'a> {
    api: &'a Api,
    metric: &'a Metric,
    question: Question,
    now: Now,
    /// Instances with counters that fell a little.
    odd: BTreeSet<String>,
    begun: Instant,
}

impl Look<'_> {
    async fn found(
        &mut self,
        memory: &mut Memory,
        sides: &Sides,
        stable: &ReleaseName,
    ) -> Result<Reading, Unread> {
        if memory.question != self.question.digest {
            *memory = Memory { question: self.question.digest.clone(), ..Memory::default() };
        }
        memory.counters.retain(|id, _| *id == sides.candidate.id || *id == stable.id);
        let errors = self.now.counters.iter().any(|(s, _)| s.counted == Counted::Errors);
        memory.errors_seen |= errors;
        let no_data = |why: String| Reading::of(Found::Nothing(why));
        let Some(looked) = memory.looked else {
            self.advance_to_now(memory, &mut Totals::default());
            let why = "counters need two looks, and this was the first";
            return Ok(no_data(why.to_owned()));
        };
        if self.now.at <= looked {
            return Ok(self.behind(memory, looked));
        }
        if let Some(why) = self.absent(sides, stable) {
            self.advance_to_now(memory, &mut Totals::default());
            return Ok(no_data(why));
        }
        if self.metric.counts_errors() && !memory.errors_seen {
            // Memory stays where it is: once there is one, all that happened meanwhile is counted.
            let why = "no series matches `errors` on either side: a wrong query, or no error yet \
                       (then append ` or 0 * ` and the query of `requests`)";
            return Ok(no_data(why.to_owned()));
        }
        let mut totals = Totals::default();
        let caught_up = self.catch_up(memory, looked, &mut totals).await?;
        if caught_up {
            self.advance_to_now(memory, &mut totals);
        }
        let until = memory.looked.unwrap_or(looked);
        let span = Span::millis(until.saturating_sub(looked));
        let (counts, mut warnings) = totals.counts(sides.candidate.id, stable.id, span);
        if !caught_up {
            let left = Span::millis(self.now.at.saturating_sub(until) / 1000 * 1000);
            warnings.push(format!("still catching up with what happened: {left} are left"));
        }
        Ok(Reading { found: Found::Counts(counts), warnings })
    }

    fn advance_to_now(&mut self, memory: &mut Memory, totals: &mut Totals) {
        self.odd.extend(advance(memory, self.now.at, &self.now.counters, totals));
    }

    /// Prometheus' clock is not after the last look.
    fn behind(&mut self, memory: &mut Memory, looked: u64) -> Reading {
        let why = "its clock has not moved on since the last look".to_owned();
        let reading = Reading::of(Found::Nothing(why));
        if looked - self.now.at < WRONG_CLOCK {
            return reading;
        }
        memory.looked = None;
        memory.counters.clear();
        self.advance_to_now(memory, &mut Totals::default());
        reading
    }

    /// Which counters are not there at all.
    fn absent(&self, sides: &Sides, stable: &ReleaseName) -> Option<String> {
        let absent = |part: &&super::question::Part| {
            // Often there is no counter of errors before the first error.
            part.counted != Counted::Errors
                && !self.now.counters.iter().any(|(series, _)| {
                    series.release == part.release && series.counted == part.counted
                })
        };
        let part = self.question.parts.iter().find(absent)?;
        let (side, release) = match part.release == sides.candidate.id {
            true => ("candidate", &sides.candidate),
            false => ("stable", stable),
        };
        Some(format!("no series matches `{}` for {release} ({side})", part.counted.as_str()))
    }

    /// If the last look is longer ago than two intervals, goes through what happened meanwhile, so
    /// that no restart is missed. False if the time for this look is over before that is done; then
    /// memory holds how far it is.
    async fn catch_up(
        &mut self,
        memory: &mut Memory,
        looked: u64,
        totals: &mut Totals,
    ) -> Result<bool, Unread> {
        let interval = u64::try_from(self.metric.interval.0.as_millis()).unwrap_or(u64::MAX).max(1);
        let now = self.now.at;
        if now - looked <= interval.saturating_mul(2) {
            return Ok(true);
        }
        let step = interval.max((now - looked).div_ceil(MOST_MOMENTS));
        let series = u64::try_from(self.now.counters.len()).unwrap_or(u64::MAX);
        let at_once = (AT_ONCE / series.max(1)).max(1);
        let mut from = looked + step;
        while from < now {
            if from > looked + step && self.begun.elapsed() > self.api.deadline() / 2 {
                return Ok(false);
            }
            let to = from.saturating_add(step * (at_once - 1)).min(now - 1);
            let asked = self.api.range(&self.question.query, from, to, step).await;
            let Given { data, .. } = asked.map_err(|wrong| wrong.of(&self.question.query))?;
            for (at, snapshot) in snapshots(&self.question, data)? {
                self.odd.extend(advance(memory, at, &snapshot, totals));
            }
            from += step * at_once;
        }
        Ok(true)
    }
}

/// Asks, and finds out which query is wrong if one is.
async fn now(api: &Api, question: &Question) -> Result<Now, Unread> {
    let given = match api.now(&question.query).await {
        Ok(given) => given,
        Err(NotGiven::Failed(unread)) => return Err(unread),
        Err(NotGiven::Refused(why)) => {
            for part in &question.parts {
                if let Err(NotGiven::Refused(why)) = api.now(&part.query).await {
                    let key = part.counted.as_str();
                    return Err(Unread::new(format!("it refuses `{key}`: {why}"))
                        .help(format!("the query is {}", part.query)));
                }
            }
            return Err(NotGiven::Refused(why).of(&question.query));
        }
    };
    // One row has always a time: that of the clock.
    let mut all = snapshots(question, given.data)?;
    let (at, counters) = all
        .pop_last()
        .ok_or_else(|| Unread::new("its answer lacks the time that was asked for"))?;
    Ok(Now { at, counters, warnings: given.warnings })
}
