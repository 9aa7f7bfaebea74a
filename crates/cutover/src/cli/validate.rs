//! `cutover validate`

use serde_json::json;

use super::Session;
use super::spec_file::{Setting, SpecFile};
use crate::failure::Done;

/// Check cutover.yaml without the daemon.
///
/// Everything that is wrong is told in one run, each problem with file, line and column.
///
/// Example: cutover validate --env production
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Any setting of the spec, by its keys: --set patterns.rolling.pause=5s (repeatable).
    #[arg(long, value_name = "KEY.PATH=VALUE")]
    set: Vec<Setting>,
}

impl Args {
    pub(super) fn run(self, session: &Session) -> Done {
        let file = SpecFile::require(&session.common, &self.set)?;
        if session.common.json {
            session.print_json(&json!({"valid": true, "app": file.subject, "spec": file.spec}))?;
        } else {
            let pattern = file.spec.pattern;
            let n = file.spec.instances;
            session.print(&format!("{} is valid: {}, {n} × {pattern}", file.name, file.subject))?;
        }
        Ok(0)
    }
}
