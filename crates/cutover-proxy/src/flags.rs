//! Which flags are on for a request.

use std::sync::Arc;

use cutover_core::id::FlagKey;
use cutover_core::table::Flags;
use cutover_core::units::Share;

use crate::app::App;
use crate::identity::flag_bucket;
use crate::split::{Places, Split};

/// The flags of a table, ready for use.
#[derive(Debug, Default)]
pub(crate) struct Flagging {
    /// Those that are on for everybody.
    wholly: Vec<FlagKey>,
    partly: Vec<Partly>,
}

/// A flag that is on for some.
#[derive(Debug)]
pub(crate) struct Partly {
    key: FlagKey,
    /// In thousandths.
    share: u32,
    /// For those who have no identity, and for new ones.
    pub(crate) split: Arc<Split<bool>>,
}

impl Flagging {
    /// Where a flag has the share that it had before, requests are dealt on.
    pub(crate) fn new(flags: &Flags, app: &App, before: Option<&Flagging>) -> Flagging {
        let mut flagging = Flagging::default();
        for (key, raised) in flags {
            if raised.share == Share::FULL {
                flagging.wholly.push(key.clone());
                continue;
            }
            let share = raised.share.permille();
            let old = before.and_then(|before| before.partly.iter().find(|old| old.key == *key));
            let split = Split::yes(share, app.seed(key.as_str())).after(old.map(|old| &old.split));
            flagging.partly.push(Partly { key: key.clone(), share, split });
        }
        flagging
    }

    /// The flag for whose sake a new identity is chosen, if there is one.
    pub(crate) fn first_partly(&self) -> Option<&Partly> {
        self.partly.first()
    }

    /// Decides them all, for a user or, without one, for this request.
    pub(crate) fn decide(
        self: &Arc<Self>,
        identity: Option<&str>,
        places: &mut Places<bool>,
    ) -> Decided {
        let decide = |flag: &Partly| match identity {
            Some(identity) => flag.is_on(identity),
            None => places.side(&flag.split) == Some(true),
        };
        Decided { on: self.partly.iter().map(decide).collect(), flags: Arc::clone(self) }
    }
}

impl Partly {
    /// Is it on for this user? While the share grows, users only move to on.
    pub(crate) fn is_on(&self, identity: &str) -> bool {
        flag_bucket(self.key.as_str(), identity) < self.share
    }
}

/// What was decided for one request.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    flags: Arc<Flagging>,
    /// For each flag that is on for some.
    on: Vec<bool>,
}

impl Decided {
    /// Every flag, and whether it is on.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&FlagKey, bool)> {
        self.flags.wholly.iter().map(|key| (key, true)).chain(self.partly())
    }

    /// The flags that are on for some, and whether they are here.
    pub(crate) fn partly(&self) -> impl Iterator<Item = (&FlagKey, bool)> {
        self.flags.partly.iter().map(|flag| &flag.key).zip(self.on.iter().copied())
    }

    /// Is any of them on for some only, so that its sides are measured?
    pub(crate) fn has_sides(&self) -> bool {
        !self.on.is_empty()
    }
}
