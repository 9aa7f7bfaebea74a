//! One event as text: the only place that puts events into words.

use cutover_core::event::{Event, EventKind};
use cutover_core::id::ReleaseId;
use cutover_core::observed::State;
use cutover_core::record::{Freeze, Keep, Outcome, Verdict, Why};
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
        EventKind::RolloutBegun { plan, to, actor, .. } if plan.is_ramp() => {
            let (flag, share) = plan.ramped().unzip();
            let flag = flag.map_or_else(String::new, |flag| flag.to_string());
            one(format!("ramp of flag {flag} to {} on {to}  by {actor}", share.unwrap_or_default()))
        }
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
            // Some states have nothing more to say than themselves.
            if let Some(detail) = detail.as_ref().filter(|text| *text != state_word(*state)) {
                text.push_str(&format!("  {detail}"));
            }
            text.lines().map(str::to_owned).collect()
        }
        EventKind::Routed { shares, held, preview, flags } => {
            let parts: Vec<String> = shares.iter().map(|pair| part(known, pair)).collect();
            let mut text = match (held, parts.is_empty()) {
                (true, _) => "requests wait".to_owned(),
                (false, true) => "traffic evenly over all instances".to_owned(),
                (false, false) => format!("traffic: {}", parts.join(", ")),
            };
            if let Some(preview) = preview {
                text.push_str(&format!("; preview on http://{preview}"));
            }
            for (key, share) in flags {
                let how = match *share {
                    Share::ZERO => "off".to_owned(),
                    share => format!("on for {share}"),
                };
                text.push_str(&format!("; flag {key} {how}"));
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
        EventKind::Unconfirmed { until, .. } => one(format!(
            "everybody gets the new version; it turns back at {} unless you confirm: cutover confirm --app {}",
            super::time::time(*until),
            event.subject
        )),
        EventKind::Confirmed { actor } => one(format!("confirmed by {actor}")),
        EventKind::Concluded { keep, actor, .. } => {
            let what = match keep {
                Keep::A => "the old version stays",
                Keep::B => "the new version for everybody",
            };
            one(format!("experiment concluded by {actor}: {what}"))
        }
        EventKind::Compared { comparison, .. } => super::comparison::lines(comparison),
        EventKind::Frozen(freeze) => one(frozen(freeze)),
        EventKind::Unfrozen { actor } => one(format!("unfrozen by {actor}")),
        EventKind::FlagKilled { flag, actor, reason } => {
            one(format!("flag {flag} killed by {actor}{}", because(reason.as_deref())))
        }
        EventKind::FlagRestored { flag, actor, reason } => {
            one(format!("flag {flag} restored by {actor}{}", because(reason.as_deref())))
        }
        EventKind::Approved { actor } => one(format!("approved by {actor}")),
        EventKind::Paused { actor } => one(format!("paused by {actor}")),
        EventKind::Resumed { actor } => one(format!("resumed by {actor}")),
        EventKind::AbortRequested { actor } => one(format!("{actor} asked to turn back")),
        EventKind::Scaled { n, actor } => one(format!("scaled to n {n} by {actor}")),
        EventKind::TurnedBack { why, detail } => {
            block(format!("turns back: {}", why_words(*why)), detail)
        }
        EventKind::Superseded { by } => one(format!("rollout #{by} takes over")),
        EventKind::RolloutFinished { outcome, live, promoted, milliseconds, counts, .. } => {
            let took = span(std::time::Duration::from_millis(*milliseconds));
            let live = live.as_ref().map_or("nothing".to_owned(), ToString::to_string);
            let how = match outcome {
                Outcome::Succeeded if !promoted => "observed".to_owned(),
                outcome => outcome_words(*outcome),
            };
            one(format!("{how}: {live} is live, {took}, {}", super::end::counts(counts)))
        }
        EventKind::Down { actor } => one(format!("taken down by {actor}")),
        EventKind::Warning { text } => one(format!("warning: {text}")),
    }
}

/// `frozen until … by ana: sale on Friday`
pub(super) fn frozen(freeze: &Freeze) -> String {
    let until = freeze.until.map_or_else(String::new, |at| format!(" until {}", super::time(at)));
    format!("frozen{until} by {}: {}", freeze.by, freeze.reason)
}

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
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
pub(crate) fn state_word(state: Option<State>) -> &'static str {
    match state {
        Some(State::Starting) => "starting",
        Some(State::Ready) => "ready",
        Some(State::Unready) => "not ready",
        Some(State::Exited) => "exited",
        Some(State::Stopping) => "stopping",
        None => "gone",
    }
}

pub(crate) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Error => "error",
    }
}

pub(crate) fn why_words(why: Why) -> &'static str {
    match why {
        Why::Aborted => "somebody asked for it",
        Why::CrashLoop => "its instances keep exiting",
        Why::NotReady => "an instance was not ready in time",
        Why::Deadline => "the stage was not reached in time",
        Why::Verdict => "the verdict was fail",
        Why::Hook => "a hook failed",
        Why::HeldTooLong => "nobody answered in time",
        Why::Unconfirmed => "nobody confirmed in time",
    }
}

