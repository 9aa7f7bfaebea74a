//! Metrics of one's own that the judge looks at, as written under `judge.metrics`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::MetricName;
use crate::units::Span;

/// One metric: exactly one of `prometheus`, `http` and `command`.
///
/// Counters are compared, candidate against stable. A value is held against `min` and `max`.
/// `{version}`, `{release}` (the release's number, like `r3`) and `{app}` are replaced in queries,
/// in the path of URLs and in commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Metric {
    /// Its name, unique within the spec.
    pub name: MetricName,
    /// From one look to the next, 1s to 10m.
    #[serde(default = "quarter_minute")]
    pub interval: Span,
    /// The longest one look may take.
    #[serde(default = "ten_seconds")]
    pub deadline: Span,
    /// Counters or a value from a Prometheus, or from what answers like one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<Prometheus>,
    /// A number in a JSON document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpValue>,
    /// Program and arguments; prints a number on its last line. Never passed through a shell. An
    /// exit code other than 0 means that it could not look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The lowest good value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The highest good value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// So many looks in a row out of bounds are bad, 1 to 100.
    #[serde(default = "three")]
    pub failures: u32,
    /// Without data from this metric there is no pass.
    #[serde(default = "yes")]
    pub required: bool,
}

fn quarter_minute() -> Span {
    Span::secs(15)
}
fn ten_seconds() -> Span {
    Span::secs(10)
}
fn three() -> u32 {
    3
}
fn yes() -> bool {
    true
}

impl Metric {
    /// Does it count (candidate against stable), or is it a value against bounds?
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.prometheus.as_ref().is_some_and(|prometheus| prometheus.value.is_none())
    }
    /// Does it count requests and errors?
    #[must_use]
    pub fn counts_errors(&self) -> bool {
        self.prometheus.as_ref().is_some_and(|prometheus| prometheus.errors.is_some())
    }
    /// Does it count latencies?
    #[must_use]
    pub fn counts_latency(&self) -> bool {
        self.prometheus.as_ref().is_some_and(|prometheus| prometheus.latency.is_some())
    }
}

/// Queries to a Prometheus: counters, or one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Prometheus {
    /// Where it is, without `/api/v1`; `http://` or `https://`.
    pub url: String,
    /// Counters of all requests of one release, a series for each instance. Not a rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<String>,
    /// Counters of its bad requests, with the same labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<String>,
    /// The `_bucket` series of a classic histogram, `le` in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<String>,
    /// A query with one result, in place of counters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// How to be let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Certificates, for `https://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// A number in a JSON document that a GET answers with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpValue {
    /// Where it is; `http://` or `https://`. Redirects are not followed.
    pub url: String,
    /// A JSON pointer (RFC 6901) to the number, like `/queue/depth`.
    pub value: String,
    /// How to be let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Certificates, for `https://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// How to be let in: exactly one of these. What is secret stands in files, which are relative to
/// the spec's folder and read again at each look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Auth {
    /// A header of one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    /// User and password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
    /// The file that holds a bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer_file: Option<PathBuf>,
}

/// A header whose value is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Header {
    /// Its name, like `X-Scope-OrgID`.
    pub name: String,
    /// The file that holds its value.
    pub file: PathBuf,
}

/// User and password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Basic {
    /// The user's name.
    pub user: String,
    /// The file that holds the password.
    pub password_file: PathBuf,
}

/// Certificates in PEM files, relative to the spec's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Tls {
    /// Trust these authorities, and not those of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Our own certificate, with what leads to its authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// The key of our own certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}
