//! What happened last, and what rollouts there were.

use cutover_core::event::EventKind;
use cutover_core::record::Outcome;
use ratatui::style::Style;
use ratatui::text::Line;

use super::super::state::{State, Told};
use super::line::{clip, heading, styled, text, without_address};
use super::room::Need;
use super::theme::Theme;
use crate::render::{clock, history_line};

/// Lines of one event; what it says beyond them is in `cutover events`.
const TALL: usize = 5;

pub(super) fn need(state: &State) -> Need {
    let all = state.focus.events.len();
    Need { least: 2, good: 7, most: 1 + (all * TALL).max(1) }
}

/// A heading, and the newest events with the newest one at the bottom.
pub(super) fn lines(
    state: &State,
    theme: Theme,
    (width, height): (usize, usize),
) -> Vec<Line<'static>> {
    let title = Line::from(styled(" events (UTC)", theme.strong()));
    let mut lines = vec![heading(title, theme.faint(), width)];
    let rows = height.saturating_sub(1);
    let mut newest: Vec<Line<'static>> = vec![];
    for told in state.focus.events.iter().rev() {
        let left = rows - newest.len();
        if left == 0 {
            break;
        }
        let mut of = one(told, theme, TALL.min(rows / 2).max(1));
        // What does not fit goes at its end: the first line says what it is about.
        of.truncate(left);
        of.append(&mut newest);
        newest = of;
    }
    if newest.is_empty() {
        newest.push(Line::from(styled(" none yet", theme.faint())));
    }
    lines.extend(newest.into_iter().map(|line| clip(line, width)));
    lines.truncate(height);
    lines
}

fn one(Told { event, words }: &Told, theme: Theme, most: usize) -> Vec<Line<'static>> {
    let style = match &event.kind {
        EventKind::RolloutFinished { outcome: Outcome::Succeeded, .. } => theme.good(),
        EventKind::TurnedBack { .. }
        | EventKind::RolloutFinished { .. }
        | EventKind::Warning { .. }
        | EventKind::HookEnded { ok: false, .. } => theme.bad(),
        EventKind::Waiting { .. } | EventKind::Paused { .. } => theme.warning(),
        // The others are no reason to look up.
        _ => Style::new(),
    };
    let mut words: Vec<String> = match &event.kind {
        EventKind::Instance { .. } => words.iter().map(|line| without_address(line)).collect(),
        // The others name no address that could be left out.
        _ => words.clone(),
    };
    if words.len() > most {
        let left = words.len() - most + 1;
        words.truncate(most - 1);
        words.push(format!("  … {left} more lines: cutover events --app {}", event.subject));
    }
    let time = format!(" {}  ", clock(event.at));
    let below = " ".repeat(time.len());
    let begins = |row: usize| if row == 0 { time.clone() } else { below.clone() };
    let rows = words.into_iter().enumerate();
    rows.map(|(row, words)| {
        Line::from(vec![styled(begins(row), theme.faint()), styled(words, style)])
    })
    .collect()
}

pub(super) fn past_need(state: &State) -> Need {
    let all = state.focus.past.len();
    Need { least: 2, good: 1 + all.clamp(1, 4), most: 1 + all.max(1) }
}

/// A heading, and the last rollouts with the newest one at the top.
pub(super) fn past(
    state: &State,
    theme: Theme,
    (width, height): (usize, usize),
) -> Vec<Line<'static>> {
    let title = Line::from(styled(" rollouts (UTC)", theme.strong()));
    let mut lines = vec![heading(title, theme.faint(), width)];
    if state.focus.past.is_empty() {
        lines.push(Line::from(styled(" none yet", theme.faint())));
    }
    for entry in &state.focus.past {
        let line = Line::from(text(format!(" {}", history_line(entry))));
        lines.push(clip(line, width));
    }
    lines.truncate(height);
    lines
}
