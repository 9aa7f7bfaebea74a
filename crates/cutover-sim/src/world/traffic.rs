//! What users' requests show.

use std::collections::BTreeMap;

use cutover_core::dataplane::{BySide, Counters, Measured, Second, Seconds};
use cutover_core::id::InstanceId;
use cutover_core::observed::State;
use cutover_core::sample::Sample;
use cutover_core::table::Deal;
use cutover_core::units::{Count, Share};

use super::World;
use crate::weather::Showing;

/// Requests a second of the whole app, where there are any.
const RATE: u32 = 400;
/// Seconds that are kept.
const KEPT: u64 = 600;
/// Errors in a million answers of a release that is as it should be.
const USUAL: u32 = 20;
/// ... and of one that is worse.
const BAD: u32 = 330_000;
/// Microseconds that every answer takes.
const USUAL_LATENCY: u64 = 20_000;

impl World {
    /// Counts of the seconds after a cursor, as if the table in force had been in force all along.
    pub(crate) fn seconds(&mut self, after: u64) -> Seconds {
        let cursor = self.now.0 / 1000;
        let first = after.max(cursor.saturating_sub(KEPT)) + 1;
        let quiet = self.scenario.showing == Showing::Nothing || self.app.live().is_none();
        let seconds = (first..=cursor)
            .map(|number| {
                let mut second = Second { number, ..Second::default() };
                if !quiet {
                    self.second(&mut second);
                }
                second
            })
            .collect();
        Seconds { epoch: 1, cursor, gap: first > after + 1, seconds, open: None }
    }

    fn second(&mut self, second: &mut Second) {
        let candidate = self.app.live().map(|rollout| rollout.plan.candidate);
        for (id, requests) in self.dealt(RATE) {
            let counters = self.answered(requests, candidate == Some(id.release));
            let measured: &mut Measured = second.releases.entry(id.release).or_default();
            measured.instances.insert(id, counters);
            if measured.latency.is_empty() {
                measured.latency.push((USUAL_LATENCY, 0));
            }
            measured.latency.iter_mut().for_each(|(_, count)| *count += counters.requests);
        }
        let flags = self.plane.in_force.1.flags.clone();
        for (key, raised) in flags.into_iter().filter(|(_, raised)| raised.share < Share::FULL) {
            let (on, off) = (raised.share.ceil_of(RATE), raised.share.rest().ceil_of(RATE));
            let mut side = |requests: Count, candidate: bool| {
                let counts = self.answered(requests, candidate);
                Sample { counts, latency: vec![(USUAL_LATENCY, counts.requests)] }
            };
            second.flags.insert(key, BySide { on: side(on, true), off: side(off, false) });
        }
    }

    /// So many requests to the candidate, or to others.
    fn answered(&mut self, requests: Count, candidate: bool) -> Counters {
        let worse = match self.scenario.showing {
            Showing::Worse => true,
            Showing::Wavering => self.dice.chance(300),
            Showing::Alike | Showing::Nothing | Showing::Down => false,
        };
        let share = if worse && candidate { BAD } else { USUAL };
        let errors = u64::from(self.dice.successes(requests, share));
        Counters { requests: u64::from(requests), errors, ..Counters::default() }
    }

    /// How many of so many requests each ready instance gets.
    pub(crate) fn dealt(&self, requests: Count) -> BTreeMap<InstanceId, Count> {
        let table = &self.plane.in_force.1;
        let ready = |id: &&InstanceId| {
            self.instances.get(id).is_some_and(|real| real.seen.state == State::Ready)
        };
        let members: Vec<InstanceId> = table.serving.keys().filter(ready).copied().collect();
        let all = members.len();
        let of = |id: InstanceId| -> Count {
            let beside = members.iter().filter(|other| other.release == id.release).count();
            let (parts, whole) = match &table.deal {
                Deal::Held => (0, 1),
                Deal::Even => (1, all),
                Deal::Split { shares, .. } => {
                    let share = shares.get(&id.release).copied().unwrap_or_default();
                    (share.permille() as usize, 1000 * beside)
                }
            };
            u32::try_from(requests as usize * parts / whole.max(1)).unwrap_or(requests)
        };
        members.iter().map(|id| (*id, of(*id))).collect()
    }
}
