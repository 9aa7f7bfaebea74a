//! One event as text: the only place that puts events into words.

use cutover_core::event::{Event, EventKind};
use cutover_core::id::ReleaseId;
use cutover_core::observed::State;
use cutover_core::record::{Outcome, Verdict, Why};
use cutover_core::release::ReleaseName;
use cutover_core::units::Share;

use super::names::{Known, Names, instance};
use super::stage;
use super::time::span;

/// The lines of one event, without time, app and rollout.
pub(crate) fn lines(event: &Event, names: &Names) -> Vec<String> {
    let unknown = Known::default();
    let known = names.of(&event.subject).unwrap_or(&unknown);
    let one = |text: String| vec![text];
    match &event.kind {
        EventKind::RolloutBegun { from, to, pattern, n, actor, rollback, .. } => {
            let verb = if *rollback { "rollback" } else { "deploy" };
            one(format!("{verb} {}{to}  {pattern}  n {n}  by {actor}", arrow(from.as_ref())))
        }
        EventKind::StageEntered { stage } => one(format!("stage {}", stage::words(known, *stage))),
        EventKind::StageReached { stage } => one(format!("stage {} reached", short(known, *stage))),
        EventKind::Instance { instance: id, release, state, address, detail } => {
            let mut text = format!("{}  {}", instance(release, *id), state_word(*state));
            if let Some(address) = address {
                text.push_str(&format!("  {address}"));
            }
            if let Some(detail) = detail {
                text.push_str(&format!("  {detail}"));
            }
            text.lines().map(str::to_owned).collect()
        }
        EventKind::Routed { shares, held, preview } => {
            let parts: Vec<String> = shares.iter().map(|pair| part(known, pair)).collect();
            let mut text = match (held, parts.is_empty()) {
                (true, _) => "requests wait".to_owned(),
                (false, true) => "traffic evenly over all instances".to_owned(),
                (false, false) => format!("traffic: {}", parts.join(", ")),
            };
            if let Some(preview) = preview {
                text.push_str(&format!("; preview on http://{preview}"));
            }
            one(text)
        }
        EventKind::Judged { verdict, reason, .. } => {
            one(format!("verdict {}: {reason}", verdict_word(*verdict)))
        }
        EventKind::HookStarted { what } => one(format!("hook {what} runs")),
        EventKind::HookEnded { what, ok, detail } => {
            let how = if *ok { "succeeded" } else { "failed" };
            block(format!("hook {what} {how}"), detail)
        }
        EventKind::Waiting { approval: true, .. } => {
            one(format!("waits for your approval: cutover promote --app {}", event.subject))
        }
        EventKind::Waiting { approval: false, .. } => one(format!(
            "no verdict in time; it waits for you: cutover promote, or abort, --app {}",
            event.subject
        )),
        EventKind::Approved { actor } => one(format!("approved by {actor}")),
        EventKind::Paused { actor } => one(format!("paused by {actor}")),
        EventKind::Resumed { actor } => one(format!("resumed by {actor}")),
        EventKind::AbortRequested { actor } => one(format!("{actor} asked to turn back")),
        EventKind::Scaled { n, actor } => one(format!("scaled to n {n} by {actor}")),
        EventKind::TurnedBack { why, detail } => {
            block(format!("turns back: {}", why_words(*why)), detail)
        }
        EventKind::Superseded { by } => one(format!("rollout #{by} takes over")),
        EventKind::RolloutFinished { outcome, live, milliseconds, counts, .. } => {
            let took = span(std::time::Duration::from_millis(*milliseconds));
            let live = live.as_ref().map_or("nothing".to_owned(), ToString::to_string);
            one(format!(
                "{}: {live} is live, {took}, {}",
                outcome_words(*outcome),
                super::end::counts(counts)
            ))
        }
        EventKind::Down { actor } => one(format!("taken down by {actor}")),
        EventKind::Warning { text } => one(format!("warning: {text}")),
    }
}

fn arrow(from: Option<&ReleaseName>) -> String {
    from.map_or_else(|| "(first release) → ".to_owned(), |from| format!("{from} → "))
}

fn short(known: &Known, index: usize) -> String {
    let whole = (index + 1).to_string();
    known.plan.as_ref().map_or(whole, |plan| stage::number(plan, index))
}

fn part(known: &Known, (release, share): (&ReleaseId, &Share)) -> String {
    format!("{share} {}", known.release(*release))
}

fn block(head: String, detail: &str) -> Vec<String> {
    let mut lines = vec![head];
    lines.extend(detail.lines().map(|line| format!("  {line}")));
    lines
}

/// A state as a word; `None` is gone.
pub(super) fn state_word(state: Option<State>) -> &'static str {
    match state {
        Some(State::Starting) => "starting",
        Some(State::Ready) => "ready",
        Some(State::Unready) => "not ready",
        Some(State::Exited) => "exited",
        Some(State::Stopping) => "stopping",
        None => "gone",
    }
}

pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Error => "error",
    }
}

pub(super) fn why_words(why: Why) -> &'static str {
    match why {
        Why::Aborted => "somebody asked for it",
        Why::CrashLoop => "its instances keep exiting",
        Why::NotReady => "an instance was not ready in time",
        Why::Deadline => "the stage was not reached in time",
        Why::Verdict => "the verdict was fail",
        Why::Hook => "a hook failed",
        Why::HeldTooLong => "nobody answered in time",
    }
}

pub(super) fn outcome_words(outcome: Outcome) -> String {
    match outcome {
        Outcome::Succeeded => "succeeded".to_owned(),
        Outcome::RolledBack(why) => format!("turned back ({})", why_words(why)),
        Outcome::RolledBackDegraded(why) => {
            format!("turned back ({}), not all instances are ready", why_words(why))
        }
        Outcome::Stuck(why) => format!("stuck while turning back ({})", why_words(why)),
    }
}
