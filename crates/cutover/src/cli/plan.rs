//! `cutover plan`

use cutover_core::id::Version;
use cutover_core::{diagram, print};
use cutover_engine::api::{Conflict, PlanAnswer};

use super::Session;
use super::deploy::{self, Overrides};
use super::foresight::foresee;
use crate::failure::Done;
use crate::render;

/// Show what `deploy` would do; nothing is changed.
///
/// Below the plan: what each verdict can find out with the requests of the last ten minutes, and how
/// fast. `judge power` says more.
///
/// Example: cutover plan v2 --pattern canary --diagram
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The version that would be released.
    version: Version,
    #[command(flatten)]
    overrides: Overrides,
    /// Draw it: instances and share of traffic over the stages.
    #[arg(long)]
    diagram: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        let request = deploy::request(session, self.version, &self.overrides, Conflict::Refuse)?;
        let client = session.client().await?;
        let answer: PlanAnswer = client.post("/v1/plan", &request).await?;
        let live = answer.from.as_ref().map(|from| from.id);
        let seen = foresee(&client, &request.subject, live, &answer.plan).await;
        if session.common.json {
            session.print_json(&render::plan_json(&answer, seen.as_ref())?)?;
            return Ok(0);
        }
        let PlanAnswer { from, to, n, plan, scaled } = &answer;
        let text = match self.diagram {
            true => diagram::draw(plan, *n, from.as_ref(), to),
            false => print::plan(plan, *n, from.as_ref(), to),
        };
        session.print(&text)?;
        for line in seen.iter().flat_map(render::outlook) {
            session.print(&line)?;
        }
        if *scaled {
            session.note(&format!(
                "n is {n} by `cutover scale`, the spec says {}",
                request.spec.instances
            ));
        }
        Ok(0)
    }
}
