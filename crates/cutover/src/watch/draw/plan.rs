//! The plan's stages, and where the rollout is among them.

use std::time::Duration;

use cutover_core::event::{Event, EventKind};
use cutover_core::observed::State as Life;
use cutover_core::plan::{Gate, OnFailure, Stage};
use cutover_core::record::Verdict;
use cutover_engine::api::{AppStatus, RolloutStatus};
use ratatui::style::Style;
use ratatui::text::Line;

use super::super::state::State;
use super::line::{clip, heading, progress, styled, text};
use super::room::Need;
use super::theme::Theme;
use crate::render::{
    Known, Part, about, difference, grown, rough, stage_words, toward, verdict_word,
};

/// Cells of a progress bar.
const BAR: usize = 22;

/// The fewest and the most cells for how evidence grew.
const CELLS: (usize, usize) = (4, 16);

pub(super) fn need(state: &State, rollout: &RolloutStatus) -> Need {
    let stages = rollout.plan.stages.len();
    match rollout.stage {
        Some(stage) => {
            let shown = state.focus.growth.newest(rollout.number, stage).is_some();
            // A stage's time, its verdict, and how the evidence grew.
            let (least, more) = if shown { (5, 1) } else { (3, 0) };
            Need { least, good: 3 + more + stages.min(6), most: 4 + more + stages }
        }
        // What it would have done is not what matters now.
        None => Need { least: 1, good: 1, most: 1 + stages },
    }
}

/// A heading, the stages that fit with the one that counts among them, and its gates below it.
pub(super) fn lines(
    state: &State,
    app: &AppStatus,
    rollout: &RolloutStatus,
    theme: Theme,
    (width, height): (usize, usize),
) -> Vec<Line<'static>> {
    let stages = &rollout.plan.stages;
    let unknown = Known::default();
    let known = state.focus.names.of(&app.subject).unwrap_or(&unknown);
    let gates = rollout.stage.and_then(|index| Some((index, stages.get(index)?)));
    let mut gates = gates.map_or_else(Vec::new, |(index, stage)| {
        let last = index + 1 == stages.len();
        Now { state, app, rollout, index, stage, last, theme, width }.lines()
    });
    let rows = height.saturating_sub(1);
    gates.truncate(rows.saturating_sub(1));
    let shown = window(stages.len(), rollout.stage, rows.saturating_sub(gates.len()));
    let title = match rollout.stage {
        Some(index) => format!(" plan: stage {} of {}", index + 1, stages.len()),
        None => match &app.live {
            Some(live) => format!(" plan: given up, back to {live}"),
            None => format!(" plan: given up, {} goes away", rollout.to),
        },
    };
    let title = Line::from(styled(title, theme.strong()));
    let mut lines = vec![heading(title, theme.faint(), width)];
    for (index, stage) in stages.iter().enumerate().take(shown.end).skip(shown.start) {
        let (sign, style) = match rollout.stage {
            Some(now) if index < now => ('✓', theme.faint()),
            Some(now) if index == now => ('▶', theme.strong()),
            Some(_) => ('·', Style::new()),
            None => ('·', theme.faint()),
        };
        let words = stage_words(stage, known);
        lines.push(Line::from(styled(format!(" {sign} {:>2}  {words}", index + 1), style)));
        if rollout.stage == Some(index) {
            lines.append(&mut gates);
        }
    }
    lines.into_iter().map(|line| clip(line, width)).collect()
}

/// The stages that are shown: one before the current one if there is room, and those that follow.
fn window(stages: usize, current: Option<usize>, rows: usize) -> std::ops::Range<usize> {
    let rows = rows.min(stages);
    let before = usize::from(rows > 2);
    let first = current.unwrap_or(0).saturating_sub(before).min(stages.saturating_sub(rows));
    first..first + rows
}

/// The stage the rollout is in.
struct Now<'a> {
    state: &'a State,
    app: &'a AppStatus,
    rollout: &'a RolloutStatus,
    index: usize,
    stage: &'a Stage,
    last: bool,
    theme: Theme,
    width: usize,
}

