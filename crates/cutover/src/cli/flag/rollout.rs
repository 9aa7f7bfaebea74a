//! `cutover flag ramp`, `kill` and `restore` of a flag of an app

use cutover_core::id::FlagKey;
use cutover_core::print;
use cutover_engine::api::{Accepted, Acted, Action, RampRequest};

use super::change::{Common, Ramp};
use crate::cli::Session;
use crate::cli::action::{act, say};
use crate::failure::{Done, Failure, exit};
use crate::rollout::{Interrupts, Watch};

fn key(text: &str) -> Result<FlagKey, Failure> {
    text.parse().map_err(|error: cutover_core::id::InvalidName| Failure::usage(error.to_string()))
}

/// A rollout on the live release that only changes the flag.
pub(super) async fn ramp(session: &Session, flag: &str, asked: Ramp) -> Done {
    let flag = key(flag)?;
    let client = session.client().await?;
    let subject = session.known(&client).await?.subject;
    let Ramp { to, steps, judge, bake, following, common, .. } = asked;
    let request = RampRequest {
        subject,
        flag: flag.clone(),
        to,
        steps,
        bake,
        judge,
        message: common.reason,
        dry_run: common.dry_run,
    };
    let mut interrupts = Interrupts::watch()?;
    let accepted: Accepted = interrupts.or(client.post("/v1/ramp", &request)).await?;
    match &accepted {
        Accepted::Begun { .. } if !request.dry_run => {}
        Accepted::NothingToDo { .. } => {
            if session.common.json {
                session.print_json(&accepted)?;
            } else {
                session.print(&format!("flag {flag} is on for {to} already: nothing to do"))?;
            }
            return Ok(exit::OK);
        }
        Accepted::Begun { from, to, plan, n, warnings, .. } => {
            if session.common.json {
                session.print_json(&accepted)?;
                return Ok(exit::OK);
            }
            session.print(&print::plan(plan, *n, from.as_ref(), to))?;
            for warning in warnings {
                session.note(&format!("warning: {warning}"));
            }
            session.note("nothing was changed (--dry-run)");
            return Ok(exit::OK);
        }
    }
    following.see_through(session, Watch::of(request.subject, accepted), interrupts).await
}

/// Off for everybody in the next table.
pub(super) async fn kill(session: &Session, flag: &str, common: Common) -> Done {
    let flag = key(flag)?;
    let action = Action::KillFlag { flag: flag.clone(), reason: common.reason };
    done(session, common.dry_run, action, &format!("flag {flag} is killed")).await
}

/// As it was at rest.
pub(super) async fn restore(session: &Session, flag: &str, common: Common) -> Done {
    let flag = key(flag)?;
    let action = Action::RestoreFlag { flag: flag.clone(), reason: common.reason };
    done(session, common.dry_run, action, &format!("flag {flag} is no longer killed")).await
}

async fn done(session: &Session, dry_run: bool, action: Action, text: &str) -> Done {
    let client = session.client().await?;
    let app = session.known(&client).await?;
    if dry_run {
        return Err(Failure::usage("who changes side is not known of a flag of an app")
            .unchanged("nothing was changed")
            .help("leave out --dry-run; `cutover status` shows the share that it is on for"));
    }
    let acted: Acted = act(&client, &app.subject, action).await?;
    say(session, &acted, &format!("{} {text}", app.subject))
}
