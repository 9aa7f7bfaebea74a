//! What instances do by themselves.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use cutover_core::id::InstanceId;
use cutover_core::observed::{Instance, State};
use cutover_core::units::At;

use super::World;
use crate::weather::Behaviour;

/// An instance as it really is.
#[derive(Debug, Clone)]
pub(crate) struct Real {
    pub(crate) seen: Instance,
    /// When its state changes next.
    pub(crate) due: At,
    /// Its requests never end by themselves.
    pub(crate) long: bool,
}

impl World {
    pub(crate) fn start(&mut self, id: InstanceId) {
        let (least, most) = self.scenario.suppose.ready;
        let due = self.now + least + self.dice.up_to(most.saturating_sub(least));
        let long = self.dice.chance(50);
        let upgraded = u32::from(self.dice.chance(200));
        self.next_port = self.next_port.wrapping_add(1).max(20_000);
        let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.next_port);
        let seen = Instance {
            state: State::Starting,
            since: self.now,
            address: Some(address),
            exits: vec![],
            in_flight: 0,
            upgraded,
            off_since: Some(self.now),
        };
        self.instances.insert(id, Real { seen, due, long });
    }

    pub(crate) fn stop(&mut self, id: InstanceId) {
        let due = self.now + self.dice.up_to(Duration::from_secs(2));
        if let Some(real) = self.instances.get_mut(&id) {
            real.seen.state = State::Stopping;
            real.seen.since = self.now;
            real.due = due;
        }
    }

    /// An instance that serves exits.
    pub(crate) fn one_exits(&mut self) {
        let serves = |id: &&InstanceId| self.plane.in_force.1.serving.contains_key(id);
        let ready = self.instances.iter().filter(|(_, real)| real.seen.state == State::Ready);
        let Some(id) = ready.map(|(id, _)| id).find(serves).copied() else { return };
        let due = self.now + Duration::from_secs(1);
        if let Some(real) = self.instances.get_mut(&id) {
            exit(real, self.now, due);
            self.made_to_exit = true;
            self.tell(|| format!("{id} is made to exit"));
        }
    }

    /// What one instance does by itself.
    pub(super) fn live(&mut self, id: InstanceId) {
        let behaviour = self.behaviour(id.release);
        let stray = self.dice.chance(self.scenario.faults.stray_exit);
        let (crash_early, crash, other) =
            (self.dice.chance(500), self.dice.chance(160), self.dice.chance(80));
        let fails = self.dice.chance(self.scenario.suppose.start_fails);
        let again = self.scenario.suppose.ready;
        let again = again.0 + self.dice.up_to(again.1.saturating_sub(again.0));
        let pause = Duration::from_millis(500) * (1 + self.dice.below(4));
        let now = self.now;
        let Some(real) = self.instances.get_mut(&id) else { return };
        let due = now >= real.due;
        let next = match (real.seen.state, behaviour) {
            (State::Starting, _) if due && fails => Some(State::Exited),
            (State::Starting, Behaviour::NeverReady) => None,
            (State::Starting, Behaviour::CrashLoop) if due && crash_early => Some(State::Exited),
            (State::Starting, Behaviour::Degraded(k)) if due && id.slot < k => Some(State::Exited),
            (State::Starting, _) if due => Some(State::Ready),
            (State::Ready, Behaviour::CrashLoop) if crash => Some(State::Exited),
            (State::Ready, Behaviour::Flappy | Behaviour::Fading) if other => Some(State::Unready),
            (State::Ready | State::Unready, _) if stray => Some(State::Exited),
            (State::Unready, Behaviour::Fading) => None,
            (State::Unready, _) if due => Some(State::Ready),
            (State::Exited, _) if due => Some(State::Starting),
            (
                State::Starting | State::Ready | State::Unready | State::Exited | State::Stopping,
                _,
            ) => None,
        };
        match next {
            Some(State::Exited) => exit(real, now, now + pause),
            Some(State::Starting) => {
                (real.seen.state, real.seen.since, real.due) = (State::Starting, now, now + again);
            }
            Some(state) => (real.seen.state, real.seen.since, real.due) = (state, now, now + pause),
            None if due && real.seen.state == State::Stopping => {
                self.instances.remove(&id);
                return self.tell(|| format!("{id} gone"));
            }
            None => return,
        }
        self.tell(|| format!("{id} {next:?}"));
    }

    /// Says since when each instance cannot be reached, once the tables are other ones.
    pub(super) fn note_routes(&mut self) {
        let now = self.now;
        let reached: Vec<bool> = self.instances.keys().map(|id| self.may_be_reached(*id)).collect();
        for (real, reached) in self.instances.values_mut().zip(reached) {
            let since = real.seen.off_since.or(Some(now));
            real.seen.off_since = since.filter(|_| !reached);
        }
    }

    /// Requests come to an instance, and end.
    pub(super) fn work(&mut self, id: InstanceId) {
        let named = self.plane.in_force.1.names(id);
        let (ends, more) = (self.dice.chance(500), 1 + self.dice.below(4));
        let Some(real) = self.instances.get_mut(&id) else { return };
        if named && real.seen.state == State::Ready {
            real.seen.in_flight = more;
        } else if !named && ends && !real.long {
            real.seen.in_flight = real.seen.in_flight.saturating_sub(1);
        }
        if real.seen.in_flight > 0 && !named {
            // Somebody still waits for it to drain.
            self.quiet = 0;
        }
    }
}

fn exit(real: &mut Real, now: At, due: At) {
    (real.seen.state, real.seen.since, real.due) = (State::Exited, now, due);
    real.seen.exits.push(now);
    real.seen.in_flight = 0;
}
