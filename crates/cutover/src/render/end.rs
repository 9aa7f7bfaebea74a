//! How a rollout ended, in words.

use std::time::Duration;

use cutover_core::dataplane::Counters;

use super::time::span;
use crate::failure::{Failure, exit};
use crate::rollout::{Ended, Summary};

/// `served 5031, failed 0`, and what else is not zero.
pub(super) fn counts(counts: &Counters) -> String {
    let mut text = format!("served {}, failed {}", counts.requests, counts.failed);
    let rest = [
        ("errors", counts.errors),
        ("lost", counts.lost),
        ("drained", counts.drained),
        ("cut", counts.cut),
        ("held", counts.held),
        ("retried", counts.retried),
    ];
    for (name, count) in rest.into_iter().filter(|(_, count)| *count > 0) {
        text.push_str(&format!(", {name} {count}"));
    }
    text
}

/// The one line that stdout carries; `None` where there is no result but a failure.
pub(crate) fn result(summary: &Summary) -> Option<String> {
    let subject = &summary.subject;
    let to = to(summary).unwrap_or_else(|| "it".to_owned());
    match summary.outcome {
        Ended::Succeeded | Ended::Observed if summary.exit_code == exit::OK => {
            let live = summary.live.as_deref().unwrap_or("nothing");
            let was = match &summary.from {
                Some(from) if *from != live => format!(" (was {from})"),
                Some(_) | None => String::new(),
            };
            let mut parts = Vec::new();
            parts.extend(summary.instances.map(|n| match n {
                1 => "1 instance".to_owned(),
                n => format!("{n} instances"),
            }));
            parts.extend(summary.seconds.map(seconds));
            parts.extend(summary.counts.as_ref().map(counts));
            parts.extend(down(summary));
            let what = match summary.outcome {
                Ended::Observed => format!("{live} stays live, {to} was observed"),
                _ => match &summary.ramp {
                    Some((flag, share)) => format!("flag {flag} is on for {share}"),
                    None => format!("{live} is live{was}"),
                },
            };
            Some(format!("{subject} {what}: {}", parts.join(", ")))
        }
        Ended::NothingToDo => Some(format!("{subject} {to} is live already: nothing to do")),
        Ended::Detached if summary.exit_code == exit::OK => Some(match summary.rollout {
            Some(number) => format!(
                "{subject} rollout #{number} to {to} goes on; watch it: cutover status --watch --app {subject}"
            ),
            None => format!("{subject} goes on"),
        }),
        Ended::Succeeded
        | Ended::Observed
        | Ended::Detached
        | Ended::RolledBack
        | Ended::RolledBackDegraded
        | Ended::Stuck
        | Ended::Superseded
        | Ended::TimedOut => None,
    }
}

/// What a rollout leads to.
fn to(summary: &Summary) -> Option<String> {
    let ramp = summary.ramp.as_ref().map(|(flag, _)| format!("flag {flag}"));
    ramp.or_else(|| summary.to.clone())
}

