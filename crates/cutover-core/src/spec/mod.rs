//! `cutover.yaml`: what an app is and how it is released.

mod check;
mod kayenta;
mod metrics;
mod parse;
mod problem;
mod reader;
mod required;
mod settings;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_problems;
mod told;
mod tolerance;
mod tree;
mod whereabouts;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use check::{problems, schema};
pub use kayenta::{Kayenta, SERIES};
pub use metrics::{Auth, Basic, Header, HttpValue, Metric, Prometheus, Tls};
pub use parse::{Source, parse};
pub use problem::{MOST as MOST_PROBLEMS, Problem};
pub use settings::{
    AbTesting, BigBang, BlueGreen, Canary, FeatureFlag, PatternSettings, Rolling, Shadow, StickyBy,
};

pub use tolerance::{Against, InvalidPoints, InvalidWorse, Points, Tolerance, Worse};

use crate::id::AppName;
use crate::patterns::Pattern;
use crate::plan::OnFailure;
use crate::units::{Count, Share, Span};

/// An app and how it is released: the whole of `cutover.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Spec {
    /// The app's name.
    pub app: AppName,
    /// Where instances run.
    #[serde(default)]
    pub platform: PlatformKind,
    /// How many instances serve. `cutover scale` overrides it until this value changes.
    #[serde(default = "one")]
    pub instances: Count,
    /// Where users reach the app. Without it the app is a worker: no proxy, and only big bang and
    /// rolling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Where a preview is reached; a free loopback port if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<SocketAddr>,
    /// Only requests for this host, if several apps share `listen`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Only requests below this path prefix, if several apps share `listen`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What one instance runs.
    pub release: ReleaseSpec,
    /// How to tell that an instance is ready. Without it a TCP connect has to succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// How instances are taken out of service.
    #[serde(default)]
    pub drain: Drain,
    /// The pattern used when none is asked for.
    #[serde(default)]
    pub pattern: Pattern,
    /// Settings of each pattern.
    #[serde(default)]
    pub patterns: PatternSettings,
    /// What turns a bad candidate back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<Judge>,
    /// Commands and calls at certain points.
    #[serde(default)]
    pub hooks: Hooks,
    /// What a bad candidate leads to.
    #[serde(default)]
    pub on_failure: OnFailure,
}

fn one() -> Count {
    1
}

/// Where instances run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlatformKind {
    /// Processes on this machine.
    #[default]
    Local,
    /// Containers.
    Docker,
    /// Pods.
    Kubernetes,
}

/// What one instance runs. `{version}` and `{port}` are replaced in `command` and `directory`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ReleaseSpec {
    /// Program and arguments; never passed through a shell.
    #[serde(default)]
    pub command: Vec<String>,
    /// A container image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The working directory, relative to the spec's folder.
    #[serde(default = "here")]
    pub directory: PathBuf,
    /// Environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Names of variables taken from the caller's environment and stored with the release.
    #[serde(default)]
    pub pass: Vec<String>,
    /// Secrets by name.
    #[serde(default)]
    pub secrets: BTreeMap<String, Secret>,
}

fn here() -> PathBuf {
    PathBuf::from(".")
}

/// Where a secret comes from. The app gets a file, and its path in `NAME_FILE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Secret {
    /// The file that holds it, relative to the spec's folder; read again at each start.
    pub file: PathBuf,
    /// How the app gets it.
    #[serde(default, rename = "as")]
    pub form: SecretForm,
}

/// How an app gets a secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecretForm {
    /// As a file whose path is in `NAME_FILE`.
    #[default]
    File,
    /// As the variable `NAME` itself, which other processes of the same user can read.
    Env,
}

/// When an instance is ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Health {
    /// The path that must answer 2xx; redirects are not followed and are not healthy.
    pub path: String,
    /// From one probe to the next, for the instance's whole life. While it starts, probes come
    /// faster.
    pub interval: Span,
    /// The longest a probe may take.
    pub timeout: Span,
    /// Good probes in a row until it is ready.
    pub healthy_after: u32,
    /// Bad probes in a row until it is no longer ready.
    pub unhealthy_after: u32,
    /// The longest from start to ready.
    pub deadline: Span,
    /// How long a release must stay healthy after the switch before it counts as good.
    pub settle: Span,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            path: "/health".to_owned(),
            interval: Span::secs(1),
            timeout: Span::secs(2),
            healthy_after: 2,
            unhealthy_after: 3,
            deadline: Span::secs(60),
            settle: Span::secs(10),
        }
    }
}

/// How instances are taken out of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Drain {
    /// The longest a request may still take after its instance left the route.
    pub requests: Span,
    /// The longest an upgraded connection (WebSocket) may still live, likewise.
    pub upgraded: Span,
    /// From the stop signal (TERM) to the end by force (KILL).
    pub stop: Span,
}

impl Default for Drain {
    fn default() -> Drain {
        Drain { requests: Span::secs(30), upgraded: Span::secs(30), stop: Span::secs(10) }
    }
}

/// What turns a bad candidate back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Judge {
    /// Absolute bounds.
    pub guard: Bounds,
    /// Compare the new release with the old one; without it only the bounds above judge.
    pub compare: bool,
    /// Bounds relative to the old release.
    pub tolerance: Tolerance,
    /// A release goes on once its error rate is shown to be less than this above the old one's,
    /// like `1pp`.
    pub not_worse_by: Points,
    /// How long the latencies of fresh instances are left out; half of the time in which a stage
    /// collects evidence if not given, a minute at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<Span>,
    /// Let Kayenta's judge compare, in place of `tolerance` and `not-worse-by`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kayenta: Option<Kayenta>,
    /// Fewer requests than this prove nothing.
    pub min_requests: u64,
    /// How long the rollout waits for a person when there is no verdict; then it turns back.
    pub hold_limit: Span,
    /// Metrics of one's own, beside what the proxy counts; at most 16.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
}

impl Default for Judge {
    fn default() -> Judge {
        Judge {
            guard: Bounds::default(),
            compare: true,
            tolerance: Tolerance::default(),
            not_worse_by: Points::ONE,
            warm_up: None,
            kayenta: None,
            min_requests: 100,
            hold_limit: Span::secs(24 * 3600),
            metrics: vec![],
        }
    }
}

/// Absolute bounds on the candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Bounds {
    /// Share of requests answered 5xx or not at all.
    pub errors: Share,
    /// Latency that 99 of 100 requests stay under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<Span>,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { errors: Share::from_permille(10), p99: None }
    }
}

/// The guard as a plan carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Guard {
    /// Highest share of requests answered 5xx or not at all.
    pub errors: Share,
    /// Highest 99th percentile of latency.
    pub p99: Option<Span>,
    /// Fewer requests than this prove nothing.
    pub min_requests: u64,
}

/// Commands and calls at certain points of a rollout.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Hooks {
    /// Once the first candidate instances are ready, before they get users' requests. A failure
    /// turns the rollout back.
    pub after_ready: Vec<Hook>,
    /// After a rollout that succeeded. A failure is only reported.
    pub after: Vec<Hook>,
    /// After a rollout that was turned back. A failure is only reported.
    pub on_failure: Vec<Hook>,
}

/// One hook: exactly one of `run` and `http`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Hook {
    /// Program and arguments; exit code 0 is success.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    /// A URL that gets a POST with what happened as JSON; 2xx is success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// The longest it may take.
    #[serde(default = "minute")]
    pub deadline: Span,
}

fn minute() -> Span {
    Span::secs(60)
}
