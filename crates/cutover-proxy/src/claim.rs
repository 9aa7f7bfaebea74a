//! A request inside an instance, counted for as long as this value lives.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::instance::Instance;

/// One request of an instance. Made by [`crate::plane::Plane::claim`] only, which explains the
/// order of operations.
#[derive(Debug)]
pub(crate) struct Claim {
    instance: Arc<Instance>,
    upgraded: bool,
}

impl Claim {
    pub(crate) fn new(instance: &Arc<Instance>) -> Claim {
        instance.requests.fetch_add(1, Ordering::SeqCst);
        Claim { instance: Arc::clone(instance), upgraded: false }
    }

    pub(crate) fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// The request became an upgraded connection.
    pub(crate) fn upgrade(&mut self) {
        if !self.upgraded {
            self.upgraded = true;
            // In this order, so that the instance never looks empty.
            self.instance.upgraded.fetch_add(1, Ordering::SeqCst);
            self.instance.requests.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let count = if self.upgraded { &self.instance.upgraded } else { &self.instance.requests };
        count.fetch_sub(1, Ordering::SeqCst);
    }
}
