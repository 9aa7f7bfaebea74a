//! The sequencer: goal + budget + what is seen now → the whole desired world. No memory.
//!
//! Forward, abort, rollback, scaling in the middle, a third release and recovery after a crash are
//! all this function with another goal. Its rules, in order:
//!
//! 1. Leavers are the excess over the goal's size per release: broken ones first, then those not
//!    routed, then the highest slot. Draining is not a state: a leaver wanted again is routed again.
//! 2. A release may serve only if the goal gives it traffic, or the newest table already does (it
//!    is being relieved).
//! 3. A release's share is at most its ready capacity over the basis; what is left goes to the
//!    preferred release, then to others with spare capacity.
//! 4. A split keeps as many instances per release as its share needs, even keeps the basis in
//!    total; leavers are routed only to fill that. A table is sent only if its content is new.
//! 5. A leaver is stopped only when it is off the route and drained, exited, or past the limit.
//! 6. Missing ones are started, the preferred release first, while everything that exists
//!    (stopping ones included) stays under the ceiling.
//! 7. A flag is part of the table: it goes down at once, and is up only in tables in which every
//!    serving release knows it.
//!
//! Capacity: one ready instance carries 1/n of the load.
//! basis = min(n − unavailable, ready instances of releases that may serve).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::goal::{Goal, GoalRoute};
use crate::id::{InstanceId, ReleaseId};
use crate::observed::{Desired, Instance, Observed, State};
use crate::plan::{Aside, Bounds, Sticky};
use crate::table::{Deal, Flags, Generation, Marked, Table};
use crate::units::{At, Count, Share};

/// How long an instance that lost its readiness keeps its place in the table: readiness that only
/// flaps must not republish tables, and the proxy skips an instance that refuses meanwhile.
const GRACE: Duration = Duration::from_millis(500);

/// Limits that do not depend on the goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For requests in flight, once an instance is off the route.
    pub drain: Duration,
    /// For upgraded connections, likewise.
    pub upgraded: Duration,
}

/// The whole desired world.
#[must_use]
pub fn converge(goal: &Goal, epoch: u32, limits: Limits, seen: &Observed, now: At) -> Desired {
    let view = View::new(goal, seen, now);
    let newest = seen.newest();
    let table = view.table();
    let table = if table == newest.1 {
        newest.clone()
    } else {
        (Generation { epoch, seq: newest.0.seq + 1 }, table)
    };
    let mut instances = view.kept(&table.1, limits);
    view.start_missing(&mut instances);
    Desired { instances, table }
}

/// The instances of one release that are not stopping.
#[derive(Default)]
struct Group {
    /// Those the goal keeps, best first.
    stay: Vec<InstanceId>,
    /// The excess.
    leave: Vec<InstanceId>,
}

struct View<'a> {
    goal: &'a Goal,
    seen: &'a Observed,
    now: At,
    bounds: Bounds,
    groups: BTreeMap<ReleaseId, Group>,
    /// Nobody that may serve is ready: the newest table's running instances go on serving.
    desperate: bool,
}

