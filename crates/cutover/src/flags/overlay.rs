//! What people set, and what follows an app, laid over the documents of an environment.

use std::collections::{BTreeMap, BTreeSet};

use cutover_core::served_flags::FlagSource;
use cutover_core::units::Share;
use cutover_flags::{FlagOutline, Outline, Source};
use serde_json::{Value, json};

use super::change::{FlagId, Setting};
use super::ledger::{Ledger, text};

/// What is laid over documents.
#[derive(Debug, Clone, Copy)]
pub(super) struct Overlay<'a> {
    pub(super) ledger: &'a Ledger,
    /// The flags that an app has, with the share that they are on for there.
    pub(super) follows: &'a BTreeMap<String, Share>,
    /// What is set for this once, beyond what is kept.
    pub(super) more: Option<(&'a FlagId, &'a [Setting])>,
}

/// Documents with what is laid over them.
#[derive(Debug, Clone, Default)]
pub(super) struct Laid {
    pub(super) sources: Vec<FlagSource>,
    /// Flags with settings that no document defines.
    pub(super) adrift: Vec<FlagId>,
}

/// A document as the flags' crate knows it.
pub(crate) fn source(source: &FlagSource) -> Source {
    let changes = source.changes.clone();
    Source { changes, ..Source::new(&source.name, &source.text) }
}

impl Overlay<'_> {
    /// Is there anything to lay over?
    fn is_empty(&self) -> bool {
        self.more.is_none() && self.follows.is_empty() && self.ledger.set_flags().next().is_none()
    }

    /// Lays it over documents as they were read.
    pub(super) fn over(&self, raw: &[FlagSource]) -> Laid {
        if self.is_empty() {
            return Laid { sources: raw.to_vec(), adrift: vec![] };
        }
        let mut defined = BTreeSet::new();
        let mut sources = vec![];
        for document in raw {
            let bare = FlagSource { changes: None, ..document.clone() };
            // One that cannot be read is refused as a whole, or its flags are.
            let outline = Outline::read(&source(&bare)).ok();
            let changes = outline.as_ref().and_then(|outline| {
                let of = |flag: &FlagOutline| (outline.set.clone(), flag.key.clone());
                defined.extend(outline.flags.iter().map(of));
                text(self.patch(outline))
            });
            sources.push(FlagSource { changes, ..bare });
        }
        let is_adrift = |of: &&FlagId| !defined.contains(&(of.set.clone(), of.flag.clone()));
        let adrift = self.ledger.set_flags().filter(is_adrift).cloned().collect();
        Laid { sources, adrift }
    }

    /// What is laid over one document. What follows an app is not set here, but for a kill.
    fn patch(&self, outline: &Outline) -> BTreeMap<String, Value> {
        let mut patch = self.ledger.patch(outline.set.as_deref(), self.more);
        patch.retain(|key, _| outline.flags.iter().any(|flag| flag.key == *key));
        for flag in &outline.flags {
            let Some(share) = self.follows.get(&flag.key) else { continue };
            let Some(variant) = variant_of(flag) else { continue };
            let own = patch.entry(flag.key.clone()).or_insert_with(|| json!({}));
            own["cutover"]["ramp"] = json!({
                "variant": variant, "share": share.to_string(), "as-app": true, "split": null,
                "from": null, "until": null, "rolled-back": null, "seed": null, "by": null,
            });
        }
        patch
    }
}

/// The variant that a ramp gives: the one it names, or the only one that is not off.
pub(super) fn variant_of(flag: &FlagOutline) -> Option<String> {
    if let Some(named) = flag.ramp.as_ref().and_then(|ramp| ramp.variant.clone()) {
        return Some(named);
    }
    let off = flag.off.as_deref();
    let mut on = flag.variants.iter().filter(|variant| Some(variant.as_str()) != off);
    let only = on.next().filter(|_| on.next().is_none());
    only.filter(|_| off.is_some()).cloned()
}
