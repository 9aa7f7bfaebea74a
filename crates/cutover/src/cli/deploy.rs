//! `cutover deploy`

use std::collections::BTreeMap;

use cutover_core::id::Version;
use cutover_core::patterns::Pattern;
use cutover_core::plan::OnFailure;
use cutover_core::units::{Count, Span};
use cutover_engine::api::{Conflict, DeployRequest};

use super::Session;
use super::spec_file::{Setting, SpecFile};
use crate::failure::{Done, Failure};
use crate::rollout::{self, Interrupts, Watch};

/// Release a version, and see it through.
///
/// Reads cutover.yaml, begins the rollout and follows it to its end. Ctrl-C turns it back; a second
/// one leaves it to the daemon.
///
/// Example: cutover deploy v2 --pattern canary
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The version, as it stands for {version} in the spec.
    version: Version,
    #[command(flatten)]
    overrides: Overrides,
    /// Wait until a rollout that holds the app has ended.
    #[arg(long, conflicts_with = "supersede")]
    wait: bool,
    /// Take over from a rollout that holds the app.
    #[arg(long)]
    supersede: bool,
    #[command(flatten)]
    following: Following,
    /// Why, for `history` and whoever is asked about it later.
    #[arg(short, long, value_name = "WHY")]
    message: Option<String>,
}

/// Settings of the spec that the command line overrides.
#[derive(Debug, Default, Clone, clap::Args)]
pub(super) struct Overrides {
    /// The pattern, instead of the spec's.
    #[arg(short, long, value_parser = super::pattern::parse, value_name = "PATTERN")]
    pub(super) pattern: Option<Pattern>,
    /// Instances replaced at a time, by rolling.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) batch: Option<Count>,
    /// Turn back by itself unless `cutover confirm` comes within this time, once everybody gets the
    /// new version.
    #[arg(long, value_name = "SPAN")]
    pub(super) confirm: Option<Span>,
    /// What a bad version leads to, instead of the spec's.
    #[arg(long, value_name = "WHAT", value_parser = on_failure)]
    pub(super) on_failure: Option<OnFailure>,
    /// Any setting of the spec, by its keys: --set patterns.rolling.pause=5s (repeatable).
    #[arg(long, value_name = "KEY.PATH=VALUE")]
    pub(super) set: Vec<Setting>,
}

fn on_failure(text: &str) -> Result<OnFailure, String> {
    match text {
        "rollback" => Ok(OnFailure::Rollback),
        "hold" => Ok(OnFailure::Hold),
        _ => Err("write rollback or hold".into()),
    }
}

/// How a rollout is followed.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Following {
    /// Begin the rollout and do not wait for its end.
    #[arg(short, long)]
    detach: bool,
    /// Wait no longer than this; the rollout goes on then (exit code 9).
    #[arg(long, value_name = "SPAN", conflicts_with = "detach")]
    timeout: Option<Span>,
}

impl Following {
    /// Follows a rollout to its end, or as long as asked.
    pub(super) async fn see_through(
        &self,
        session: &Session,
        watch: Watch,
        interrupts: Interrupts,
    ) -> Done {
        let timeout = self.timeout.map(|span| span.0);
        match self.detach {
            true => rollout::detached(session, &watch),
            false => rollout::see_through(session, watch, timeout, interrupts).await,
        }
    }
}

/// The request that a version, the spec found here and the command line make.
pub(super) fn request(
    session: &Session,
    version: Version,
    overrides: &Overrides,
    conflict: Conflict,
) -> Result<DeployRequest, Failure> {
    let SpecFile { mut spec, base, subject, .. } =
        SpecFile::require(&session.common, &overrides.set)?;
    if let Some(pattern) = overrides.pattern {
        spec.pattern = pattern;
    }
    if let Some(batch) = overrides.batch {
        spec.patterns.rolling.batch = batch;
    }
    if let Some(on_failure) = overrides.on_failure {
        spec.on_failure = on_failure;
    }
    let mut passed = BTreeMap::new();
    for name in &spec.release.pass {
        let value = std::env::var(name).map_err(|error| {
            Failure::usage(format!("the spec passes {name}, and it cannot be read: {error}"))
                .help(format!("export {name}=…, or take it out of release.pass"))
        })?;
        passed.insert(name.clone(), value);
    }
    let confirm = overrides.confirm;
    Ok(DeployRequest { subject, version, spec, base, passed, conflict, confirm, message: None })
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        let conflict = match (self.wait, self.supersede) {
            (true, _) => Conflict::Wait,
            (_, true) => Conflict::Supersede,
            (false, false) => Conflict::Refuse,
        };
        let mut request = request(session, self.version, &self.overrides, conflict)?;
        request.message = self.message;
        let client = session.client().await?;
        let mut interrupts = Interrupts::watch()?;
        let asked = async {
            match request.conflict {
                Conflict::Wait => client.post_and_wait("/v1/deploy", &request).await,
                Conflict::Refuse | Conflict::Supersede => client.post("/v1/deploy", &request).await,
            }
        };
        let accepted = interrupts.or(asked).await?;
        let watch = Watch::of(request.subject, accepted);
        self.following.see_through(session, watch, interrupts).await
    }
}
