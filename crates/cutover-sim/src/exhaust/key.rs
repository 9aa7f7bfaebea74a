//! When two small worlds are the same: if they differ in nothing but what no decision looks at, such
//! as the numbers of tables and engine starts, and times that are beyond every limit.

use cutover_core::app::{HookState, Phase};
use cutover_core::id::InstanceId;
use cutover_core::observed::{Instance, State};
use cutover_core::plan::Rest;
use cutover_core::table::{Deal, Flags, Table};
use cutover_core::units::{At, Share};

use super::{Small, TICK};

/// Ticks from which on no limit is left but the patience of a stage: the longest is the deadline of
/// an instance that starts.
const OLD: u64 = 2;

/// Ages and facts, in a fixed order.
pub(super) fn key(small: &Small) -> Vec<u8> {
    let mut key = Key { bytes: Vec::with_capacity(128), now: small.world.now };
    let world = &small.world;
    key.app(small);
    for (id, real) in &world.instances {
        key.instance(small, *id, &real.seen);
    }
    key.table(&world.plane.in_force.1);
    for (_, table) in world.plane.on_the_way() {
        key.table(table);
    }
    for (_, table) in &world.sent {
        key.table(table);
    }
    let left = small.left;
    key.bytes.extend([left.exits, left.losses, left.aborts, left.scales]);
    key.bytes.extend([left.supersedes, left.restarts]);
    key.byte(u8::from(world.off == Some(world.begun)));
    key.byte(world.kept.map_or(9, |kept| kept as u8));
    key.byte(u8::from(world.broken.is_some()));
    key.bytes
}

struct Key {
    bytes: Vec<u8>,
    now: At,
}

impl Key {
    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }
    fn count(&mut self, count: u32) {
        self.bytes.push(u8::try_from(count).unwrap_or(u8::MAX));
    }
    fn age(&mut self, at: At) {
        let ticks = self.now.since(at).as_millis() as u64 / TICK.as_millis() as u64;
        self.byte(u8::try_from(ticks.min(OLD)).unwrap_or(u8::MAX));
    }
    fn maybe_age(&mut self, at: Option<At>) {
        match at {
            Some(at) => self.age(at),
            None => self.byte(u8::MAX),
        }
    }
    /// Of ready ones only turning back asks since when, of those that are stopped nothing does.
    fn instance(&mut self, small: &Small, id: InstanceId, seen: &Instance) {
        self.id(id);
        self.byte(seen.state as u8);
        let rollout = small.world.app.live();
        let back = rollout.is_some_and(|rollout| matches!(rollout.phase, Phase::Back { .. }));
        match seen.state {
            State::Stopping => return,
            State::Ready if !back => {}
            State::Ready | State::Starting | State::Unready | State::Exited => self.age(seen.since),
        }
        self.byte(u8::from(seen.in_flight > 0));
        if seen.in_flight > 0 {
            self.maybe_age(seen.off_since);
        }
        let begun = rollout.map(|rollout| rollout.begun);
        let reached = rollout.and_then(|rollout| match rollout.phase {
            Phase::Forward(now) => now.reached,
            Phase::Back { .. } | Phase::Done(_) => None,
        });
        for since in [begun, reached].into_iter().flatten() {
            let exits = seen.exits.iter().filter(|exit| **exit >= since).count();
            self.count(u32::try_from(exits).unwrap_or(u32::MAX));
        }
    }
    fn id(&mut self, id: InstanceId) {
        self.count(id.release.0);
        self.count(id.slot);
    }
    fn share(&mut self, share: Share) {
        self.bytes.extend(u16::try_from(share.permille()).unwrap_or(u16::MAX).to_le_bytes());
    }
    fn flags(&mut self, flags: &Flags) {
        for raised in flags.values() {
            self.share(raised.share);
            self.count(raised.by.0);
        }
        self.byte(b'f');
    }

    fn rest(&mut self, rest: Option<&Rest>) {
        let Some(rest) = rest else { return self.byte(0) };
        self.count(rest.live.0);
        if let Some(standby) = rest.standby {
            self.count(standby.release.0);
            self.byte(u8::from(standby.until > self.now));
            let left = standby.until.since(self.now).as_millis() as u64;
            self.byte(u8::try_from(left / TICK.as_millis() as u64).unwrap_or(u8::MAX));
        }
        self.flags(&rest.flags);
    }

    fn app(&mut self, small: &Small) {
        let app = &small.world.app;
        self.count(app.n);
        self.count(app.spec_n);
        self.rest(app.rest.as_ref());
        let Some(rollout) = app.live() else { return self.byte(b'd') };
        self.count(rollout.plan.candidate.0);
        self.count(rollout.plan.n);
        self.count(rollout.sizes_before.0);
        self.age(rollout.begun);
        self.maybe_age(rollout.resumed);
        self.maybe_age(rollout.paused);
        self.byte(u8::from(rollout.abort) + 2 * u8::from(rollout.confirmed));
        for ((stage, _), state) in &rollout.hooks {
            self.count(u32::try_from(*stage).unwrap_or(u32::MAX));
            self.byte(match state {
                HookState::Running { .. } => 0,
                HookState::Done { ok } => 1 + u8::from(*ok),
                HookState::Lost => 3,
            });
        }
        let patience = rollout.plan.patience.stage;
        match rollout.phase {
            Phase::Forward(now) => {
                self.count(u32::try_from(now.stage).unwrap_or(u32::MAX));
                // Its time to be reached is over, or not.
                self.byte(u8::from(self.now >= now.entered + patience));
                self.maybe_age(now.reached);
                self.maybe_age(now.holding);
                self.byte(now.verdict.map_or(9, |verdict| verdict as u8));
                let facts = [now.approved, now.overruled, now.concluded].map(u8::from);
                self.byte(facts[0] + 2 * facts[1] + 4 * facts[2]);
            }
            Phase::Back { since, .. } => {
                self.byte(b'b');
                self.age(since);
                let times = self.now.since(since).as_millis() / patience.as_millis().max(1);
                self.byte(u8::try_from(times.min(3)).unwrap_or(3));
            }
            Phase::Done(_) => {}
        }
    }

    fn table(&mut self, table: &Table) {
        self.byte(b't');
        for id in table.serving.keys() {
            self.id(*id);
        }
        match &table.deal {
            Deal::Held => self.byte(b'h'),
            Deal::Even => self.byte(b'e'),
            Deal::Split { shares, .. } => {
                for (release, share) in shares {
                    self.count(release.0);
                    self.share(*share);
                }
            }
        }
        for id in table.preview.keys().chain(table.mirrored.keys()) {
            self.id(*id);
        }
        self.share(table.mirror);
        self.byte(u8::from(table.marked.is_some()));
        self.flags(&table.flags);
    }
}
