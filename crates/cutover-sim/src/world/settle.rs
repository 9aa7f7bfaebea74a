//! The world before the first deployment: `v1` is live, and serves as far as it is healthy.

use std::collections::{BTreeMap, BTreeSet};

use cutover_core::app::App;
use cutover_core::base::Base;
use cutover_core::id::{InstanceId, ReleaseId};
use cutover_core::observed::State;
use cutover_core::plan::{Rest, Sticky};
use cutover_core::record::Record;
use cutover_core::release::Release;
use cutover_core::spec::Spec;
use cutover_core::table::{Deal, Generation};
use cutover_core::units::{At, Share};
use cutover_engine::journal::Entry;

use super::World;
use crate::weather::Behaviour;

impl World {
    pub(super) fn settle_in(&mut self) {
        let live = ReleaseId(1);
        let Ok(version) = "v1".parse() else { return };
        let release = Release {
            id: live,
            version,
            ordinal: 1,
            digest: "v1".to_owned(),
            spec: Spec::clone(&self.scenario.spec),
            base: "/".into(),
            passed: BTreeMap::new(),
            secrets: BTreeMap::new(),
            made: At(0),
        };
        self.releases.insert(live, release.into());
        let base = Base {
            n: self.scenario.spec.instances,
            spec_n: self.scenario.spec.instances,
            epoch: 0,
            rest: Some(Rest::of(live)),
            frozen: None,
            killed: BTreeSet::new(),
            line: vec![live],
            good: vec![live],
        };
        let record = Record::Base(Box::new(base));
        // A base is legal in an empty app.
        let _ = self.app.apply(At(0), &record);
        self.journal.push(Entry { index: 1, at: At(0), actor: None, record });
        self.serve(live);
    }

    fn serve(&mut self, live: ReleaseId) {
        let behaviour = self.behaviour(live);
        self.plane.in_force.0 = Generation { epoch: 0, seq: 1 };
        self.plane.frontend = crate::ports::frontend(&self.scenario.spec);
        for slot in 0..self.scenario.spec.instances {
            let id = InstanceId { release: live, slot };
            let broken = matches!(behaviour, Behaviour::Degraded(k) if slot < k);
            self.start(id);
            if let Some(real) = self.instances.get_mut(&id) {
                real.seen.state = if broken { State::Exited } else { State::Ready };
                real.due = At(2000);
                if !broken {
                    let address = real.seen.address.map(|address| (id, address));
                    self.plane.in_force.1.serving.extend(address);
                }
            }
        }
        if !self.plane.in_force.1.serving.is_empty() {
            let shares = BTreeMap::from([(live, Share::FULL)]);
            let deal = Deal::Split { shares, sticky: Sticky::No, favoured: live };
            self.plane.in_force.1.deal = deal;
        }
    }

    /// A first engine does not record its start: before the first deployment there is no journal.
    pub(crate) fn begun_with(&self) -> App {
        let mut app = App::default();
        if !matches!(self.journal.first(), Some(Entry { record: Record::Base(_), .. })) {
            app.epoch = self.first_epoch;
        }
        app
    }

    /// What the journal comes to.
    pub(crate) fn replayed(&self) -> Result<App, String> {
        let mut app = self.begun_with();
        for entry in &self.journal {
            let refused = |error| format!("I0 replay refused {:?}: {error}", entry.record);
            app.apply(entry.at, &entry.record).map_err(refused)?;
        }
        Ok(app)
    }
}
