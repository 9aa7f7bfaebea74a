//! The ports of the engine: what it needs from a platform, a data plane, metrics of one's own,
//! hooks, and a clock. The journal is one, too: [`Journal`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cutover_core::dataplane::{AppState, DataPlaneState, Publication, Seconds};
use cutover_core::id::{InstanceId, MetricName, ReleaseId, Subject};
use cutover_core::metric::Reading;
use cutover_core::observed::State;
use cutover_core::release::{Release, ReleaseName};
use cutover_core::spec::{Hook, Metric, Spec};
use cutover_core::units::At;

use serde::{Deserialize, Serialize};

use crate::clock::Stamp;
use crate::journal::Journal;

/// One instance as its platform sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it is in its life.
    pub state: State,
    /// Since when: the last start or exit for what is not ready, else the last change.
    pub since: At,
    /// Where it listens; `None` for workers and before the first start.
    pub address: Option<SocketAddr>,
    /// Times of the last exits by itself (at most 16), oldest first; they survive a restart of the
    /// engine.
    pub exits: Vec<At>,
    /// Why it is not ready, in one line: last probe, exit code, or "starting".
    pub detail: Option<String>,
}

/// A platform that cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct PlatformError {
    /// What failed and why, for a person.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The cause below.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl PlatformError {
    /// An error with nothing but a message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> PlatformError {
        PlatformError { message: message.into(), help: None, source: None }
    }
}

/// What is kept of instances that do not exist any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepLeft {
    /// What instances of these releases left ...
    pub releases: BTreeSet<ReleaseId>,
    /// ... until it is so old.
    pub logs: Duration,
}

/// What an instance that does not exist any more left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Which instance.
    pub instance: InstanceId,
    /// How large it is.
    pub bytes: u64,
}

/// Where instances run.
pub trait Platform: Send + Sync + 'static {
    /// Checks that `release` can run `n` instances here, without changing anything: the command is
    /// there, the folder is, secrets can be read. One entry per thing that is wrong.
    fn preflight(
        &self,
        subject: &Subject,
        release: &Release,
    ) -> impl Future<Output = Result<(), PlatformError>> + Send;

    /// Brings what the release needs to the machine (an image), before anything is stopped.
    fn prepare(
        &self,
        subject: &Subject,
        release: &Release,
    ) -> impl Future<Output = Result<(), PlatformError>> + Send;

    /// Every instance of the subject that exists, stopping ones included.
    fn observe(
        &self,
        subject: &Subject,
        now: At,
    ) -> impl Future<Output = Result<BTreeMap<InstanceId, Seen>, PlatformError>> + Send;

    /// Makes exactly these instances exist: starts what is missing, starts again in place what has
    /// exited (after 1, 2, 4 … 60 s), stops all others (TERM, then KILL after `drain.stop`).
    /// Returns when `observe` shows it accepted, not when it is done. Calling it again with the
    /// same set is free.
    fn converge(
        &self,
        subject: &Subject,
        wanted: &BTreeMap<InstanceId, Arc<Release>>,
        now: At,
    ) -> impl Future<Output = Result<(), PlatformError>> + Send;

    /// The last `lines` lines of an instance's output, oldest first, known secrets scrubbed.
    fn logs(
        &self,
        subject: &Subject,
        instance: InstanceId,
        lines: usize,
    ) -> impl Future<Output = Result<Vec<String>, PlatformError>> + Send;

    /// What instances that do not exist any more left behind and nobody needs; removes it unless
    /// `dry_run`. Of what exists nothing is touched.
    fn prune(
        &self,
        subject: &Subject,
        keep: &KeepLeft,
        dry_run: bool,
    ) -> impl Future<Output = Result<Vec<Left>, PlatformError>> + Send;

    /// Returns when something of this subject may have changed since the last call.
    fn changed(&self, subject: &Subject) -> impl Future<Output = ()> + Send;
}

/// A data plane that does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DataPlaneError {
    /// It cannot be reached; asking again may help.
    #[error("the proxy does not answer")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It refused.
    #[error(transparent)]
    Refused(#[from] cutover_core::dataplane::Refusal),
}

/// Where requests are routed.
pub trait DataPlane: Send + Sync + 'static {
    /// Makes sure that it runs, and that it refuses engines older than `epoch` from now on.
    fn hello(
        &self,
        epoch: u32,
    ) -> impl Future<Output = Result<DataPlaneState, DataPlaneError>> + Send;

    /// Everything in force.
    fn state(&self) -> impl Future<Output = Result<DataPlaneState, DataPlaneError>> + Send;

    /// Brings a table into force and returns what then is.
    fn publish(
        &self,
        subject: &Subject,
        publication: &Publication,
    ) -> impl Future<Output = Result<AppState, DataPlaneError>> + Send;

    /// Takes an app out; its listeners are closed.
    fn remove(
        &self,
        subject: &Subject,
        epoch: u32,
    ) -> impl Future<Output = Result<(), DataPlaneError>> + Send;

    /// Counts per second after a cursor.
    fn seconds(
        &self,
        subject: &Subject,
        after: u64,
    ) -> impl Future<Output = Result<Seconds, DataPlaneError>> + Send;

    /// Checks that users of this spec can be listened for, without changing anything.
    fn preflight(
        &self,
        subject: &Subject,
        spec: &Spec,
    ) -> impl Future<Output = Result<(), PlatformError>> + Send;
}