fn seconds(seconds: f64) -> String {
    span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

fn down(summary: &Summary) -> Option<String> {
    let down = summary.down_seconds.filter(|seconds| *seconds > 0.0)?;
    Some(format!("nobody served for {}", seconds(down)))
}

/// A rollout that did not end as asked: what happened, why, what is unchanged, what to do next.
pub(crate) fn failure(summary: &Summary) -> Failure {
    let subject = &summary.subject;
    let to = to(summary).unwrap_or_else(|| "the new version".to_owned());
    let interrupted = summary.exit_code == exit::INTERRUPTED;
    let prefix = if interrupted { "interrupted; " } else { "" };
    let said = |what: String| Failure::new(summary.exit_code, format!("{prefix}{what}"));
    let goes_on = |failure: Failure| {
        failure
            .help(format!("attach again: cutover status --watch --app {subject}"))
            .help(format!("turn it back: cutover abort --app {subject}"))
    };
    let mut failure = match summary.outcome {
        Ended::RolledBack => said(format!("{subject} {to} was turned back{}", took(summary))),
        Ended::RolledBackDegraded => said(format!(
            "{subject} {to} was turned back, not all instances are ready{}",
            took(summary)
        ))
        .help(format!("see which: cutover status --app {subject}")),
        Ended::Stuck => said(format!("{subject} is stuck while turning back from {to}"))
            .help(format!("look: cutover status --app {subject}"))
            .help(format!("give up the last server: cutover abort --force --app {subject}")),
        Ended::Superseded => {
            let by =
                summary.superseded_by.map_or_else(String::new, |by| format!(" by rollout #{by}"));
            said(format!("the rollout of {subject} {to} was superseded{by}"))
                .help(format!("watch it: cutover status --watch --app {subject}"))
        }
        Ended::TimedOut => {
            goes_on(said(format!("{subject} {to}: waited long enough; the rollout goes on")))
        }
        Ended::Detached => {
            goes_on(said(format!("{subject} {to}: the rollout goes on without this command")))
        }
        Ended::Succeeded | Ended::Observed | Ended::NothingToDo => said(format!(
            "{subject} {} is live: the rollout had ended before it could be turned back",
            summary.live.as_deref().unwrap_or(&to)
        ))
        .help(format!("undo: cutover rollback --app {subject}")),
    };
    let turned_back =
        matches!(summary.outcome, Ended::RolledBack | Ended::RolledBackDegraded | Ended::Stuck);
    if turned_back {
        failure.causes.extend(summary.reason.clone().filter(|reason| !reason.is_empty()));
        failure = failure.help(format!("what happened: cutover events --app {subject}"));
    }
    match (summary.outcome, &summary.live) {
        (Ended::RolledBack, Some(live)) => failure.unchanged(format!("{live} is live as before")),
        (Ended::RolledBack, None) => failure.unchanged("nothing was live before, nothing is now"),
        _ => failure,
    }
}

fn took(summary: &Summary) -> String {
    let mut parts = Vec::new();
    parts.extend(summary.seconds.map(|s| format!("after {}", seconds(s))));
    parts.extend(summary.counts.as_ref().map(counts));
    let new = summary.candidate.as_ref();
    let new = new.filter(|candidate| candidate.requests > 0 && summary.ramp.is_none());
    parts.extend(new.map(|new| format!("of these in the new version: {}", counts(new))));
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(outcome: Ended, exit_code: u8) -> Summary {
        let mut summary = Summary::of(&"shop".parse().unwrap());
        summary.outcome = outcome;
        summary.exit_code = exit_code;
        summary.rollout = Some(12);
        summary.from = Some("v1".into());
        summary.to = Some("v2".into());
        summary.live = Some(if outcome == Ended::Succeeded { "v2" } else { "v1" }.into());
        summary.instances = Some(4);
        summary.seconds = Some(12.3);
        summary.counts = Some(Counters { requests: 5031, ..Counters::default() });
        summary
    }

    #[test]
    fn the_result_is_one_line() {
        assert_eq!(
            result(&summary(Ended::Succeeded, 0)).unwrap(),
            "shop v2 is live (was v1): 4 instances, 12.3 s, served 5031, failed 0"
        );
        assert_eq!(result(&summary(Ended::RolledBack, 6)), None, "a failure is no result");
    }

    #[test]
    fn turned_back_says_why_and_what_is_live() {
        let mut ended = summary(Ended::RolledBack, 5);
        ended.reason = Some("v2.0 not ready after 3 s\nGET /health → 500".into());
        assert_eq!(
            failure(&ended).text(false),
            "error: shop v2 was turned back: after 12.3 s, served 5031, failed 0\n  \
             because v2.0 not ready after 3 s\n  GET /health → 500\n\
             unchanged: v1 is live as before\nhelp: what happened: cutover events --app shop"
        );
        let timed_out = failure(&summary(Ended::TimedOut, 9));
        assert!(timed_out.help.iter().any(|help| help.contains("cutover abort --app shop")));
        let interrupted = failure(&summary(Ended::RolledBack, 130));
        assert!(interrupted.message.starts_with("interrupted; shop v2 was turned back"));
    }
}
