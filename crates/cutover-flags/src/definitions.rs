//! All flags that are known, and the choices of them that clients can make.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::additions::Document;
use crate::flag::Flag;
use crate::keys::FastKeys;
use crate::lint;
use crate::load::{Loader, metadata_json};
use crate::problem::{Problem, Rule, Severity};
use crate::selector::Selector;
use crate::set::FlagSet;
use crate::source::{Entry, Source};

/// Changes whenever the same documents begin to give other answers.
const GENERATION: &[u8] = b"cutover-flags 1";

/// Flags of one or more documents. Loading never fails: what cannot be used is told, and all else
/// works.
#[derive(Debug)]
pub struct Definitions {
    all: FlagSet,
    by_selector: HashMap<Selector, FlagSet>,
    nothing: FlagSet,
}

/// A document that was read.
struct Loaded<'a> {
    source: &'a str,
    set: Option<String>,
    metadata: Vec<Entry>,
    flags: Vec<Arc<Flag>>,
}

impl Definitions {
    /// Reads documents. Where two of one set define the same flag, the later one counts, and that
    /// is told; a document that cannot be read has no flags.
    #[must_use]
    pub fn load(sources: &[Source]) -> (Definitions, Vec<Problem>) {
        let mut problems = vec![];
        let mut digest = Sha256::new();
        digest.update(GENERATION);
        let mut loaded = vec![];
        for source in sources {
            for part in [&source.name, &source.text] {
                digest.update((part.len() as u64).to_le_bytes());
                digest.update(part);
            }
            if let Some(changes) = &source.changes {
                digest.update(b"changed");
                digest.update((changes.len() as u64).to_le_bytes());
                digest.update(changes);
            }
            loaded.push(load(source, &mut problems));
        }
        let version: [u8; 32] = digest.finalize().into();
        tell_conflicts(&loaded, &mut problems);
        let choose = |choice: &dyn Fn(&Loaded<'_>) -> bool| {
            let chosen: Vec<&Loaded<'_>> = loaded.iter().filter(|loaded| choice(loaded)).collect();
            let metadata: Vec<Entry> =
                chosen.iter().flat_map(|loaded| loaded.metadata.iter().cloned()).collect();
            let flags = chosen.iter().flat_map(|loaded| loaded.flags.iter().map(Arc::clone));
            FlagSet::new(flags, metadata_json(&metadata, &[]), version)
        };
        let mut by_selector = HashMap::new();
        by_selector.insert(Selector::NoSet, choose(&|loaded| loaded.set.is_none()));
        for one in &loaded {
            let source = Selector::Source(one.source.to_owned());
            by_selector.insert(source, choose(&|loaded| loaded.source == one.source));
            if let Some(set) = &one.set {
                let chosen = choose(&|loaded| loaded.set.as_ref() == Some(set));
                by_selector.insert(Selector::Set(set.clone()), chosen);
            }
        }
        let all = choose(&|_| true);
        let nothing = choose(&|_| false);
        (Definitions { all, by_selector, nothing }, problems)
    }

    /// Tells these documents from others, in 32 hexadecimal digits: a hash of their names and texts,
    /// and of what is laid over them.
    #[must_use]
    pub fn version(&self) -> String {
        self.all.version.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The flags that a client means; none if the selector names nothing.
    #[must_use]
    pub fn get(&self, selector: &Selector) -> &FlagSet {
        match selector {
            Selector::All => &self.all,
            Selector::Set(_) | Selector::NoSet | Selector::Source(_) => {
                self.by_selector.get(selector).unwrap_or(&self.nothing)
            }
        }
    }
}

fn load<'a>(source: &'a Source, problems: &mut Vec<Problem>) -> Loaded<'a> {
    let mut document = Document::read(source);
    problems.append(&mut document.problems);
    let mut loader = Loader {
        source: &source.name,
        bucketing: document.bucketing,
        metadata: &document.metadata,
        problems,
    };
    let flags: Vec<_> = document.flags.into_iter().map(|plain| loader.flag(plain)).collect();
    flags.iter().for_each(|flag| lint::look(flag, &source.name, problems));
    Loaded {
        source: &source.name,
        set: document.set,
        flags: flags.into_iter().map(Arc::new).collect(),
        metadata: document.metadata,
    }
}

/// Tells which flags of a set are defined more than once.
fn tell_conflicts(loaded: &[Loaded<'_>], problems: &mut Vec<Problem>) {
    let mut seen: HashMap<(Option<&str>, &str), &str, FastKeys> = HashMap::default();
    for document in loaded {
        for flag in &document.flags {
            let key = (document.set.as_deref(), &*flag.key);
            let Some(earlier) = seen.insert(key, document.source) else { continue };
            problems.push(Problem {
                source: document.source.to_owned(),
                place: flag.place,
                flag: Some(flag.key.to_string()),
                severity: Severity::Warning,
                rule: Rule::Conflict,
                message: format!("{earlier} defines this flag too; the one here counts"),
            });
        }
    }
}
