//! Acting on the desired world: the table first, then the instances.

use std::collections::BTreeMap;
use std::sync::Arc;

use cutover_core::dataplane::{AppState, Frontend, Mirror, Publication, WhileDown};
use cutover_core::event::EventKind;
use cutover_core::id::{FlagKey, InstanceId, ReleaseId};
use cutover_core::observed::{Desired, Observed};
use cutover_core::plan::{Route, Sticky};
use cutover_core::release::Release;
use cutover_core::table::{Flags, Generation, Table};
use cutover_core::units::{At, Share, Span};

use super::Driver;
use crate::context::chain;
use crate::ports::{Clock, DataPlane, DataPlaneError, Platform, World};

/// The longest a request waits for a server; browsers and clients give up about then.
const HOLD_LIMIT: Span = Span::secs(60);
/// The most requests that wait at one time.
const HOLD_MOST: u32 = 10_000;
/// What was refused a moment ago is not asked again at once.
const REFUSED_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);
/// Where a preview listens unless the spec says: any free port on loopback.
const ANY_PREVIEW: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

impl<W: World> Driver<W> {
    /// What is in force, for apps that have users.
    pub(super) async fn app_state(&self) -> Result<Option<AppState>, DataPlaneError> {
        if self.has_users() || self.watch.state.is_some() {
            self.context.app_state(&self.subject).await
        } else {
            Ok(None)
        }
    }

    fn has_users(&self) -> bool {
        let candidate = self.app.live().map(|rollout| rollout.plan.candidate);
        let live = self.app.rest.as_ref().map(|rest| rest.live);
        let listens = |id: ReleaseId| {
            self.releases.get(&id).is_some_and(|release| release.spec.listen.is_some())
        };
        match (candidate, live) {
            (None, None) => self.releases.values().any(|release| release.spec.listen.is_some()),
            (candidate, live) => candidate.into_iter().chain(live).any(listens),
        }
    }

    /// Sends the desired table if it is news; true when it is in force now.
    pub(super) async fn publish(&mut self, observed: &Observed, desired: &Desired) -> bool {
        let newest = observed.newest();
        let Some(frontend) = self.frontend(&desired.table.1) else {
            if desired.table != *newest {
                self.watch.own_table(desired.table.clone());
                return true;
            }
            return false;
        };
        let same_frontend = self.watch.frontend() == Some(&frontend);
        let untouched = self.watch.state.is_none() && desired.table.1 == Table::default();
        let table = if desired.table != *newest {
            desired.table.clone()
        } else if let Some(unanswered) = self.watch.unanswered() {
            unanswered.clone()
        } else if same_frontend || untouched {
            // Also a table whose answer never came may be in force by now.
            self.fine("publish");
            return false;
        } else {
            (Generation { epoch: self.app.epoch, seq: newest.0.seq + 1 }, newest.1.clone())
        };
        let now = self.context.clock.now();
        if self.refused_at.is_some_and(|at| now.since(at) < REFUSED_PAUSE) {
            return false;
        }
        self.watch.sending(table.clone());
        let publication = Publication { generation: table.0, frontend, table: table.1.clone() };
        match self.context.dataplane.publish(&self.subject, &publication).await {
            Ok(state) => {
                self.fine("publish");
                self.refused_at = None;
                self.tell_routed(&state);
                self.watch.in_force(state);
                true
            }
            Err(error) => {
                if let DataPlaneError::Refused(_) = error {
                    self.watch.refused(table.0);
                    self.refused_at = Some(self.context.clock.now());
                }
                self.trouble("publish", &chain(&error));
                false
            }
        }
    }

    /// How users reach the app while `table` is in force; `None` for apps without users.
    fn frontend(&self, table: &Table) -> Option<Frontend> {
        let rollout = self.app.live();
        let plan = rollout.map(|rollout| &rollout.plan);
        let candidate = plan.map(|plan| plan.candidate);
        let stable =
            plan.map_or_else(|| self.app.rest.as_ref().map(|rest| rest.live), |plan| plan.stable());
        let switched = candidate.filter(|candidate| table.share(*candidate) == Share::FULL);
        let Some(by) = switched.or(stable).or(candidate) else {
            // Down: nobody waits for what will not come.
            let known = self.watch.frontend()?.clone();
            return Some(Frontend { while_down: WhileDown::Notice, ..known });
        };
        let spec = &self.releases.get(&by)?.spec;
        let holds =
            plan.is_some_and(|plan| plan.stages.iter().any(|stage| stage.route == Route::Held));
        let settings = candidate.filter(|_| holds).and_then(|id| self.releases.get(&id));
        let settings = settings.map_or(spec, |release| &release.spec);
        Some(Frontend {
            listen: spec.listen?,
            preview: spec.preview.unwrap_or(ANY_PREVIEW),
            host: spec.host.clone(),
            path: spec.path.clone(),
            while_down: settings.patterns.big_bang.while_down,
            hold_limit: HOLD_LIMIT,
            hold_most: HOLD_MOST,
            drain_upgraded: spec.drain.upgraded,
            drain_requests: spec.drain.requests,
            mirror: candidate.and_then(|id| self.mirror(id)).unwrap_or_default(),
            identity: self.identity(table),
        })
    }