impl Now<'_> {
    /// The verdict first where it is bad, then what is waited for.
    fn lines(&self) -> Vec<Line<'static>> {
        let mut lines: Vec<_> = match self.rollout.reached_at {
            None => vec![self.on_the_way()],
            Some(at) => {
                let gone = self.state.shown_at().since(at);
                self.stage.gates.iter().filter_map(|gate| self.gate(*gate, gone)).collect()
            }
        };
        // Where nobody asked for a verdict, that there is none yet is no news.
        let asked = self.stage.gates.iter().any(|gate| matches!(gate, Gate::Judge { .. }));
        let told = |verdict: &&(Verdict, String)| asked || verdict.0 != Verdict::Inconclusive;
        if let Some((verdict, reason)) = self.rollout.verdict.as_ref().filter(told) {
            let style = match verdict {
                Verdict::Pass => self.theme.good(),
                Verdict::Fail => self.theme.bad(),
                Verdict::Inconclusive => Style::new(),
                Verdict::Error => self.theme.warning(),
            };
            let word = styled(format!("       verdict {}", verdict_word(*verdict)), style);
            let line = Line::from(vec![word, text(format!(": {reason}"))]);
            let urgent = matches!(verdict, Verdict::Fail | Verdict::Error);
            let place = if urgent { 0 } else { lines.len().min(1) };
            lines.insert(place, line);
            lines.splice(place + 1..place + 1, self.evidence());
        } else {
            lines.extend(self.evidence());
        }
        lines
    }

    /// `not worse ▁▂▄▆ 61%  worse ▁▁▁▁ 0%  errors +0.12 ≤ +1.20pp  40 s more`; of the latter two
    /// what there is room for.
    fn evidence(&self) -> Option<Line<'static>> {
        let growth = &self.state.focus.growth;
        let look = growth.newest(self.rollout.number, self.index)?;
        let needs = look.needs().filter(|needs| *needs > 0.0 && *needs < 1e6);
        let needs = needs.map(|needs| format!("  {} more", about(Duration::from_secs_f64(needs))));
        let seen = look.telling().map(|part| format!("  {}", difference(part)));
        let bare = "       not worse  100%  worse  100%".len() + 2 * CELLS.0;
        let mut room = self.width.saturating_sub(bare);
        let mut fits = |words: Option<String>| {
            let words = words.filter(|words| words.chars().count() <= room)?;
            room -= words.chars().count();
            Some(words)
        };
        let needs = fits(needs);
        let seen = fits(seen);
        let cells = (CELLS.0 + room / 2).min(CELLS.1);
        let grew = |part: Part| grown(&growth.of(part), cells);
        let bad = match toward(Part::Worse, look) {
            worse if worse >= 1.0 => self.theme.bad(),
            worse if worse >= 0.5 => self.theme.warning(),
            _ => Style::new(),
        };
        let good = toward(Part::NotWorse, look) >= 1.0;
        let good = if good { self.theme.good() } else { Style::new() };
        Some(Line::from(vec![
            styled(format!("       not worse {}", grew(Part::NotWorse)), good),
            styled(format!("  worse {}", grew(Part::Worse)), bad),
            text(seen.unwrap_or_default()),
            styled(needs.unwrap_or_default(), self.theme.faint()),
        ]))
    }

    fn on_the_way(&self) -> Line<'static> {
        let (old, new) = self.stage.sizes.of(self.app.n);
        let ready = |candidate: bool| {
            let all = self.app.instances.iter().filter(|one| {
                one.state == Life::Ready && (one.release.id == self.rollout.to.id) == candidate
            });
            all.count()
        };
        let mut parts = vec![format!("{} {} of {new} ready", self.rollout.to, ready(true))];
        if let Some(live) = self.app.live.as_ref().filter(|live| live.id != self.rollout.to.id) {
            let there = ready(false);
            if there != usize::try_from(old).unwrap_or(usize::MAX) {
                parts.push(format!("{live} {there} → {old}"));
            }
        }
        let mut words = format!("       on the way: {}", parts.join(", "));
        if let Some(entered) = self.rollout.entered_at {
            let gone = self.state.shown_at().since(entered);
            let left = self.rollout.plan.patience.stage.saturating_sub(gone);
            let then = match self.rollout.plan.on_failure {
                OnFailure::Rollback => "turns back",
                OnFailure::Hold => "asks you",
            };
            words += &format!("; {then} in {} if not there", rough(left));
        }
        Line::from(text(words))
    }

    fn gate(&self, gate: Gate, gone: Duration) -> Option<Line<'static>> {
        let words = match gate {
            Gate::Ready => return None,
            Gate::Hold(_) if self.rollout.approved && !self.last => "hold: cut short".to_owned(),
            Gate::Hold(span) => {
                let name = if self.last { "settles" } else { "holds" };
                timed(name, gone, span)
            }
            Gate::Judge { .. } if self.rollout.approved => "verdict: overruled".to_owned(),
            Gate::Judge { bake, .. } if gone < bake => timed("bakes", gone, bake),
            Gate::Judge { limit, .. } => self.undecided(limit.checked_sub(gone)?)?,
            Gate::Approval if self.rollout.approved => "approval: given".to_owned(),
            Gate::Approval => {
                let left = self.rollout.plan.patience.held.saturating_sub(gone);
                format!("approval: waits for you; turns back in {}", rough(left))
            }
            Gate::Conclude(span) => timed("experiment runs", gone, span),
            Gate::Confirm(span) if self.rollout.confirm_until.is_some() => {
                let left = span.saturating_sub(gone);
                format!("to be confirmed: turns back in {}", rough(left))
            }
            Gate::Confirm(_) => "confirmed".to_owned(),
            Gate::Hooks => self.hook()?,
        };
        Some(Line::from(text(format!("       {words}"))))
    }

    /// What comes next where the time to collect evidence is over; nothing if that is clear.
    fn undecided(&self, left: Duration) -> Option<String> {
        match &self.rollout.verdict {
            Some((Verdict::Pass | Verdict::Fail, _)) => None,
            _ if self.rollout.waiting => None,
            Some((Verdict::Inconclusive | Verdict::Error, _)) | None => {
                Some(format!("no verdict yet: asks you in {}", rough(left)))
            }
        }
    }

    /// What the newest hook of this rollout does.
    fn hook(&self) -> Option<String> {
        let of = |event: &&Event| event.rollout == Some(self.rollout.number);
        let newest = self.state.focus.events.iter().rev().map(|told| &told.event);
        newest.filter(of).find_map(|event| match &event.kind {
            EventKind::HookStarted { what } => {
                let gone = rough(self.state.shown_at().since(event.at));
                Some(format!("hook {what} runs for {gone}"))
            }
            EventKind::HookEnded { what, ok: true, .. } => Some(format!("hook {what} succeeded")),
            EventKind::HookEnded { what, ok: false, .. } => Some(format!("hook {what} failed")),
            _ => None,
        })
    }
}

/// `bakes [=====>    ] 40 s of 2m 0s`
fn timed(name: &str, gone: Duration, span: Duration) -> String {
    let part = gone.as_secs_f64() / span.as_secs_f64().max(f64::EPSILON);
    let left = span.saturating_sub(gone);
    format!("{name} {} {} left of {}", progress(part, BAR), rough(left), rough(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_stage_is_always_among_those_shown() {
        assert_eq!(window(5, Some(3), 9), 0..5);
        assert_eq!(window(5, Some(3), 3), 2..5);
        assert_eq!(window(9, Some(4), 3), 3..6);
        assert_eq!(window(9, Some(4), 1), 4..5);
        assert_eq!(window(9, Some(8), 4), 5..9);
        assert_eq!(window(9, None, 4), 0..4);
        assert_eq!(window(9, Some(4), 0), 4..4);
    }
}
