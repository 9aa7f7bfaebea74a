//! The queries of one look, put together into one.

use cutover_core::id::ReleaseId;
use cutover_core::release::ReleaseName;
use cutover_core::spec::Prometheus;
use cutover_engine::ports::Sides;

use super::super::unread::Unread;
use super::series::digest;

/// The label that tells in the answer which query a series is from.
pub(super) const PART: &str = "cutover_part";
/// The part that gives the time of Prometheus' clock.
pub(super) const NOW: &str = "now";

/// What a query counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counted {
    Requests,
    Errors,
    Latency,
}

impl Counted {
    /// Its key in the spec.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Counted::Requests => "requests",
            Counted::Errors => "errors",
            Counted::Latency => "latency",
        }
    }
}

/// One query for one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) release: ReleaseId,
    pub(super) counted: Counted,
    /// With everything filled in.
    pub(super) query: String,
}

impl Part {
    /// What its series are marked with.
    pub(super) fn mark(&self) -> String {
        format!("{} {}", self.release, self.counted.as_str())
    }
}

/// All that is asked at one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) parts: Vec<Part>,
    /// One query for all parts.
    pub(super) query: String,
    /// Tells it from others, however the releases are called.
    pub(super) digest: String,
}

impl Question {
    /// # Errors
    /// Where both sides would be asked the same.
    pub(super) fn new(
        source: &Prometheus,
        sides: &Sides,
        stable: &ReleaseName,
    ) -> Result<Question, Unread> {
        let Prometheus { url, requests, errors, latency, .. } = source;
        let queries =
            [(Counted::Requests, requests), (Counted::Errors, errors), (Counted::Latency, latency)];
        let mut parts = Vec::new();
        for (counted, query) in queries {
            let Some(query) = query else { continue };
            let of = |release: &ReleaseName| Part {
                release: release.id,
                counted,
                query: sides.fill(query, release),
            };
            let (new, old) = (of(&sides.candidate), of(stable));
            if new.query == old.query {
                return Err(same(counted, &sides.candidate, stable));
            }
            parts.extend([new, old]);
        }
        let query = together(&parts);
        let digest = digest(
            [Some(url), requests.as_ref(), errors.as_ref(), latency.as_ref()]
                .map(|text| format!("{text:?}")),
        );
        Ok(Question { parts, query, digest })
    }

    /// The part that a mark stands for.
    pub(super) fn part(&self, mark: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.mark() == mark)
    }
}

fn same(counted: Counted, candidate: &ReleaseName, stable: &ReleaseName) -> Unread {
    let reason = format!(
        "`{}` is the same query for {candidate} and {stable}, so it cannot tell them apart",
        counted.as_str()
    );
    Unread::new(reason).help(
        "both have the same version: give the app a label with the number of its release, and ask \
         for `{release}`",
    )
}

/// Every part, its series marked, and the time.
fn together(parts: &[Part]) -> String {
    // The line break ends a comment at the end of a query.
    let marked = |query: &str, mark: &str| {
        format!("label_replace(({query}\n), \"{PART}\", \"{mark}\", \"\", \"\")")
    };
    let all = parts.iter().map(|part| marked(&part.query, &part.mark()));
    let all: Vec<String> = all.chain([marked("vector(time())", NOW)]).collect();
    all.join(" or ")
}
