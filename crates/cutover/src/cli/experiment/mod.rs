//! `cutover experiment`: what two groups of users get, and how it ends.

mod flag;

use clap::ValueEnum;
use cutover_core::record::Keep;
use cutover_engine::api::{Action, StageComparison};
use serde_json::json;

use super::Session;
use super::action::{act, say};
use super::deploy::Following;
use crate::failure::{Done, exit};
use crate::render;
use crate::rollout::{Interrupts, Watch};

/// Look at an experiment, or end it.
///
/// `a` is the old version, `b` the new one. Shadows, flag ramps and canary steps are compared in the
/// same way: `report` shows them, too.
///
/// Example: cutover experiment conclude --keep b
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// What both sides are like: now, and in stages that are over. With `--flag`: what users of a
    /// flag's variants did.
    ///
    /// Example: cutover experiment report --flag new-checkout --outcome paid --env production
    Report {
        /// How many stages.
        #[arg(short = 'n', long, default_value_t = 1, value_name = "N", conflicts_with = "flag")]
        most: usize,
        #[command(flatten)]
        of: flag::OfFlag,
    },
    /// End the experiment: keep the old version (a), or give everybody the new one (b).
    Conclude {
        /// Which one.
        #[arg(long, value_enum)]
        keep: Kept,
        #[command(flatten)]
        following: Following,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kept {
    /// The old version.
    A,
    /// The new version.
    B,
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        match self.what {
            What::Report { most, mut of } => match of.flag.take() {
                Some(flag) => of.report(flag, session).await,
                None => report(session, most).await,
            },
            What::Conclude { keep, following } => conclude(session, keep, following).await,
        }
    }
}

async fn report(session: &Session, most: usize) -> Done {
    let client = session.client().await?;
    let app = session.known(&client).await?;
    let path = format!("/v1/apps/{}/comparisons?most={most}", app.subject);
    let stages: Vec<StageComparison> = client.get(&path).await?;
    if session.common.json {
        session.print_json(&json!({ "comparisons": stages }))?;
    } else {
        session.print(&render::comparisons(&stages))?;
    }
    Ok(exit::OK)
}

async fn conclude(session: &Session, keep: Kept, following: Following) -> Done {
    let client = session.client().await?;
    let app = session.known(&client).await?;
    let keep = match keep {
        Kept::A => Keep::A,
        Kept::B => Keep::B,
    };
    let interrupts = Interrupts::watch()?;
    let acted = act(&client, &app.subject, Action::Conclude { keep }).await?;
    match (acted.rollout, &app.rollout) {
        (Some(number), Some(rollout)) => {
            let from = app.live.as_ref();
            let watch = Watch::joined(app.subject, number, acted.cursor, from, &rollout.to);
            following.see_through(session, watch, interrupts).await
        }
        _ => say(session, &acted, &format!("{}: the experiment is over", app.subject)),
    }
}
