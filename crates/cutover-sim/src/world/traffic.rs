//! What users' requests show.

use cutover_core::dataplane::{BySide, Counters, Measured, Second, Seconds};
use cutover_core::id::{FlagKey, InstanceId, ReleaseId};
use cutover_core::observed::State;
use cutover_core::sample::Sample;
use cutover_core::table::Deal;
use cutover_core::units::{Count, Share};

use super::World;
use crate::weather::Showing;

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

/// Where requests go, for as long as nothing changes.
struct Flow {
    parts: Vec<Part>,
    candidate: Option<ReleaseId>,
    /// How many of a thousand requests to the candidate get what is worse.
    affected: u32,
    /// Flags that are on for some users.
    flags: Vec<(FlagKey, Share)>,
}

/// An instance gets `part` of `whole` requests.
struct Part {
    id: InstanceId,
    part: usize,
    whole: usize,
}

impl World {
    /// Counts of the seconds after a cursor, as if the table in force had been in force all along.
    pub(crate) fn seconds(&mut self, after: u64) -> Seconds {
        let cursor = self.now.0 / 1000;
        let first = after.max(cursor.saturating_sub(self.scenario.suppose.counted)) + 1;
        let quiet = self.scenario.showing == Showing::Nothing || self.app.live().is_none();
        let flow = if quiet { None } else { Some(self.flow()) };
        let seconds = (first..=cursor)
            .map(|number| match &flow {
                Some(flow) => self.second(number, flow),
                None => Second { number, ..Second::default() },
            })
            .collect();
        Seconds { epoch: 1, cursor, gap: first > after + 1, seconds, open: None }
    }

    /// Where requests go now.
    fn flow(&self) -> Flow {
        let plan = self.app.live().map(|rollout| &rollout.plan);
        let table = &self.plane.in_force.1;
        // Where a flag decides, the candidate is as it should be while the flag is off.
        let raised = plan.and_then(|plan| plan.flag.as_ref()).map(|key| {
            let raised = table.flags.get(key);
            raised.map_or(Share::ZERO, |raised| raised.share)
        });
        let flags = table.flags.iter().filter(|(_, raised)| raised.share < Share::FULL);
        Flow {
            parts: self.parts(),
            candidate: plan.map(|plan| plan.candidate),
            affected: raised.map_or(WHOLE, Share::permille),
            flags: flags.map(|(key, raised)| (key.clone(), raised.share)).collect(),
        }
    }

    fn second(&mut self, number: u64, flow: &Flow) -> Second {
        let mut second = Second { number, ..Second::default() };
        let rate = self.scenario.suppose.rate;
        let dealt: Vec<Count> = flow.parts.iter().map(|part| self.dealt(rate, part)).collect();
        for (Part { id, .. }, requests) in flow.parts.iter().zip(dealt) {
            let is_candidate = flow.candidate == Some(id.release);
            let affected = if is_candidate { flow.affected } else { 0 };
            let sample = self.answered(requests, affected);
            if is_candidate {
                self.expose(&sample.counts, affected);
            }
            let measured: &mut Measured = second.releases.entry(id.release).or_default();
            measured.instances.insert(*id, sample.counts);
            cutover_core::sample::add_latencies(&mut measured.latency, &sample.latency);
        }
        for (key, share) in &flow.flags {
            let (on, off) = (share.ceil_of(rate), share.rest().ceil_of(rate));
            let sides = BySide { on: self.answered(on, WHOLE), off: self.answered(off, 0) };
            second.flags.insert(key.clone(), sides);
        }
        second
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
        let (fast, slow) =
            ((usual, requests - slow), (usual * u64::from(suppose.slower) / 100, slow));
        let mut latency = Vec::new();
        for one in [fast, slow].into_iter().filter(|(_, count)| *count > 0) {
            cutover_core::sample::add_latencies(&mut latency, &[one]);
        }
        let counts = Counters { requests, errors, ..Counters::default() };
        Sample { counts, latency }
    }

    /// The part of the requests that each ready instance gets.
    fn parts(&self) -> Vec<Part> {
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
        let parts = members.iter().map(|id| (*id, part(id)));
        parts.map(|(id, (part, whole))| Part { id, part, whole: whole.max(1) }).collect()
    }

    /// How many of so many requests an instance gets in one second. What does not go evenly is
    /// dealt by chance, as a proxy that deals exactly in blocks of a hundred does over time.
    fn dealt(&mut self, requests: Count, Part { part, whole, .. }: &Part) -> Count {
        let all = requests as usize * part;
        let rest = u32::try_from(1_000_000 * (all % whole) / whole).unwrap_or(0);
        let one = u32::from(rest > 0 && self.dice.below(1_000_000) < rest);
        u32::try_from(all / whole).unwrap_or(requests) + one
    }
}
