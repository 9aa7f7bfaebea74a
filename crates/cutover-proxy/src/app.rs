//! What outlives the tables of one app: its instances, its queue, its measurements.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use cutover_core::dataplane::InFlight;
use cutover_core::id::{InstanceId, Subject};

use crate::copy::Copying;
use crate::hold::Hold;
use crate::instance::Instance;
use crate::measure::Measure;

/// One app.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) subject: Subject,
    seed: u64,
    pub(crate) hold: Arc<Hold>,
    pub(crate) measure: Measure,
    pub(crate) copying: Copying,
    // An instance that starts again elsewhere keeps its id and is another one to count for.
    instances: Mutex<BTreeMap<(InstanceId, SocketAddr), Arc<Instance>>>,
}

impl App {
    /// `second` is the number of the second it begins in.
    pub(crate) fn new(subject: Subject, second: u64) -> Arc<App> {
        Arc::new(App {
            subject,
            seed: fastrand::u64(..),
            hold: Arc::default(),
            measure: Measure::new(second),
            copying: Copying::default(),
            instances: Mutex::default(),
        })
    }

    /// For the order inside the blocks of the split of this name: each has an order of its own.
    pub(crate) fn seed(&self, name: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, name).hash(&mut hasher);
        hasher.finish()
    }

    /// The one value for an instance, now named by a table.
    pub(crate) fn instance(&self, id: InstanceId, address: SocketAddr) -> Arc<Instance> {
        let mut instances = self.instances.lock().unwrap_or_else(PoisonError::into_inner);
        let instance = instances.entry((id, address)).or_insert_with(|| Instance::new(id, address));
        instance.enter();
        Arc::clone(instance)
    }

    /// All that are in the table, or were and have something inside.
    pub(crate) fn instances(&self) -> Vec<Arc<Instance>> {
        let instances = self.instances.lock().unwrap_or_else(PoisonError::into_inner);
        instances.values().cloned().collect()
    }

    /// Forgets those that left and are empty, and closes connections that were idle too long.
    pub(crate) fn tidy(&self) {
        let mut instances = self.instances.lock().unwrap_or_else(PoisonError::into_inner);
        instances.retain(|_, instance| {
            instance.tidy();
            !instance.has_left() || instance.in_flight() != InFlight::default()
        });
    }

    /// What is inside each instance now; those with nothing are missing.
    pub(crate) fn in_flight(&self) -> BTreeMap<InstanceId, InFlight> {
        let mut inside: BTreeMap<InstanceId, InFlight> = BTreeMap::new();
        for instance in self.instances() {
            let now = instance.in_flight();
            if now != InFlight::default() {
                let sum = inside.entry(instance.id).or_default();
                sum.requests += now.requests;
                sum.upgraded += now.upgraded;
            }
        }
        inside
    }
}
