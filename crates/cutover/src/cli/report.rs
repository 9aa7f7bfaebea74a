//! `cutover report`

use cutover_core::kpi::Report;
use serde_json::json;

use super::Session;
use super::since::Since;
use crate::failure::{Done, Failure, exit};
use crate::render;

/// Report on past rollouts: success rate, times and failed requests, against their targets.
///
/// Of all apps, or of those that --app and --env name. What exactly is counted stands below the
/// table.
///
/// Example: cutover report --since 30d
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Rollouts that ended since: a span like 30d, or a time like 2026-11-01 (UTC).
    #[arg(long, value_name = "WHEN", default_value = "30d")]
    since: Since,
    /// End with exit code 4 if a target is missed, in the sum, by an app or by a pattern.
    #[arg(long)]
    check: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        let client = session.client().await?;
        let since = self.since.before(render::now()).0;
        let mut path = format!("/v1/report?since={since}");
        if session.common.app.is_some() {
            let named = session.named()?;
            path.extend(named.map(|subject| format!("&subject={subject}")));
        } else if let Some(env) = &session.common.env {
            path.push_str(&format!("&env={env}"));
        }
        let report: Report = client.get(&path).await?;
        if session.common.json {
            session.print_json(&json!({"report": report, "missed": report.misses()}))?;
        } else {
            session.print(&render::report(&report))?;
        }
        if self.check && report.misses() {
            let mut failure = Failure::new(exit::PREFLIGHT, "a target is missed")
                .help("cutover history lists the rollouts");
            failure.reported = true;
            return Err(failure);
        }
        Ok(exit::OK)
    }
}
