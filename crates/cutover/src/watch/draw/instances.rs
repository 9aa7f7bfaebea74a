//! Every instance, or those that need a look and the others summed up.

use std::collections::BTreeMap;

use cutover_core::observed::State as Life;
use cutover_core::units::Share;
use cutover_engine::api::{AppStatus, InstanceStatus};
use ratatui::style::Style;
use ratatui::text::Line;

use super::super::marks::letter;
use super::super::state::State;
use super::line::{clip, heading, styled, text, without_address};
use super::room::Need;
use super::theme::Theme;
use crate::render::{instance, rough, share_of, state_word};

/// Cells before the detail, without name and address.
const FIXED: usize = 46;

pub(super) fn need(app: &AppStatus) -> Need {
    let rows = app.instances.len();
    let uneasy = app.instances.iter().filter(|one| !is_easy(one)).count();
    // Each that needs a look may need a line for its detail; the others have one together.
    Need { least: 2, good: 2 + 2 * uneasy.min(3), most: 1 + rows + uneasy }
}

/// Ready, and has not exited of late.
fn is_easy(one: &InstanceStatus) -> bool {
    one.state == Life::Ready && one.exits == 0
}

/// A heading, and the instances.
pub(super) fn lines(
    state: &State,
    app: &AppStatus,
    theme: Theme,
    (width, height): (usize, usize),
) -> Vec<Line<'static>> {
    let table = Table::of(state, app, theme, width);
    let mut lines = vec![heading(table.title(), theme.faint(), width)];
    let rows = height.saturating_sub(1);
    let full: Vec<_> = app.instances.iter().flat_map(|one| table.rows(one, true)).collect();
    let brief: Vec<_> = app.instances.iter().flat_map(|one| table.rows(one, false)).collect();
    if app.instances.is_empty() {
        lines.push(Line::from(text(" there are none")));
    } else if full.len() <= rows {
        lines.extend(full);
    } else if brief.len() <= rows {
        lines.extend(brief);
    } else {
        lines.extend(table.summed_up(rows));
    }
    lines.truncate(height);
    lines.into_iter().map(|line| clip(line, width)).collect()
}

struct Table<'a> {
    state: &'a State,
    app: &'a AppStatus,
    theme: Theme,
    width: usize,
    /// Cells of the name.
    name: usize,
    /// Cells of the address; 0 where there is no room for it.
    address: usize,
}

impl<'a> Table<'a> {
    fn of(state: &'a State, app: &'a AppStatus, theme: Theme, width: usize) -> Table<'a> {
        let widest = |of: fn(&InstanceStatus) -> usize, least: usize| {
            app.instances.iter().map(of).max().unwrap_or(0).max(least)
        };
        let name = widest(|one| instance(&one.release, one.id).len(), "instances".len());
        let address = widest(|one| one.address.as_ref().map_or(0, String::len), 0);
        let address = if width >= 100 && app.listen.is_some() { address } else { 0 };
        Table { state, app, theme, width, name, address }
    }

    fn title(&self) -> Line<'static> {
        let name = self.name + 2;
        let mut words = format!(" {:<name$}  {:<9}  {:>7}", "instances", "state", "for");
        if self.app.listen.is_some() {
            words += &format!("  {:>5}  {:>9}", "share", "in flight");
        }
        words += &format!("  {:>5}", "exits");
        if self.address > 0 {
            words += &format!("  {:<1$}", "address", self.address);
        }
        Line::from(styled(words, self.theme.strong()))
    }

    /// An instance on one line, and its detail on another if it does not fit and there is room.
    fn rows(&self, one: &InstanceStatus, room: bool) -> Vec<Line<'static>> {
        let (app, name) = (self.app, self.name);
        let place = self.state.focus.marks.of(one.release.id);
        let mark = place.map_or('?', letter);
        let style = match one.state {
            Life::Ready => self.theme.good(),
            Life::Starting | Life::Stopping => Style::new(),
            Life::Unready | Life::Exited => self.theme.bad(),
        };
        let mut spans = vec![
            styled(
                format!(" {mark} {:<name$}  ", instance(&one.release, one.id)),
                self.theme.release(place),
            ),
            styled(format!("{:<9}", state_word(Some(one.state))), style),
            text(format!("  {:>7}", rough(self.state.shown_at().since(one.since)))),
        ];
        if app.listen.is_some() {
            let share = share_of(app, one);
            let share = if share == Share::ZERO { "-".to_owned() } else { share.to_string() };
            let inside = one.in_flight.requests + one.in_flight.upgraded;
            spans.push(text(format!("  {share:>5}  {inside:>9}")));
        }
        let exits = if one.exits > 0 { self.theme.warning() } else { self.theme.faint() };
        spans.push(styled(format!("  {:>5}", one.exits), exits));
        if self.address > 0 {
            let address = one.address.as_deref().unwrap_or("");
            spans.push(text(format!("  {address:<0$}", self.address)));
        }
        let detail = one.detail.as_deref().filter(|text| *text != state_word(Some(one.state)));
        let Some(detail) = detail.filter(|_| one.state != Life::Ready) else {
            return vec![Line::from(spans)];
        };
        let detail = detail.lines().next().unwrap_or_default();
        let taken = FIXED + self.name + self.address;
        if room && taken + detail.chars().count() > self.width {
            let below = Line::from(text(format!("     {detail}")));
            return vec![Line::from(spans), below];
        }
        spans.push(text(format!("  {}", without_address(detail))));
        vec![Line::from(spans)]
    }

    /// Those that need a look, and the others in one line.
    fn summed_up(&self, rows: usize) -> Vec<Line<'static>> {
        let uneasy: Vec<_> = self.app.instances.iter().filter(|one| !is_easy(one)).collect();
        let row = |one: &&InstanceStatus, room| self.rows(one, room);
        let full: Vec<_> = uneasy.iter().flat_map(|one| row(one, true)).collect();
        if full.len() < rows {
            return full.into_iter().chain([self.sum()]).collect();
        }
        if uneasy.len() <= rows {
            let brief = uneasy.iter().flat_map(|one| row(one, false));
            return brief.chain([self.sum()]).take(rows).collect();
        }
        let fit = rows.saturating_sub(1);
        let more = format!(" … {} more need a look", uneasy.len() - fit);
        let mut lines: Vec<_> = uneasy.iter().take(fit).flat_map(|one| row(one, false)).collect();
        lines.push(Line::from(styled(more, self.theme.warning())));
        lines
    }

    /// `A v1 ×15, B v2 ×4 ready, in flight 45`
    fn sum(&self) -> Line<'static> {
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        let mut inside = 0;
        for one in self.app.instances.iter().filter(|one| is_easy(one)) {
            *counts.entry(&one.release).or_default() += 1;
            inside += one.in_flight.requests + one.in_flight.upgraded;
        }
        let mut spans = vec![];
        for (release, count) in counts {
            let place = self.state.focus.marks.of(release.id);
            let words = format!(" {} {release} ×{count}", place.map_or('?', letter));
            spans.push(styled(words, self.theme.release(place)));
            spans.push(text(","));
        }
        // The last comma.
        spans.pop();
        let inside =
            if self.app.listen.is_some() { format!(", in flight {inside}") } else { String::new() };
        let rest =
            if spans.is_empty() { " none is ready".into() } else { format!(" ready{inside}") };
        spans.push(text(rest));
        Line::from(spans)
    }
}
