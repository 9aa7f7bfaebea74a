//! A snapshot of what is served: definitions ready for use, and what goes with them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use cutover_core::id::Environment;
use cutover_core::served_flags::{FlagProblem, FlagPublication};
use cutover_core::table::Generation;
use cutover_core::units::At;
use cutover_flags::ofrep::Compat;
use cutover_flags::{Definitions, Problem, Selector, Source};
use sha2::{Digest, Sha256};

use super::counts::{FlagCounts, MOST_FLAGS};
use super::events;
use super::origins::Origins;
use super::tokens::Tokens;

/// Problems that the state tells.
const MOST_PROBLEMS: usize = 100;

/// What is served for an environment.
#[derive(Debug)]
pub(crate) struct Served {
    pub(super) definitions: Definitions,
    pub(super) compat: Compat,
    pub(super) tokens: Tokens,
    pub(super) origins: Origins,
    /// The members of a bulk answer that say where changes are told.
    pub(super) event_streams: String,
    /// Tells the documents from others.
    pub(super) version: String,
    pub(super) generation: Generation,
    /// Tells the publication from others.
    pub(super) digest: [u8; 32],
    pub(super) listen: SocketAddr,
    pub(super) since: At,
    pub(super) flags: u32,
    pub(super) problems: Vec<FlagProblem>,
    /// Of the flags that are counted each for itself.
    pub(super) counts: HashMap<Box<str>, Arc<FlagCounts>>,
}

impl Served {
    /// Compiles a publication.
    ///
    /// # Errors
    /// Where it cannot be used as a whole: in words.
    pub(super) fn compile(
        environment: &Environment,
        publication: &FlagPublication,
        now: At,
        before: Option<&Served>,
    ) -> Result<Served, String> {
        let tokens = Tokens::read(environment, &publication.tokens)?;
        if tokens.is_empty() && !publication.listen.ip().is_loopback() {
            return Err(format!(
                "{} can be reached by others, so clients have to show a token, and none is set",
                publication.listen
            ));
        }
        let origins = Origins::read(&publication.origins)?;
        let source = |source: &cutover_core::served_flags::FlagSource| {
            let changes = source.changes.clone();
            Source { changes, ..Source::new(&source.name, &source.text) }
        };
        let sources: Vec<Source> = publication.sources.iter().map(source).collect();
        let (definitions, problems) = Definitions::load(&sources);
        if let Some(broken) = problems.iter().find(|problem| is_of_document(problem)) {
            return Err(broken.to_string());
        }
        let keys: Vec<&str> = definitions.get(&Selector::All).keys().collect();
        let own = keys.iter().take(MOST_FLAGS).map(|key| {
            let known = before.and_then(|before| before.counts.get(*key)).cloned();
            (Box::from(*key), known.unwrap_or_default())
        });
        let digest = digest(publication);
        let same = before.filter(|before| before.digest == digest);
        Ok(Served {
            counts: own.collect(),
            flags: u32::try_from(keys.len()).unwrap_or(u32::MAX),
            compat: Compat { empty_variant: publication.compat.empty_variant },
            event_streams: events::announcement(&tokens),
            tokens,
            origins,
            version: definitions.version(),
            generation: publication.generation,
            digest,
            listen: publication.listen,
            since: same.map_or(now, |before| before.since),
            problems: problems.iter().take(MOST_PROBLEMS).map(told).collect(),
            definitions,
        })
    }

    /// Do clients get other answers from this than from that?
    pub(super) fn differs(&self, other: &Served) -> bool {
        self.version != other.version || self.compat != other.compat
    }
}

/// Tells a publication from others, whatever its generation is.
pub(super) fn digest(publication: &FlagPublication) -> [u8; 32] {
    let FlagPublication { generation: _, listen, sources, tokens, origins, compat } = publication;
    let mut digest = Sha256::new();
    let mut put = |part: &str| {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    };
    put(&listen.to_string());
    put(&format!("{compat:?}"));
    for list in [tokens, origins] {
        put(&list.len().to_string());
        list.iter().for_each(|text| put(text));
    }
    for source in sources {
        put(&source.name);
        put(&source.text);
        if let Some(changes) = &source.changes {
            put("changed");
            put(changes);
        }
    }
    digest.finalize().into()
}

fn is_of_document(problem: &Problem) -> bool {
    problem.is_error() && problem.flag.is_none()
}

fn told(problem: &Problem) -> FlagProblem {
    FlagProblem { error: problem.is_error(), text: problem.to_string() }
}
