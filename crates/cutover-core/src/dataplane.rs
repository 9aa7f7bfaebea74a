//! What engine and data plane say to each other: frontends, tables, states, measurements.
//!
//! The data plane serves these as JSON over HTTP on its Unix socket:
//!
//! | call | body → answer |
//! |---|---|
//! | `POST /v1/hello` | [`Hello`] → [`DataPlaneState`]; older epochs are refused from now on |
//! | `PUT /v1/apps/{subject}` | [`Publication`] → [`AppState`], once the table is in force and stored |
//! | `DELETE /v1/apps/{subject}?epoch=N` | → 204, once its listeners are given back |
//! | `GET /v1/state` | → [`DataPlaneState`] |
//! | `GET /v1/apps/{subject}/seconds?after=CURSOR` | → [`Seconds`] |
//!
//! Errors are [`Refusal`] with status 409 (older epoch or generation), 422 (cannot do it, such as a
//! port that is taken) or 400.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::comparison::Copies;
use crate::id::{FlagKey, InstanceId, ReleaseId, Subject};
use crate::plan::Sticky;
use crate::sample::{Latencies, Sample};
use crate::table::{Generation, Table};
use crate::units::Span;

/// What users see while nobody serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WhileDown {
    /// Their requests wait, bounded in count and time, and are then answered.
    #[default]
    Hold,
    /// A 503 page with `Retry-After`.
    Notice,
}

/// How users reach an app: settings of the data plane that no rollout stage changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Frontend {
    /// Where users connect.
    pub listen: SocketAddr,
    /// Where the preview is reached; port 0 lets the system choose, the state tells which.
    pub preview: SocketAddr,
    /// Only requests for this host, if several apps share the listener.
    #[serde(default)]
    pub host: Option<String>,
    /// Only requests below this path prefix, likewise.
    #[serde(default)]
    pub path: Option<String>,
    /// What users see while nobody serves.
    #[serde(default)]
    pub while_down: WhileDown,
    /// The longest a request is held.
    pub hold_limit: Span,
    /// The most requests held at one time; those beyond get 503 with `Retry-After`.
    pub hold_most: u32,
    /// How long upgraded connections to an instance that left the table live on; spread over it
    /// they are closed (WebSockets with 1001).
    pub drain_upgraded: Span,
    /// How long ordinary requests to an instance that left the table live on; then they are cut.
    pub drain_requests: Span,
    /// Which requests are copied, and how answers are compared, while there is a mirror.
    #[serde(default)]
    pub mirror: Mirror,
    /// Who a user is to the flags.
    #[serde(default)]
    pub identity: Sticky,
}

/// Which requests are copied, and how answers are compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mirror {
    /// Requests with these methods.
    pub methods: Vec<String>,
    /// Compare the bodies of the answers by their digest.
    pub compare_body: bool,
    /// Requests with a larger body are not copied, in bytes.
    pub most_body: u32,
}

/// A new table for one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Publication {
    /// Newer than the one in force, or equal with the same content (a repeat).
    pub generation: Generation,
    /// How users reach the app.
    pub frontend: Frontend,
    /// Where requests go.
    pub table: Table,
}

/// An engine start announces itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hello {
    /// The number of this engine start.
    pub epoch: u32,
}

/// All the data plane is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DataPlaneState {
    /// Process id of the proxy.
    pub pid: u32,
    /// The oldest engine start it still obeys.
    pub epoch: u32,
    /// Each app.
    pub apps: BTreeMap<Subject, AppState>,
}

/// What is in force for one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppState {
    /// Generation of the table in force.
    pub generation: Generation,
    /// The table in force.
    pub table: Table,
    /// The frontend in force.
    pub frontend: Frontend,
    /// Where the preview really listens, while there is one.
    pub preview: Option<SocketAddr>,
    /// Requests now held.
    pub held: u32,
    /// Requests and connections now inside each instance; instances with none may be missing.
    pub in_flight: BTreeMap<InstanceId, InFlight>,
}

/// What is inside one instance now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InFlight {
    /// Ordinary requests.
    pub requests: u32,
    /// Upgraded connections.
    pub upgraded: u32,
}

/// Monotone counters since the proxy process started.
///
/// *failed*: no complete answer, or a 5xx that the app did not send. *errors*: the app's own 5xx.
/// *lost*: inside a process that died by itself. *drained*: finished after the instance left the
/// table. *cut*: ended by the drain limit. *held*: waited for a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Counters {
    /// Requests that ended, however they ended.
    pub requests: u64,
    /// Answered 5xx by the app.
    pub errors: u64,
    /// Without a complete answer, or a 5xx of the proxy's own.
    pub failed: u64,
    /// Lost inside an instance that died; not counted as failed.
    pub lost: u64,
    /// Ended well after their instance had left the table.
    pub drained: u64,
    /// Ended by the drain limit.
    pub cut: u64,
    /// Waited for a server before they were dealt.
    pub held: u64,
    /// Sent a second time to another instance, no byte having reached the first.
    pub retried: u64,
}

impl Counters {
    /// Requests that got no good answer: 5xx, none at all, or lost with their instance.
    #[must_use]
    pub fn bad(&self) -> u64 {
        self.errors + self.failed + self.lost
    }
    /// Adds another count to this one.
    pub fn add(&mut self, other: &Counters) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.failed += other.failed;
        self.lost += other.lost;
        self.drained += other.drained;
        self.cut += other.cut;
        self.held += other.held;
        self.retried += other.retried;
    }
}

/// One-second counts after a cursor; reading never resets anything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Seconds {
    /// Changes whenever the proxy process starts again; counts before are gone then.
    pub epoch: u64,
    /// Pass this as `after` next time.
    pub cursor: u64,
    /// True when seconds between the cursor asked for and the first one here were forgotten.
    pub gap: bool,
    /// The seconds, oldest first; at most 600 are kept. Only finished seconds are here.
    pub seconds: Vec<Second>,
    /// The second that is not over yet, as far as it is.
    #[serde(default)]
    pub open: Option<Second>,
}

/// What ended within one second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Second {
    /// Its number, increasing by one.
    pub number: u64,
    /// Per release. Requests that no release got (held too long, no server) are under `none`.
    pub releases: BTreeMap<ReleaseId, Measured>,
    /// Requests that no release got.
    pub none: Counters,
    /// By flag, for flags that are on for some users and not for all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<FlagKey, BySide>,
    /// What became of copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<Box<Copies>>,
}

/// Requests of users with a flag on, and of those with it off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BySide {
    /// On.
    pub on: Sample,
    /// Off.
    pub off: Sample,
}

/// Counts and latencies of one release within one second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Counts per instance.
    pub instances: BTreeMap<InstanceId, Counters>,
    /// Latency to the end of the answer. Buckets are those of a hdrhistogram with two significant
    /// digits.
    pub latency: Latencies,
}

impl Measured {
    /// All instances together.
    #[must_use]
    pub fn sample(&self) -> Sample {
        let mut sample = Sample { latency: self.latency.clone(), ..Sample::default() };
        self.instances.values().for_each(|counters| sample.counts.add(counters));
        sample
    }
}

/// The data plane will not, or cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// Why, for a person.
    pub reason: String,
    /// The port that is taken, if that is why.
    #[serde(default)]
    pub taken: Option<SocketAddr>,
}
