//! The flags that one client sees.

use std::collections::HashMap;
use std::sync::Arc;

use crate::context::Context;
use crate::explain::Explanation;
use crate::flag::{ErrorCode, Evaluation, Flag, Outcome};
use crate::keys::FastKeys;

/// Flags by key, each key once.
#[derive(Debug)]
pub struct FlagSet {
    pub(crate) flags: Vec<Arc<Flag>>,
    by_key: HashMap<Box<str>, u32, FastKeys>,
    pub(crate) metadata: Box<str>,
    pub(crate) version: [u8; 32],
    reads_clock: bool,
}

impl FlagSet {
    pub(crate) fn new(
        flags: impl Iterator<Item = Arc<Flag>>,
        metadata: String,
        version: [u8; 32],
    ) -> FlagSet {
        let mut set = FlagSet {
            flags: vec![],
            by_key: HashMap::default(),
            metadata: metadata.into(),
            version,
            reads_clock: false,
        };
        for flag in flags {
            let known = set.by_key.get(&flag.key).and_then(|at| usize::try_from(*at).ok());
            match known.and_then(|at| set.flags.get_mut(at)) {
                Some(earlier) => *earlier = flag,
                None => {
                    let at = u32::try_from(set.flags.len()).unwrap_or(u32::MAX);
                    set.by_key.insert(flag.key.clone(), at);
                    set.flags.push(flag);
                }
            }
        }
        set.reads_clock = set.flags.iter().any(|flag| flag.reads_clock());
        set
    }

    #[inline]
    pub(crate) fn flag(&self, key: &str) -> Option<&Flag> {
        let at = *self.by_key.get(key)?;
        self.flags.get(usize::try_from(at).ok()?).map(|flag| &**flag)
    }

    /// Evaluates a flag for a context at a time, in seconds since 1970.
    ///
    /// The order is flagd's: no such flag; disabled; no rule; the rule says nothing; the rule names
    /// a variant; anything else is an error.
    #[inline]
    #[must_use]
    pub fn evaluate<'a>(&'a self, key: &'a str, context: &Context, now: i64) -> Evaluation<'a> {
        match self.flag(key) {
            Some(flag) => flag.evaluate(context, now),
            None => Evaluation { key, outcome: not_found(), metadata: "{}" },
        }
    }

    /// Evaluates a flag and tells how it came to that; `None` if there is no such flag.
    #[must_use]
    pub fn explain(&self, key: &str, context: &Context, now: i64) -> Option<Explanation> {
        self.flag(key).map(|flag| flag.explain(context, now))
    }

    /// The keys of all flags, in the order of the documents.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.flags.iter().map(|flag| &*flag.key)
    }

    /// Can an answer change with time alone?
    #[must_use]
    pub fn reads_clock(&self) -> bool {
        self.reads_clock
    }

    /// Metadata of the set, as a JSON object.
    #[must_use]
    pub fn metadata(&self) -> &str {
        &self.metadata
    }
}

#[cold]
fn not_found<'a>() -> Outcome<'a> {
    Outcome::Failed(ErrorCode::FlagNotFound, "there is no flag with this key".into())
}
