//! The base of a journal whose oldest records were pruned: what they came to.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{App, Illegal};
use crate::id::{FlagKey, ReleaseId};
use crate::plan::Rest;
use crate::record::Freeze;
use crate::units::Count;

/// What the pruned records came to, so that replaying what is left gives the same state. Of
/// rollouts it holds none: those that are left begin after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Base {
    /// The target number of instances.
    pub n: Count,
    /// The number that the newest good spec asked for.
    pub spec_n: Count,
    /// Number of the engine's start.
    pub epoch: u32,
    /// What the app was when nothing was going on.
    pub rest: Option<Rest>,
    /// Whether new releases were refused.
    #[serde(default)]
    pub frozen: Option<Freeze>,
    /// Flags that were killed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub killed: BTreeSet<FlagKey>,
    /// The way to the live release, oldest first.
    pub line: Vec<ReleaseId>,
    /// The releases that were good, by when each last went live, oldest first.
    pub good: Vec<ReleaseId>,
}

impl App {
    /// What it is between two rollouts; `None` while one is live. The lineage is the engine's.
    #[must_use]
    pub fn base(&self) -> Option<Base> {
        // Named one by one, so that whoever adds a field thinks of the base, too.
        let App { n, spec_n, epoch, rest, rollout: _, frozen, killed } = self;
        let (rest, frozen) = (rest.clone(), frozen.clone());
        let (n, spec_n, epoch, killed) = (*n, *spec_n, *epoch, killed.clone());
        let base = Base { n, spec_n, epoch, rest, frozen, killed, ..Base::default() };
        self.live().is_none().then_some(base)
    }

    /// Goes on from a base.
    pub(crate) fn begin_from(&mut self, base: &Base) -> Result<(), Illegal> {
        if *self != App::default() {
            return Err(Illegal("a base that is not the first record"));
        }
        let Base { n, spec_n, epoch, rest, frozen, killed, line: _, good: _ } = base;
        let (rest, frozen) = (rest.clone(), frozen.clone());
        let (n, spec_n, epoch, killed) = (*n, *spec_n, *epoch, killed.clone());
        *self = App { n, spec_n, epoch, rest, rollout: None, frozen, killed };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::units::At;

    #[test]
    fn an_app_goes_on_from_its_base_and_only_at_the_beginning() {
        let killed = BTreeSet::from(["new".parse().unwrap()]);
        let mut app = App { n: 5, spec_n: 4, epoch: 7, killed, ..App::default() };
        let base = app.base().unwrap();
        let record = Record::Base(Box::new(base));
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        let mut again = App::default();
        again.apply(At(1), &record).unwrap();
        assert_eq!(again, app);
        assert!(app.apply(At(1), &record).is_err());
    }
}