pub(crate) fn outcome_words(outcome: Outcome) -> String {
    match outcome {
        Outcome::Succeeded => "succeeded".to_owned(),
        Outcome::RolledBack(why) => format!("turned back ({})", why_words(why)),
        Outcome::RolledBackDegraded(why) => {
            format!("turned back ({}), not all instances are ready", why_words(why))
        }
        Outcome::Stuck(why) => format!("stuck while turning back ({})", why_words(why)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::render::plain;

    /// Events as the daemon sends them, rendered one after the other.
    fn rendered(events: &[Value]) -> Vec<String> {
        let mut names = Names::default();
        let mut all = Vec::new();
        for (index, kind) in events.iter().enumerate() {
            let mut whole = json!({"index": index, "at": 1_795_457_600_123_u64, "subject": "shop", "rollout": 12});
            whole.as_object_mut().unwrap().extend(kind.as_object().unwrap().clone());
            let event = serde_json::from_value(whole).unwrap();
            names.learn(&event);
            all.extend(plain(&event, &names));
        }
        let head = "2026-11-23T18:13:20.123Z shop #12 ";
        all.iter()
            .map(|line| line.strip_prefix(head).expect("time, app, rollout").to_owned())
            .collect()
    }

    fn release(id: u32, version: &str, ordinal: u32) -> Value {
        json!({"id": format!("r{id}"), "version": version, "ordinal": ordinal})
    }

    fn begun() -> Value {
        let ten = json!({"ready": 1, "lost": 1, "stage": 1, "held": 1, "exits": 3, "drain": 1, "upgraded": 1});
        json!({
            "type": "rollout-begun", "from": release(1, "v1", 1), "to": release(2, "v2", 1),
            "pattern": "canary", "n": 4, "actor": "ana (uid 1000)", "rollback": false,
            "plan": {
                "pattern": "canary", "before": null, "candidate": "r2", "n": 4, "spec_n": 4, "keep": 0, "patience": ten,
                "budget": {"surge": "all", "unavailable": "zero", "downtime": "never"},
                "stages": [
                    {"sizes": {"stable": "all", "candidate": {"part": [1, 4]}},
                     "route": {"split": {"candidate": "25%", "sticky": "no"}},
                     "gates": ["ready", {"judge": {"bake": 3000, "limit": 60000}}]},
                    {"sizes": {"stable": "zero", "candidate": "all"}, "route": "even",
                     "gates": ["ready", {"hold": 2000}]},
                ],
            },
        })
    }

    #[test]
    fn a_rollout_that_ends_well_reads_like_this() {
        let lines = rendered(&[
            begun(),
            json!({"type": "stage-entered", "stage": 0}),
            json!({"type": "instance", "instance": "r2.0", "release": release(2, "v2", 1), "state": "starting",
                   "address": "127.0.0.1:20007", "detail": "GET /health → 503 \"db warming\" (try 3)"}),
            json!({"type": "routed", "shares": {"r1": "75%", "r2": "25%"}, "held": false}),
            json!({"type": "stage-reached", "stage": 0}),
            json!({"type": "judged", "stage": 0, "verdict": "pass", "reason": "0 of 812 failed"}),
            json!({"type": "stage-entered", "stage": 1}),
            json!({"type": "rollout-finished", "outcome": "succeeded", "live": release(2, "v2", 1), "promoted": true, "exposed": true,
                   "milliseconds": 12345, "counts": {"requests": 5031, "drained": 3}, "candidate": {},
                   "down_milliseconds": 0, "exit_code": 0}),
        ]);
        assert_eq!(
            lines,
            [
                "deploy v1 → v2  canary  n 4  by ana (uid 1000)",
                "stage 1/2 25% to v2 (v1 ×4, v2 ×1; verdict after 3s)",
                "v2.0  starting  127.0.0.1:20007  GET /health → 503 \"db warming\" (try 3)",
                "traffic: 75% v1, 25% v2",
                "stage 1/2 reached",
                "verdict pass: 0 of 812 failed",
                "stage 2/2 all traffic to v2 (v1 ×0, v2 ×4; hold 2s)",
                "succeeded: v2 is live, 12.3 s, served 5031, failed 0, drained 3",
            ]
        );
    }

    #[test]
    fn turning_back_says_what_was_seen_on_lines_of_their_own() {
        let lines = rendered(&[
            begun(),
            json!({"type": "turned-back", "why": "not-ready", "detail": "v2.0 not ready after 3 s\nlast log: boom"}),
            json!({"type": "instance", "instance": "r3.1", "release": release(3, "v2", 2), "state": null}),
            json!({"type": "waiting", "stage": 1, "approval": true}),
        ]);
        assert_eq!(
            lines[1..],
            [
                "turns back: an instance was not ready in time",
                "  v2.0 not ready after 3 s",
                "  last log: boom",
                "v2(2).1  gone",
                "waits for your approval: cutover promote --app shop",
            ]
        );
    }
}
