//! What the verdicts of a plan can find out with the traffic of now.

use cutover_core::id::{ReleaseId, Subject};
use cutover_core::plan::Plan;
use cutover_engine::judge_settings;

use crate::client::Client;
use crate::failure::Failure;
use crate::judge::{Foreseen, Measured, Outlook, Wait};

/// Looks at a plan with what the proxy counted of late; `None` where no verdict is waited for.
pub(super) async fn foresee(
    client: &Client,
    subject: &Subject,
    live: Option<ReleaseId>,
    plan: &Plan,
) -> Option<Foreseen> {
    let waits = Wait::all(plan);
    if waits.is_empty() {
        return None;
    }
    let measured = Measured::of(client, subject, live).await;
    let measured = measured.map_err(|error| Failure::from(error).message.clone());
    Some(of(plan, waits, measured))
}

fn of(plan: &Plan, waits: Vec<Wait>, measured: Result<Measured, String>) -> Foreseen {
    let settings = plan.against.as_ref().map(|against| judge_settings(plan, against));
    let (rate, errors) = measured.as_ref().map_or((0.0, 0.0), |seen| (seen.rate, seen.errors));
    let look = |wait: Wait| {
        let outlook = wait.outlook(settings.as_ref(), rate, errors);
        (wait, outlook)
    };
    let gates: Vec<(Wait, Outlook)> = waits.into_iter().map(look).collect();
    let broken = measured.as_ref().ok().and_then(|seen| broken(plan, seen));
    Foreseen { measured, gates, broken }
}

/// What the live release does already that the guard would turn any release back for.
fn broken(plan: &Plan, seen: &Measured) -> Option<String> {
    let guard = plan.guard.filter(|_| seen.rate > 0.0)?;
    let most = f64::from(guard.errors.permille()) / 1000.0;
    if seen.errors > most {
        let share = format!("{:.2}%", seen.errors * 100.0);
        return Some(format!("errors are {share} now, the bound is {}", guard.errors));
    }
    let (p99, most) = seen.p99.zip(guard.p99)?;
    (p99 > most.0).then(|| format!("p99 is {} ms now, the bound is {most}", p99.as_millis()))
}
