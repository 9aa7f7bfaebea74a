//! The bottom: a question or an answer, and the keys.

use std::time::Duration;

use cutover_engine::api::Action;
use ratatui::style::Style;
use ratatui::text::Line;

use super::super::state::{Asked, Idle, Notice, State};
use super::line::{clip, styled, text, wrap};
use super::theme::Theme;

/// How long an answer stays when no key is pressed.
const STAYS: Duration = Duration::from_secs(10);
/// The most lines of an answer.
const TALL: usize = 3;

/// What is to be said, and the keys.
pub(super) fn lines(state: &State, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = said(state, theme, width.saturating_sub(1));
    lines.push(clip(keys(state, theme), width));
    lines
}

fn said(state: &State, theme: Theme, width: usize) -> Vec<Line<'static>> {
    if let Some(asked) = &state.question {
        let style = theme.banner(theme.warning());
        return vec![Line::from(vec![
            text(" "),
            styled(format!(" {} y/n ", question(state, asked)), style),
        ])];
    }
    let fresh = |(at, _): &&(_, Notice)| state.now.since(*at) < STAYS;
    let Some((_, notice)) = state.notice.as_ref().filter(fresh) else {
        return vec![];
    };
    let (words, style) = match notice {
        Notice::Sent(asked) => (sent(asked), theme.faint()),
        Notice::Done(asked) => (done(asked), theme.good()),
        Notice::Refused(why) => (format!("not done: {why}"), theme.bad()),
        Notice::Idle(idle) => (nothing(*idle), Style::new()),
    };
    let mut lines = wrap(&words, width);
    if lines.len() > TALL {
        lines.truncate(TALL);
        lines.iter_mut().skip(TALL - 1).for_each(|last| last.push_str(" …"));
    }
    lines
        .into_iter()
        .map(|line| clip(Line::from(styled(format!(" {line}"), style)), width))
        .collect()
}

fn question(state: &State, asked: &Asked) -> String {
    let Asked { subject, rollout, action } = asked;
    let to = state.rollout().map_or_else(String::new, |rollout| format!(" to {}", rollout.to));
    match action {
        Action::Promote => {
            format!("nobody is waited for: cut this stage of {subject} #{rollout}{to} short?")
        }
        Action::Abort { .. } => format!("turn {subject} #{rollout}{to} back?"),
        // The others are not asked about.
        _ => format!("{subject} #{rollout}: sure?"),
    }
}

fn sent(asked: &Asked) -> String {
    let what = match asked.action {
        Action::Promote => "to go on",
        Action::Pause => "to pause",
        Action::Resume => "to go on after the pause",
        Action::Abort { .. } => "to turn back",
        Action::Confirm => "to take it as good",
        Action::Scale { .. }
        | Action::Retry
        | Action::Down
        | Action::Conclude { .. }
        | Action::Freeze { .. }
        | Action::Unfreeze
        | Action::KillFlag { .. }
        | Action::RestoreFlag { .. } => "",
    };
    format!("asking {} #{} {what} …", asked.subject, asked.rollout)
}

fn done(asked: &Asked) -> String {
    let what = match asked.action {
        Action::Promote | Action::Resume => "goes on",
        Action::Pause => "pauses before its next stage",
        Action::Abort { .. } => "turns back",
        Action::Confirm => "is confirmed",
        Action::Scale { .. }
        | Action::Retry
        | Action::Down
        | Action::Conclude { .. }
        | Action::Freeze { .. }
        | Action::Unfreeze
        | Action::KillFlag { .. }
        | Action::RestoreFlag { .. } => "is done",
    };
    format!("{} #{} {what}", asked.subject, asked.rollout)
}

fn nothing(idle: Idle) -> String {
    match idle {
        Idle::NoRollout => "no rollout is running",
        Idle::TurnsBack => "it turns back already; where that is stuck: cutover abort --force",
        Idle::Over => "that rollout is over; nothing was done",
        Idle::Away => "the daemon is away; nothing was done",
    }
    .to_owned()
}

fn keys(state: &State, theme: Theme) -> Line<'static> {
    let rollout = state.rollout().filter(|_| state.away.is_none());
    let moves = rollout.is_some_and(|rollout| rollout.stage.is_some());
    let paused = rollout.is_some_and(|rollout| rollout.paused);
    let confirms = rollout.is_some_and(|rollout| rollout.confirm_until.is_some());
    let several = state.apps.as_ref().is_some_and(|apps| apps.len() > 1);
    let all = [
        ("p", if confirms { "confirm" } else { "promote" }, moves),
        ("space", if paused { "resume" } else { "pause" }, moves),
        ("a", "abort", moves),
        ("tab", "next app", several),
        ("?", "help", true),
        ("q", "quit", true),
    ];
    let mut spans = vec![];
    for (key, what, _) in all.into_iter().filter(|(_, _, can)| *can) {
        spans.extend([text(" "), styled(key, theme.strong()), text(format!(" {what} "))]);
    }
    Line::from(spans)
}
