//! A release: one version of an app, immutable.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{ReleaseId, Version};
use crate::spec::Spec;
use crate::units::At;

/// One version of an app with everything it needs to run again: stored 0600, never shown whole.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// Its number within the subject.
    pub id: ReleaseId,
    /// The version its makers gave it.
    pub version: Version,
    /// 1 for the first spec this version came with, 2 for the next.
    pub ordinal: u32,
    /// SHA-256 of the resolved spec and passed environment, in hex: what makes releases equal.
    pub digest: String,
    /// The resolved spec.
    pub spec: Spec,
    /// The folder that relative paths of the spec start from.
    pub base: PathBuf,
    /// Values of the variables named by `pass`.
    pub passed: BTreeMap<String, String>,
    /// Keyed digest (HMAC) of each secret when the release was made.
    pub secrets: BTreeMap<String, String>,
    /// When it was made.
    pub made: At,
}

impl Release {
    /// What people see of it.
    #[must_use]
    pub fn name(&self) -> ReleaseName {
        ReleaseName { id: self.id, version: self.version.clone(), ordinal: self.ordinal }
    }
}

/// Values may be confidential, so only names are shown.
impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Release")
            .field("id", &self.id)
            .field("version", &self.version)
            .field("ordinal", &self.ordinal)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// What people see of a release: `v1`, or `v1 (2)` for the second spec under that version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseName {
    /// Its number within the subject.
    pub id: ReleaseId,
    /// Its version.
    pub version: Version,
    /// Which spec under this version.
    pub ordinal: u32,
}

impl ReleaseName {
    /// What people call one of its instances: `v1.0`, `v1(2).0`.
    #[must_use]
    pub fn instance(&self, slot: u32) -> String {
        match self.ordinal {
            0 | 1 => format!("{}.{slot}", self.version),
            more => format!("{}({more}).{slot}", self.version),
        }
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ordinal {
            0 | 1 => f.pad(self.version.as_str()),
            more => f.pad(&format!("{} ({more})", self.version)),
        }
    }
}
