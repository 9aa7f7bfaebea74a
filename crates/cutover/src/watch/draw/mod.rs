//! From what is known to a screen.

mod events;
mod foot;
mod head;
mod help;
mod instances;
mod line;
mod plan;
mod requests;
mod room;
#[cfg(test)]
mod tests;
mod theme;
mod traffic;

use ratatui::Frame;
use ratatui::text::Line;

pub(crate) use theme::Theme;

use super::state::State;
use cutover_engine::api::AppStatus;
use room::{Need, deal};

/// A smaller screen says nothing that is worth reading.
const LEAST: (u16, u16) = (60, 15);

/// Draws it all.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, theme: Theme) {
    let area = frame.area();
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return write(frame, 0, too_small(area.width, area.height));
    }
    let foot = foot::lines(state, theme, width);
    let head = head::lines(state, theme, width, height / 3);
    let rows = height - foot.len() - head.len();
    let body = match state.app() {
        Some(app) => Body { state, app, theme, width }.lines(rows),
        None => vec![],
    };
    let below = head.len();
    let bottom = height - foot.len();
    write(frame, 0, head);
    write(frame, below, body);
    write(frame, bottom, foot);
    if state.help {
        help::draw(frame, theme);
    }
}

fn write(frame: &mut Frame<'_>, top: usize, lines: Vec<Line<'static>>) {
    let area = frame.area();
    for (line, y) in lines.iter().zip(top..usize::from(area.height)) {
        let y = u16::try_from(y).unwrap_or(u16::MAX);
        frame.buffer_mut().set_line(0, y, line, area.width);
    }
}

fn too_small(width: u16, height: u16) -> Vec<Line<'static>> {
    let (least_width, least_height) = LEAST;
    let words = [
        "too small:".to_owned(),
        format!("{width}×{height}, needs"),
        format!("{least_width}×{least_height}"),
        "q quits".to_owned(),
    ];
    words.into_iter().map(Line::from).collect()
}

/// What is between head and foot.
struct Body<'a> {
    state: &'a State,
    app: &'a AppStatus,
    theme: Theme,
    width: usize,
}

impl Body<'_> {
    fn lines(&self, rows: usize) -> Vec<Line<'static>> {
        let Body { state, app, theme, width } = *self;
        let users = app.listen.is_some();
        let traffic = Need { least: 1, good: 1, most: 1 };
        let none = Need { least: 0, good: 0, most: 0 };
        let needs = [
            app.rollout
                .as_ref()
                .map_or_else(|| events::past_need(state), |rollout| plan::need(state, rollout)),
            if users { traffic } else { none },
            if users { requests::need(state, app) } else { none },
            instances::need(app),
            events::need(state),
        ];
        let dealt = deal(&needs, rows);
        let of = |section: usize| (width, dealt.get(section).copied().unwrap_or(0));
        let mut lines = match &app.rollout {
            Some(rollout) => plan::lines(state, app, rollout, theme, of(0)),
            None => events::past(state, theme, of(0)),
        };
        if users {
            lines.push(traffic::line(state, app, theme, width));
            lines.extend(requests::lines(state, app, theme, of(2)));
        }
        lines.extend(instances::lines(state, app, theme, of(3)));
        // What the others did not need is for what happened.
        if of(4).1 > 0 {
            lines.extend(events::lines(state, theme, (width, rows.saturating_sub(lines.len()))));
        }
        lines.truncate(rows);
        lines
    }
}
