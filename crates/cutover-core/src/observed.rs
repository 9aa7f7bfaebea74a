//! What is seen of the world, and what is wanted of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::InstanceId;
use crate::table::{Generation, Table};
use crate::units::At;

/// Where an instance is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Runs, and has not been ready since its last start.
    Starting,
    /// Enough good probes in a row, with no exit since.
    Ready,
    /// Was ready, and no longer answers well.
    Unready,
    /// Exited by itself; the platform starts it again in place.
    Exited,
    /// Was told to stop.
    Stopping,
}

/// One instance as seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Where it is in its life.
    pub state: State,
    /// Since when: the last start or exit for what is not ready, else the last change.
    pub since: At,
    /// Where it listens; `None` for workers and before the first start.
    pub address: Option<SocketAddr>,
    /// Recent times at which it exited by itself, oldest first.
    pub exits: Vec<At>,
    /// Requests and upgraded connections inside it.
    pub in_flight: u32,
    /// Upgraded connections among them.
    pub upgraded: u32,
    /// Since when no table, in force or on its way, names it.
    pub off_since: Option<At>,
}

/// Everything that is seen of one app at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Every instance that exists, stopping ones included.
    pub instances: BTreeMap<InstanceId, Instance>,
    /// The table in force.
    pub in_force: (Generation, Table),
    /// Tables sent and not yet known to be in force, oldest first.
    pub pending: Vec<(Generation, Table)>,
}

impl Observed {
    /// The newest table sent.
    #[must_use]
    pub fn newest(&self) -> &(Generation, Table) {
        self.pending.last().unwrap_or(&self.in_force)
    }
    /// Is nothing on its way?
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }
    /// Could a request still reach this instance by any table?
    #[must_use]
    pub fn routed(&self, id: InstanceId) -> bool {
        self.in_force.1.names(id) || self.pending.iter().any(|(_, table)| table.names(id))
    }
}

/// The whole world as wanted now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// All instances that shall exist; others shall stop.
    pub instances: BTreeSet<InstanceId>,
    /// The table to be in force; equal to the newest one if nothing changes.
    pub table: (Generation, Table),
}
