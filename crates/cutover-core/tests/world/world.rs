//! A world that holds state: instances, a data plane with its network, a journal, a clock.
//! What nature does in it is here; what the engine does is in `engine.rs`, what must hold in
//! `invariants.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use cutover_core::app::App;
use cutover_core::id::{InstanceId, ReleaseId};
use cutover_core::observed::{Instance, Observed, State};
use cutover_core::plan::Rest;
use cutover_core::record::{Keep, Outcome, Record};
use cutover_core::table::{Deal, Generation, Table};
use cutover_core::units::{At, Share};

use crate::faults::{Behaviour, Dice};
use crate::scenario::Scenario;

/// Nothing, or which promise was broken.
pub(crate) type Check = Result<(), String>;

/// An instance as it really is.
pub(crate) struct Real {
    pub(crate) seen: Instance,
    /// When its state changes next.
    pub(crate) due: At,
    /// Its requests never end by themselves.
    pub(crate) long: bool,
}

pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) dice: Dice,
    pub(crate) now: At,
    /// The engine's memory.
    pub(crate) app: App,
    /// What the journal begins with.
    pub(crate) initial: App,
    pub(crate) journal: Vec<(At, Record)>,
    /// When a dead engine starts again.
    pub(crate) dead_until: Option<At>,
    pub(crate) instances: BTreeMap<InstanceId, Real>,
    pub(crate) in_force: (Generation, Table),
    /// Tables the data plane has accepted, and when they come into force.
    pub(crate) accepted: Vec<(At, (Generation, Table))>,
    /// Tables on their way to it.
    pub(crate) network: Vec<(At, (Generation, Table))>,
    /// Tables the engine has sent and does not yet know to be in force.
    pub(crate) outbox: Vec<(Generation, Table)>,
    /// The data plane refuses engines older than this.
    pub(crate) fence: u32,
    /// Releases made before the flag was.
    pub(crate) unaware: BTreeSet<ReleaseId>,
    pub(crate) hooks_run: BTreeSet<(usize, usize, u32)>,
    /// Rollouts begun.
    pub(crate) begun: usize,
    /// The live rollout was aborted.
    pub(crate) aborted: bool,
    /// It is an experiment, and which side was kept by a person.
    pub(crate) experiment: bool,
    pub(crate) kept: Option<Keep>,
    /// The rollout in whose turning back all traffic was off the candidate.
    pub(crate) off: Option<usize>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) published: u32,
    next_port: u16,
    trace: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(scenario: Scenario, trace: bool) -> World {
        let live = ReleaseId(1);
        let rest = Rest::of(live);
        let mut app = App { n: scenario.n, epoch: 1, ..App::default() };
        app.rest = scenario.has_rest.then_some(rest);
        let mut world = World {
            dice: Dice::new(scenario.seed ^ 0xC0FFEE),
            now: At(0),
            initial: app.clone(),
            app,
            journal: vec![],
            dead_until: None,
            instances: BTreeMap::new(),
            in_force: (Generation { epoch: 1, seq: 1 }, Table::default()),
            accepted: vec![],
            network: vec![],
            outbox: vec![],
            fence: 1,
            unaware: BTreeSet::new(),
            hooks_run: BTreeSet::new(),
            begun: 0,
            aborted: false,
            experiment: false,
            kept: None,
            off: None,
            outcomes: vec![],
            published: 0,
            next_port: 20_000,
            trace: trace.then(Vec::new),
            scenario,
        };
        if world.scenario.has_rest {
            world.settle_in(live);
        }
        world
    }

    /// The live release runs and serves, as far as it is healthy.
    fn settle_in(&mut self, live: ReleaseId) {
        let behaviour = self.scenario.behaviour(live);
        for slot in 0..self.scenario.n {
            let id = InstanceId { release: live, slot };
            let broken = matches!(behaviour, Behaviour::Degraded(k) if slot < k);
            self.start(id);
            if let Some(real) = self.instances.get_mut(&id) {
                real.seen.state = if broken { State::Exited } else { State::Ready };
                real.due = At(2000);
                if !broken {
                    self.in_force.1.serving.extend(real.seen.address.map(|a| (id, a)));
                }
            }
        }
        if !self.in_force.1.serving.is_empty() {
            let shares = BTreeMap::from([(live, Share::FULL)]);
            let sticky = cutover_core::plan::Sticky::No;
            self.in_force.1.deal = Deal::Split { shares, sticky, favoured: live };
        }
    }

    pub(crate) fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.trace {
            lines.push(format!("{:>8}  {}", self.now.0, what()));
        }
    }
    pub(crate) fn trace(&self) -> &[String] {
        self.trace.as_deref().unwrap_or_default()
    }

    /// One tick: nature, then the engine if it lives, then what must hold at every instant.
    pub(crate) fn step(&mut self) -> Check {
        let tick = Duration::from_millis(250) * (1 + self.dice.below(4));
        self.now = self.now + tick;
        self.nature()?;
        match self.dead_until {
            Some(until) if self.now < until => {}
            Some(_) => {
                self.restart()?;
                self.engine()?;
            }
            None => self.engine()?,
        }
        self.steady()
    }

    pub(crate) fn observe(&self) -> Observed {
        let mut pending: Vec<_> = self.accepted.iter().map(|(_, table)| table.clone()).collect();
        for sent in &self.outbox {
            if sent.0 > self.in_force.0 && !pending.iter().any(|known| known.0 == sent.0) {
                pending.push(sent.clone());
            }
        }
        pending.sort_by_key(|(generation, _)| *generation);
        Observed {
            instances: self.instances.iter().map(|(id, real)| (*id, real.seen.clone())).collect(),
            in_force: self.in_force.clone(),
            pending,
        }
    }

    /// Could a request still reach it by any table?
    pub(crate) fn may_be_reached(&self, id: InstanceId) -> bool {
        self.in_force.1.names(id)
            || self.accepted.iter().any(|(_, (_, table))| table.names(id))
            || self.outbox.iter().any(|(sent, table)| *sent > self.in_force.0 && table.names(id))
            || self.network.iter().any(|(_, (sent, table))| {
                *sent > self.in_force.0 && sent.epoch >= self.fence && table.names(id)
            })
    }

    pub(crate) fn start(&mut self, id: InstanceId) {
        let due = self.now + self.dice.up_to(Duration::from_secs(3));
        let long = self.dice.chance(50);
        let upgraded = u32::from(self.dice.chance(200));
        self.next_port = self.next_port.wrapping_add(1);
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

    fn nature(&mut self) -> Check {
        self.tables_arrive();
        if self.dice.chance(self.scenario.faults.proxy_crash) {
            self.tell(|| "the data plane dies and is back".to_owned());
            self.accepted.clear();
            self.instances.values_mut().for_each(|real| real.seen.in_flight = 0);
        }
        self.tables_come_into_force()?;
        let ids: Vec<InstanceId> = self.instances.keys().copied().collect();
        for id in ids {
            self.live(id);
            self.work(id);
        }
        Ok(())
    }

    fn tables_arrive(&mut self) {
        let now = self.now;
        let (arrived, travelling) =
            std::mem::take(&mut self.network).into_iter().partition(|(due, _)| *due <= now);
        self.network = travelling;
        let arrived: Vec<(At, (Generation, Table))> = arrived;
        for (_, sent) in arrived {
            let newest = self.accepted.last().map_or(self.in_force.0, |(_, known)| known.0);
            if sent.0 > newest && sent.0.epoch >= self.fence {
                let due = now + self.dice.up_to(self.scenario.faults.late);
                self.accepted.push((due, sent));
            }
        }
    }

    fn tables_come_into_force(&mut self) -> Check {
        while self.accepted.first().is_some_and(|(due, _)| *due <= self.now) {
            let (_, table) = self.accepted.remove(0);
            self.in_force = table;
            self.came_into_force()?;
        }
        Ok(())
    }

    /// What one instance does by itself.
    fn live(&mut self, id: InstanceId) {
        let behaviour = self.scenario.behaviour(id.release);
        let stray = self.dice.chance(self.scenario.faults.stray_exit);
        let (crash_early, crash, other) =
            (self.dice.chance(500), self.dice.chance(160), self.dice.chance(80));
        let pause = Duration::from_millis(500) * (1 + self.dice.below(4));
        let now = self.now;
        let Some(real) = self.instances.get_mut(&id) else {
            return;
        };
        let due = now >= real.due;
        let next = match (real.seen.state, behaviour) {
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
        if let Some(state) = next {
            (real.seen.state, real.seen.since, real.due) = (state, now, now + pause);
            if state == State::Exited {
                real.seen.exits.push(now);
                real.seen.in_flight = 0;
            }
            self.tell(|| format!("{id} {state:?}"));
        } else if due && real.seen.state == State::Stopping {
            self.instances.remove(&id);
            self.tell(|| format!("{id} gone"));
        }
    }

    /// Requests come to an instance, and end.
    fn work(&mut self, id: InstanceId) {
        let (named, reachable) = (self.in_force.1.names(id), self.may_be_reached(id));
        let (ends, more) = (self.dice.chance(500), 1 + self.dice.below(4));
        let now = self.now;
        let Some(real) = self.instances.get_mut(&id) else {
            return;
        };
        real.seen.off_since = match (reachable, real.seen.off_since) {
            (true, _) => None,
            (false, since) => since.or(Some(now)),
        };
        if named && real.seen.state == State::Ready {
            real.seen.in_flight = more;
        } else if !named && ends && !real.long {
            real.seen.in_flight = real.seen.in_flight.saturating_sub(1);
        }
    }
}
