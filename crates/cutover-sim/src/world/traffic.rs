//! What users' requests show.

use std::collections::BTreeMap;

use cutover_core::dataplane::{BySide, Counters, Measured, Second, Seconds};
use cutover_core::id::{InstanceId, ReleaseId};
use cutover_core::observed::State;
use cutover_core::sample::Sample;
use cutover_core::table::Deal;
use cutover_core::units::{Count, Share};

use super::World;
use crate::weather::Showing;

/// Seconds that are kept.
const KEPT: u64 = 600;
/// All, in thousandths.
const WHOLE: u32 = 1000;

/// What users got so far from a candidate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exposed {
    /// Answers of it. Where a flag decides: to users who have it.
    pub requests: u64,
    /// Bad ones among them.
    pub errors: u64,
}

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
        let plan = self.app.live().map(|rollout| &rollout.plan);
        let (candidate, flag) =
            (plan.map(|plan| plan.candidate), plan.and_then(|p| p.flag.clone()));
        let rate = self.scenario.suppose.rate;
        // Where a flag decides, the candidate is as it should be while the flag is off.
        let raised = flag.map(|key| {
            let raised = self.plane.in_force.1.flags.get(&key);
            raised.map_or(Share::ZERO, |raised| raised.share)
        });
        let affected = raised.map_or(WHOLE, Share::permille);
        for (id, requests) in self.dealt(rate) {
            let affected = if candidate == Some(id.release) { affected } else { 0 };
            let sample = self.answered(requests, affected);
            if candidate == Some(id.release) {
                self.expose(&sample.counts, affected);
            }
            let measured: &mut Measured = second.releases.entry(id.release).or_default();
            measured.instances.insert(id, sample.counts);
            cutover_core::sample::add_latencies(&mut measured.latency, &sample.latency);
        }
        let flags = self.plane.in_force.1.flags.clone();
        for (key, raised) in flags.into_iter().filter(|(_, raised)| raised.share < Share::FULL) {
            let (on, off) = (raised.share.ceil_of(rate), raised.share.rest().ceil_of(rate));
            let sides = BySide { on: self.answered(on, WHOLE), off: self.answered(off, 0) };
            second.flags.insert(key, sides);
        }
    }

    fn expose(&mut self, counts: &Counters, affected: u32) {
        self.exposed.requests += counts.requests * u64::from(affected) / u64::from(WHOLE);
        if affected > 0 {
            self.exposed.errors += counts.errors;
        }
    }

    /// So many requests, of which so many of a thousand get what is worse.
    fn answered(&mut self, requests: Count, affected: u32) -> Sample {
        let suppose = self.scenario.suppose;
        let worse = match self.scenario.showing {
            Showing::Worse => true,
            Showing::Wavering => self.dice.chance(300),
            Showing::Alike | Showing::Nothing | Showing::Down => false,
        };
        let affected = if worse { affected } else { 0 };
        let more = u64::from(suppose.worse) * u64::from(affected) / u64::from(WHOLE);
        let share = suppose.errors + u32::try_from(more).unwrap_or(u32::MAX);
        let errors = u64::from(self.dice.successes(requests, share));
        let requests = u64::from(requests);
        let usual = u64::try_from(suppose.latency.as_micros()).unwrap_or(u64::MAX);
        let slow = requests * u64::from(affected) / u64::from(WHOLE);
        let mut latency =
            vec![(usual, requests - slow), (usual * u64::from(suppose.slower) / 100, slow)];
        latency.retain(|(_, count)| *count > 0);
        latency.sort_unstable();
        latency.dedup_by(|more, known| {
            let same = more.0 == known.0;
            known.1 += if same { more.1 } else { 0 };
            same
        });
        let counts = Counters { requests, errors, ..Counters::default() };
        Sample { counts, latency }
    }

    /// How many of so many requests each ready instance gets in one second. What does not go evenly
    /// is dealt by chance, as a proxy that deals exactly in blocks of a hundred does over time.
    pub(crate) fn dealt(&mut self, requests: Count) -> BTreeMap<InstanceId, Count> {
        let table = &self.plane.in_force.1;
        let ready = |id: &&InstanceId| {
            self.instances.get(id).is_some_and(|real| real.seen.state == State::Ready)
        };
        let members: Vec<InstanceId> = table.serving.keys().filter(ready).copied().collect();
        let beside = |release: ReleaseId| members.iter().filter(|id| id.release == release).count();
        let part = |id: &InstanceId| match &table.deal {
            Deal::Held => (0, 1),
            Deal::Even => (1, members.len()),
            Deal::Split { shares, .. } => {
                let share = shares.get(&id.release).copied().unwrap_or_default();
                (share.permille() as usize, WHOLE as usize * beside(id.release))
            }
        };
        let parts: Vec<(InstanceId, (usize, usize))> =
            members.iter().map(|id| (*id, part(id))).collect();
        let mut dealt = BTreeMap::new();
        for (id, (part, whole)) in parts {
            let (all, whole) = (requests as usize * part, whole.max(1));
            let rest = u32::try_from(1_000_000 * (all % whole) / whole).unwrap_or(0);
            let one = u32::from(rest > 0 && self.dice.below(1_000_000) < rest);
            dealt.insert(id, u32::try_from(all / whole).unwrap_or(requests) + one);
        }
        dealt
    }
}
