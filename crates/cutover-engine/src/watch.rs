//! What is seen of one app: the platform's and the data plane's view as one.

use std::collections::BTreeMap;

use cutover_core::dataplane::{AppState, Frontend};
use cutover_core::id::InstanceId;
use cutover_core::observed::{Instance, Observed};
use cutover_core::table::{Generation, Table};
use cutover_core::units::At;

use crate::ports::Seen;

/// Tables on their way, and since when each instance has been off the route. Held in memory only:
/// after a restart the data plane tells what is in force, and the limits count anew.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pending: Vec<(Generation, Table)>,
    off_since: BTreeMap<InstanceId, At>,
    /// For apps without a proxy: their table is in force as soon as it is made.
    own: Option<(Generation, Table)>,
    /// What the data plane said last.
    pub(crate) state: Option<AppState>,
}

impl Watch {
    /// Puts both views together.
    pub(crate) fn observe(
        &mut self,
        seen: &BTreeMap<InstanceId, Seen>,
        state: Option<AppState>,
        now: At,
    ) -> Observed {
        let in_force = match (&state, &self.own) {
            (Some(state), _) => (state.generation, state.table.clone()),
            (None, Some(own)) => own.clone(),
            (None, None) => (Generation::default(), Table::default()),
        };
        self.pending.retain(|pending| pending.0 > in_force.0);
        let mut observed = Observed { in_force, ..Observed::default() };
        observed.pending.extend(self.pending.clone());
        for (id, seen) in seen {
            let routed = observed.routed(*id);
            if routed {
                self.off_since.remove(id);
            } else {
                self.off_since.entry(*id).or_insert(now);
            }
            let inside = state.as_ref().and_then(|state| state.in_flight.get(id)).copied();
            let inside = inside.unwrap_or_default();
            let instance = Instance {
                state: seen.state,
                since: seen.since,
                address: seen.address,
                exits: seen.exits.clone(),
                in_flight: inside.requests + inside.upgraded,
                upgraded: inside.upgraded,
                off_since: self.off_since.get(id).copied(),
            };
            observed.instances.insert(*id, instance);
        }
        self.off_since.retain(|id, _| seen.contains_key(id));
        self.state = state;
        observed
    }

    /// A table is about to be sent; from now on it may be in force.
    pub(crate) fn sending(&mut self, table: (Generation, Table)) {
        if self.unanswered() != Some(&table) {
            self.pending.push(table);
        }
    }

    /// The data plane refused a table: it never comes into force.
    pub(crate) fn refused(&mut self, generation: Generation) {
        self.pending.retain(|pending| pending.0 != generation);
    }

    /// The newest table that was sent and is not known to be in force.
    #[must_use]
    pub(crate) fn unanswered(&self) -> Option<&(Generation, Table)> {
        self.pending.last()
    }

    /// The data plane answered with what is in force now.
    pub(crate) fn in_force(&mut self, state: AppState) {
        self.pending.retain(|pending| pending.0 > state.generation);
        self.state = Some(state);
    }

    /// The table of an app without a proxy.
    pub(crate) fn own_table(&mut self, table: (Generation, Table)) {
        self.own = Some(table);
    }

    /// The frontend in force.
    #[must_use]
    pub(crate) fn frontend(&self) -> Option<&Frontend> {
        self.state.as_ref().map(|state| &state.frontend)
    }
}