impl<'a> View<'a> {
    fn new(goal: &'a Goal, seen: &'a Observed, now: At) -> View<'a> {
        let bounds = goal.budget.bounds(goal.n);
        let groups = groups(goal, seen);
        let mut view = View { goal, seen, now, bounds, groups, desperate: false };
        view.desperate = view.total() == 0;
        view
    }

    fn instance(&self, id: InstanceId) -> Option<&Instance> {
        self.seen.instances.get(&id)
    }

    fn is_ready(&self, id: InstanceId) -> bool {
        let in_table = self.seen.newest().1.serving.contains_key(&id);
        self.instance(id).is_some_and(|instance| match instance.state {
            State::Ready => true,
            State::Unready => in_table && (self.desperate || self.now < instance.since + GRACE),
            State::Starting | State::Exited | State::Stopping => false,
        })
    }

    /// Rule 2.
    fn may_serve(&self, release: ReleaseId) -> bool {
        let relieved = self.seen.newest().1.serves(release);
        !self.goal.barred.contains(&release) && (self.goal.gives_traffic(release) || relieved)
    }

    fn usable(&self, release: ReleaseId) -> Count {
        if !self.may_serve(release) {
            return 0;
        }
        let Some(group) = self.groups.get(&release) else {
            return 0;
        };
        count(group.stay.iter().chain(&group.leave).filter(|id| self.is_ready(**id)))
    }

    fn total(&self) -> Count {
        self.groups.keys().map(|release| self.usable(*release)).sum()
    }

    /// The preferred release first, then those the goal gives traffic, then by what they carry.
    fn releases(&self) -> Vec<ReleaseId> {
        let newest = &self.seen.newest().1;
        let mut releases: Vec<ReleaseId> = self.groups.keys().copied().collect();
        releases.sort_by_key(|release| {
            let preferred = Some(*release) == self.goal.prefer;
            (!preferred, !self.goal.gives_traffic(*release), Reverse(newest.share(*release)))
        });
        releases
    }

    /// All usable instances that stay, and leavers up to `least` in all.
    fn pick(&self, release: ReleaseId, least: Count) -> Vec<InstanceId> {
        let Some(group) = self.groups.get(&release) else {
            return vec![];
        };
        let ready = |ids: &[InstanceId]| -> Vec<InstanceId> {
            ids.iter().copied().filter(|id| self.is_ready(*id)).collect()
        };
        let mut picked = ready(&group.stay);
        let short = (least as usize).saturating_sub(picked.len());
        picked.extend(ready(&group.leave).into_iter().take(short));
        picked
    }

    /// Rules 3 and 4.
    fn table(&self) -> Table {
        let basis = self.bounds.floor.min(self.total());
        let mut table = match &self.goal.route {
            GoalRoute::Held => Table::default(),
            GoalRoute::Even => self.even(basis),
            GoalRoute::Split { weights, sticky, rules, favoured } => {
                let mut table = self.split(basis, weights, sticky, *favoured);
                let ready = self.pick(*favoured, 0);
                if !rules.is_empty() && !table.is_held() && !ready.is_empty() {
                    table.serving.extend(self.with_addresses(ready));
                    table.marked = Some(Marked { to: *favoured, rules: rules.clone() });
                }
                table
            }
        };
        if let Some((release, aside)) = self.goal.aside {
            let members = self.with_addresses(self.pick(release, 0));
            match aside {
                Aside::Nothing => {}
                Aside::Preview => table.preview = members.collect(),
                Aside::Mirror(share) => {
                    table.mirrored = members.collect();
                    let capacity = Share::of(count(table.mirrored.iter()), basis);
                    table.mirror = share.min(capacity);
                }
            }
        }
        table.flags = self.flags(&table);
        table
    }

    /// Rule 7. Users are served first: a release that does not know a flag keeps it down.
    fn flags(&self, table: &Table) -> Flags {
        let oldest = table.serving.keys().map(|id| id.release).min();
        let known = self.goal.flags.iter();
        let known = known.filter(|(_, raised)| oldest.is_none_or(|oldest| oldest >= raised.by));
        known.map(|(key, raised)| (key.clone(), *raised)).collect()
    }

    fn even(&self, basis: Count) -> Table {
        let serving: Vec<ReleaseId> =
            self.releases().into_iter().filter(|release| self.may_serve(*release)).collect();
        let mut picked: BTreeSet<InstanceId> =
            serving.iter().flat_map(|release| self.pick(*release, 0)).collect();
        for release in serving {
            let Some(group) = self.groups.get(&release) else {
                continue;
            };
            for id in group.leave.iter().filter(|id| self.is_ready(**id)) {
                if count(picked.iter()) >= basis {
                    break;
                }
                picked.insert(*id);
            }
        }
        let deal = if picked.is_empty() { Deal::Held } else { Deal::Even };
        Table { deal, serving: self.with_addresses(picked).collect(), ..Table::default() }
    }

    fn split(
        &self,
        basis: Count,
        weights: &BTreeMap<ReleaseId, Share>,
        sticky: &Sticky,
        favoured: ReleaseId,
    ) -> Table {
        let capacity = |release: ReleaseId| match (self.usable(release), basis) {
            (0, _) => Share::ZERO,
            (_, 0) => Share::FULL,
            (ready, basis) => Share::of(ready, basis),
        };
        let order = self.releases();
        let mut shares: BTreeMap<ReleaseId, Share> = BTreeMap::new();
        for release in &order {
            let wanted = weights.get(release).copied().unwrap_or_default();
            shares.insert(*release, wanted.min(capacity(*release)));
        }
        let mut left = shares.values().copied().sum::<Share>().rest();
        if basis == 0 {
            // Downtime is allowed: nobody gets more than the goal gives.
            left = Share::ZERO;
        }
        for release in &order {
            let Some(share) = shares.get_mut(release) else {
                continue;
            };
            let more = left.min(capacity(*release) - *share);
            *share = *share + more;
            left = left - more;
        }
        let largest = order.iter().filter(|r| self.usable(**r) > 0).max_by_key(|r| shares.get(r));
        if let Some(share) = largest.and_then(|release| shares.get_mut(release)) {
            // Rounding down to thousandths leaves a little, which no capacity could tell.
            *share = *share + left;
        }
        shares.retain(|_, share| *share > Share::ZERO);
        // A thousandth lost by rounding for each release must not keep one leaver more: it may be the
        // one whose room is needed.
        let lost = Share::from_permille(count(order.iter()));
        let picked = shares.iter().flat_map(|(release, share)| {
            let least = (*share - lost).ceil_of(basis);
            self.pick(*release, least.clamp(1, self.usable(*release).max(1)))
        });
        let serving: BTreeMap<InstanceId, SocketAddr> = self.with_addresses(picked).collect();
        if serving.is_empty() {
            return Table::default();
        }
        let deal = Deal::Split { shares, sticky: sticky.clone(), favoured };
        Table { deal, serving, ..Table::default() }
    }

    /// Workers have no address and no proxy; their table only orders who may be stopped when.
    fn with_addresses<I: IntoIterator<Item = InstanceId>>(
        &self,
        ids: I,
    ) -> impl Iterator<Item = (InstanceId, SocketAddr)> {
        const NONE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let address = |id| self.instance(id).and_then(|instance| instance.address);
        ids.into_iter().map(move |id| (id, address(id).unwrap_or(NONE)))
    }

    /// Rule 5: everything that exists but the leavers that may be stopped now.
    fn kept(&self, table: &Table, limits: Limits) -> BTreeSet<InstanceId> {
        let leaving = |id: InstanceId| {
            self.groups.get(&id.release).is_some_and(|group| group.leave.contains(&id))
        };
        let done = |instance: &Instance| {
            // The longest limit of what is inside.
            let upgraded = (instance.upgraded > 0).then_some(limits.upgraded);
            let ordinary = (instance.in_flight > instance.upgraded).then_some(limits.drain);
            let limit = upgraded.max(ordinary).unwrap_or_default();
            instance.in_flight == 0
                || instance.state == State::Exited
                || instance.off_since.is_some_and(|since| self.now >= since + limit)
        };
        let running = self.seen.instances.iter().filter(|(_, i)| i.state != State::Stopping);
        running
            .filter(|(id, instance)| {
                let routed = self.seen.routed(**id) || table.names(**id);
                !leaving(**id) || routed || !done(instance)
            })
            .map(|(id, _)| *id)
            .collect()
    }

    /// Rule 6.
    fn start_missing(&self, instances: &mut BTreeSet<InstanceId>) {
        let mut room = self.bounds.ceiling.saturating_sub(count(self.seen.instances.keys()));
        let mut sizes = self.goal.sizes.clone();
        sizes.sort_by_key(|sized| Some(sized.release) != self.goal.prefer);
        for sized in sizes.into_iter().filter(|sized| sized.start) {
            let have = self.groups.get(&sized.release);
            let have = have.map_or(0, |group| count(group.stay.iter().chain(&group.leave)));
            let missing = sized.count.saturating_sub(have).min(room);
            room -= missing;
            let free = (0..)
                .map(|slot| InstanceId { release: sized.release, slot })
                .filter(|id| !self.seen.instances.contains_key(id));
            instances.extend(free.take(missing as usize));
        }
    }
}

/// Rule 1.
fn groups(goal: &Goal, seen: &Observed) -> BTreeMap<ReleaseId, Group> {
    let newest = &seen.newest().1;
    let mut groups: BTreeMap<ReleaseId, Group> = BTreeMap::new();
    for (id, instance) in &seen.instances {
        if instance.state != State::Stopping {
            groups.entry(id.release).or_default().stay.push(*id);
        }
    }
    for (release, group) in &mut groups {
        group.stay.sort_by_key(|id| {
            let instance = seen.instances.get(id);
            let state = instance.map(|instance| instance.state);
            let runs = matches!(state, Some(State::Ready | State::Unready));
            let exits = instance.map_or(0, |instance| instance.exits.len());
            let routed = newest.serving.contains_key(id);
            let ready = state == Some(State::Ready);
            (!runs, !routed, !ready, state == Some(State::Exited), exits, id.slot)
        });
        let keep = (goal.want(*release) as usize).min(group.stay.len());
        group.leave = group.stay.split_off(keep);
    }
    groups
}

fn count(items: impl Iterator) -> Count {
    Count::try_from(items.count()).unwrap_or(Count::MAX)
}