/// The two releases that a metric is read of.
#[derive(Clone)]
pub struct Sides {
    /// Whose rollout it is.
    pub subject: Subject,
    /// The new release.
    pub candidate: ReleaseName,
    /// The old release; `None` for a first one. Without it there is nothing to count against.
    pub stable: Option<ReleaseName>,
    /// The folder of the spec: relative files and programs start from it.
    pub base: PathBuf,
    /// Values that no message may show, such as the candidate's secrets. A source adds its own.
    pub confidential: Vec<String>,
}

impl Sides {
    /// A text of the spec with `{version}`, `{release}` and `{app}` replaced by those of a release.
    #[must_use]
    pub fn fill(&self, text: &str, release: &ReleaseName) -> String {
        text.replace("{version}", release.version.as_str())
            .replace("{release}", &release.id.to_string())
            .replace("{app}", self.subject.app.as_str())
    }
}

/// Only how many confidential values there are is shown.
impl fmt::Debug for Sides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sides")
            .field("subject", &self.subject)
            .field("candidate", &self.candidate)
            .field("stable", &self.stable)
            .field("base", &self.base)
            .field("confidential", &self.confidential.len())
            .finish()
    }
}

/// What the source of a metric remembers from one look to the next; stored, so that an engine that
/// starts again goes on. One for each metric of each rollout, empty at first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// A digest of what was asked: another question makes the rest worthless.
    pub question: String,
    /// When the last look was that found something, in milliseconds of the source's own clock.
    pub looked: Option<u64>,
    /// The counters then.
    pub counters: BTreeMap<ReleaseId, BTreeMap<String, Instance>>,
    /// Has any series of bad requests been there yet, on either side?
    pub errors_seen: bool,
}

/// The counters of one instance, by what the source calls it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// When it was there last, in milliseconds of the source's own clock.
    pub seen: u64,
    /// The last value of each of its series, by a digest of its labels.
    pub series: BTreeMap<String, f64>,
}

/// A metric that could not be looked at. That proves nothing, so the rollout holds.
#[derive(Debug, thiserror::Error)]
#[error("metric {metric} cannot be read from {from}: {reason}; the rollout holds until it can")]
pub struct MetricError {
    /// Which metric.
    pub metric: MetricName,
    /// From where: a URL or a program.
    pub from: String,
    /// Why, in one line.
    pub reason: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Where metrics of one's own are read.
pub trait MetricSource: Send + Sync + 'static {
    /// Looks at a metric once, within its deadline. Counts are those since the last look that is in
    /// `memory`, also if that was long ago; the first look finds nothing. After an error `memory` is
    /// as it was, so that the next look tells what happened meanwhile.
    ///
    /// # Errors
    /// Where it cannot look: unreachable, refused, too slow, too large, no number. No data is not an
    /// error but [`Found::Nothing`](cutover_core::metric::Found::Nothing).
    fn read(
        &self,
        metric: &Metric,
        sides: &Sides,
        memory: &mut Memory,
    ) -> impl Future<Output = Result<Reading, MetricError>> + Send;
}

/// A hook of the spec that is due.
#[derive(Debug, Clone)]
pub struct Due {
    /// What to run or call, and by when.
    pub hook: Hook,
    /// The folder of the spec: a relative program starts from it.
    pub base: PathBuf,
    /// What happened: programs get each as a variable, calls as JSON.
    pub facts: Vec<(&'static str, String)>,
    /// Values that no output may show.
    pub confidential: Vec<String>,
}

/// How a hook ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookResult {
    /// With success?
    pub ok: bool,
    /// Status and the last lines of output.
    pub detail: String,
}

/// Where hooks are run.
pub trait Hooks: Send + Sync + 'static {
    /// Runs a hook to its end or its deadline. Dropping the future ends it.
    fn run(&self, due: Due) -> impl Future<Output = HookResult> + Send;
}

/// All that an engine works on.
pub trait World: Send + Sync + 'static {
    /// Where decisions are kept.
    type Journal: Journal;
    /// Where instances run.
    type Platform: Platform;
    /// Where requests are routed.
    type DataPlane: DataPlane;
    /// Where metrics of one's own are read.
    type Metrics: MetricSource;
    /// Where hooks are run.
    type Hooks: Hooks;
    /// What time it is.
    type Clock: Clock;
}

/// The world of one engine, but for its journal and its clock.
#[derive(Debug)]
pub struct Parts<W: World> {
    /// Where instances run.
    pub platform: W::Platform,
    /// Where requests are routed.
    pub dataplane: W::DataPlane,
    /// Where metrics of one's own are read.
    pub metrics: W::Metrics,
    /// Where hooks are run.
    pub hooks: W::Hooks,
}

/// Time as the engine knows it.
pub trait Clock: Send + Sync + 'static {
    /// Now; never runs backwards.
    fn now(&self) -> At;
    /// Now, as the journal writes it.
    fn stamp(&self) -> Stamp;
    /// Returns after a while.
    fn sleep(&self, span: Duration) -> impl Future<Output = ()> + Send;
}