    /// Which requests are copied to a release, and how answers are compared.
    fn mirror(&self, release: ReleaseId) -> Option<Mirror> {
        let shadow = &self.releases.get(&release)?.spec.patterns.shadow;
        Some(Mirror {
            methods: shadow.methods.clone(),
            compare_body: shadow.compare_body,
            most_body: shadow.most_body,
        })
    }

    /// Who a user is to a flag that is on for some: as the release says that brought it.
    fn identity(&self, table: &Table) -> Sticky {
        let partly = table.flags.values().find(|raised| raised.share < Share::FULL);
        let release = partly.and_then(|raised| self.releases.get(&raised.by));
        release.map_or(Sticky::No, |release| release.spec.patterns.feature_flag.identity())
    }

    fn tell_routed(&mut self, state: &AppState) {
        let now = self.context.clock.now();
        let held = state.table.is_held();
        match (held, self.run.held_since) {
            (true, None) if self.app.rest.is_some() => self.run.held_since = Some(now),
            (false, Some(since)) => {
                self.run.held += now.since(since);
                self.run.held_since = None;
            }
            (true, _) | (false, None) => {}
        }
        let old = self.watch.state.as_ref().map(|state| &state.table);
        let releases = |table: &Table| -> BTreeMap<ReleaseId, Share> {
            let ids = table.serving.keys().map(|id| id.release);
            ids.map(|release| (release, table.share(release))).collect()
        };
        let shares = releases(&state.table);
        let preview = state.preview.filter(|_| !state.table.preview.is_empty());
        let flags = changed(old.map(|old| &old.flags), &state.table.flags);
        let news = old.is_none_or(|old| {
            releases(old) != shares || old.preview.is_empty() == preview.is_some()
        });
        if news || !flags.is_empty() {
            self.tell(EventKind::Routed { shares, held, preview, flags });
        }
    }

    /// Brings the desired instances about.
    pub(super) async fn converge(&mut self, desired: &Desired, now: At) {
        let wanted: BTreeMap<InstanceId, Arc<Release>> = desired
            .instances
            .iter()
            .filter_map(|id| Some((*id, Arc::clone(self.releases.get(&id.release)?))))
            .collect();
        match self.context.platform.converge(&self.subject, &wanted, now).await {
            Ok(()) => self.fine("converge"),
            Err(error) => self.trouble("converge", &chain(&error)),
        }
    }

    /// Once the last instance of an app that is down is gone, its port is freed.
    pub(super) async fn leave_if_down(&mut self, observed: &Observed) {
        let down = self.app.rest.is_none() && self.app.live().is_none();
        if !down || !observed.instances.is_empty() {
            return;
        }
        if self.watch.state.is_some() {
            match self.context.dataplane.remove(&self.subject, self.app.epoch).await {
                Ok(()) => {
                    self.watch.state = None;
                    self.fine("remove");
                }
                Err(error) => return self.trouble("remove", &chain(&error)),
            }
        }
        for reply in self.down_replies.drain(..) {
            let cursor = self.context.events.last();
            let acted = crate::api::Acted { rollout: None, cursor, recorded: true };
            // Whoever asked may have gone.
            let _ = reply.send(Ok(acted));
        }
    }
}

/// The flags whose share is another one now.
fn changed(old: Option<&Flags>, new: &Flags) -> BTreeMap<FlagKey, Share> {
    let share = |flags: Option<&Flags>, key: &FlagKey| {
        flags.and_then(|flags| flags.get(key)).map_or(Share::ZERO, |raised| raised.share)
    };
    let keys = old.into_iter().flat_map(Flags::keys).chain(new.keys());
    let moved = keys.filter(|key| share(old, key) != share(Some(new), key));
    moved.map(|key| (key.clone(), share(Some(new), key))).collect()
}
