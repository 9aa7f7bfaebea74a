//! Requests per release over the last minutes: how many, how many went wrong, how slow.

use std::time::Duration;

use cutover_engine::api::AppStatus;
use ratatui::text::{Line, Span};

use super::super::marks::letter;
use super::super::series::{Column, KEPT, Who};
use super::super::state::State;
use super::line::{clip, heading, styled};
use super::room::Need;
use super::theme::Theme;
use crate::render::bars;
use crate::render::rough;

/// Cells of a number.
const NUMBER: usize = 7;
/// Cells between two metrics.
const GAP: usize = 2;
/// The least that the bars look back.
const BACK: usize = 120;
/// Seconds a bar may stand for.
const STEPS: [usize; 9] = [1, 2, 3, 5, 6, 10, 12, 15, 20];
/// Seconds that the numbers are made from.
const LATEST: usize = 10;
/// Counts that are older than this are none of now.
const STALE: Duration = Duration::from_secs(4);
/// Errors above this are bad where no guard says what is.
const BAD: f64 = 0.01;

/// What is drawn of each release.
#[derive(Debug, Clone, Copy)]
enum Metric {
    Rate,
    Bad,
    P99,
}

impl Metric {
    const ALL: [Metric; 3] = [Metric::Rate, Metric::Bad, Metric::P99];

    fn name(self) -> &'static str {
        match self {
            Metric::Rate => "requests/s",
            Metric::Bad => "errors",
            Metric::P99 => "p99",
        }
    }
    fn of(self, column: &Column) -> Option<f64> {
        match self {
            Metric::Rate => column.rate(),
            Metric::Bad => column.bad(),
            Metric::P99 => column.p99(),
        }
    }
    fn words(self, value: f64) -> String {
        match self {
            Metric::Rate if value >= 9.95 => format!("{value:.0}"),
            Metric::Rate => format!("{value:.1}"),
            Metric::Bad if value >= 0.0995 => format!("{:.0}%", value * 100.0),
            // What is not zero never looks like it.
            Metric::Bad if value > 0.0 && value < 0.0005 => "<0.1%".to_owned(),
            Metric::Bad => format!("{:.1}%", value * 100.0),
            Metric::P99 if value >= 9.95 => format!("{value:.0} s"),
            Metric::P99 if value >= 0.9995 => format!("{value:.1} s"),
            Metric::P99 => format!("{:.0} ms", value * 1000.0),
        }
    }
    /// The top of the bars is never lower: a single slow request shall not look like a disaster.
    fn floor(self) -> f64 {
        match self {
            Metric::Rate => 1.0,
            Metric::Bad => 0.05,
            Metric::P99 => 0.01,
        }
    }
}

/// One row.
struct Row {
    who: Who,
    label: Span<'static>,
}

fn rows(state: &State, app: &AppStatus, theme: Theme) -> Vec<Row> {
    let marks = &state.focus.marks;
    let name = |release| {
        let known = state.focus.names.of(&app.subject);
        known.map_or_else(|| format!("{release}"), |known| known.release(release))
    };
    let mut rows: Vec<Row> = marks
        .releases()
        .into_iter()
        .map(|release| {
            let place = marks.of(release);
            let words = format!(" {} {}", place.map_or('?', letter), name(release));
            let label = styled(words, theme.release(place));
            Row { who: Who::Release(release), label }
        })
        .collect();
    if state.focus.series.some_got_nobody(KEPT.min(2 * BACK)) {
        rows.push(Row { who: Who::Nobody, label: styled(" - no server", theme.bad()) });
    }
    rows
}

pub(super) fn need(state: &State, app: &AppStatus) -> Need {
    let trouble = usize::from(trouble(state).is_some());
    let rows = 1 + trouble + rows(state, app, Theme::Plain).len();
    Need { least: rows.min(4), good: rows, most: rows }
}

/// A heading with the scales, and a row for each release.
pub(super) fn lines(
    state: &State,
    app: &AppStatus,
    theme: Theme,
    (width, height): (usize, usize),
) -> Vec<Line<'static>> {
    let rows = rows(state, app, theme);
    let grid = Grid::of(&rows, width);
    let series = &state.focus.series;
    let columns: Vec<Vec<Column>> =
        rows.iter().map(|row| series.columns(row.who, grid.per, grid.bars)).collect();
    let tops = Metric::ALL.map(|metric| {
        let values = columns.iter().flatten().filter_map(|column| metric.of(column));
        (metric, values.fold(metric.floor(), f64::max))
    });
    let mut lines = vec![heading(grid.title(&tops, theme), theme.faint(), width)];
    if let Some(why) = trouble(state) {
        lines.push(Line::from(styled(format!(" no counts: {why}"), theme.warning())));
    }
    for (row, columns) in rows.iter().zip(&columns) {
        let latest = series.latest(row.who, LATEST);
        let mut spans = vec![styled(pad(&row.label.content, grid.label), row.label.style)];
        for (metric, top) in tops {
            let value = metric.of(&latest).filter(|_| is_fresh(state));
            spans.push(number(metric, value, app, theme));
            let values: Vec<_> = columns.iter().map(|column| metric.of(column)).collect();
            spans.push(styled(pad(&bars(&values, top), grid.bars + GAP), row.label.style));
        }
        lines.push(Line::from(spans));
    }
    lines.truncate(height);
    lines.into_iter().map(|line| clip(line, width)).collect()
}

/// Where everything stands.
struct Grid {
    /// Cells of the first column.
    label: usize,
    /// Cells of a metric, its number included.
    cell: usize,
    /// Bars of a metric.
    bars: usize,
    /// Seconds of a bar.
    per: usize,
}

impl Grid {
    fn of(rows: &[Row], width: usize) -> Grid {
        let longest = rows.iter().map(|row| row.label.width()).max().unwrap_or(0);
        let label = longest.clamp(12, 20) + 1;
        let cell = width.saturating_sub(label) / Metric::ALL.len();
        let bars = cell.saturating_sub(NUMBER + 1 + GAP);
        let per = STEPS.into_iter().find(|per| per * bars >= BACK).unwrap_or(20);
        Grid { label, cell, bars, per }
    }

    fn title(&self, tops: &[(Metric, f64)], theme: Theme) -> Line<'static> {
        let seconds = u64::try_from(self.per * self.bars).unwrap_or(0);
        let back = format!(" last {}", rough(Duration::from_secs(seconds)));
        let mut title = vec![styled(pad(&back, self.label), theme.strong())];
        for (metric, top) in tops {
            let (name, top) = (metric.name(), metric.words(*top));
            let mut words = format!("{name}, up to {top}");
            if words.len() >= self.cell {
                words = format!("{name} to {top}").replace("requests/s", "req/s");
            }
            title.push(styled(pad(&words, self.cell), theme.strong()));
        }
        Line::from(title)
    }
}

/// The number of now; with `!` where it is beyond what the guard allows.
fn number(metric: Metric, value: Option<f64>, app: &AppStatus, theme: Theme) -> Span<'static> {
    let Some(value) = value else {
        return styled(format!("{:>NUMBER$} ", "-"), theme.faint());
    };
    let guard = app.rollout.as_ref().and_then(|rollout| rollout.plan.guard);
    let bound = match metric {
        Metric::Rate => None,
        Metric::Bad => {
            let errors = guard.map(|guard| f64::from(guard.errors.permille()) / 1000.0);
            Some(errors.unwrap_or(BAD))
        }
        Metric::P99 => guard.and_then(|guard| guard.p99).map(|p99| p99.0.as_secs_f64()),
    };
    let words = metric.words(value);
    match bound {
        Some(bound) if value > bound => {
            let words = format!("{words}!");
            styled(format!("{words:>NUMBER$} "), theme.bad())
        }
        Some(_) | None => styled(format!("{words:>NUMBER$} "), theme.strong()),
    }
}

/// Why there are no numbers of now.
fn trouble(state: &State) -> Option<String> {
    if let Some(why) = &state.focus.uncounted {
        return Some(why.clone());
    }
    let read = state.focus.series.read_at()?;
    (!is_fresh(state)).then(|| format!("the last ones are {} old", rough(state.now.since(read))))
}

fn is_fresh(state: &State) -> bool {
    state.focus.series.read_at().is_some_and(|read| state.now.since(read) < STALE)
}

fn pad(text: &str, width: usize) -> String {
    let gap = width.saturating_sub(Span::raw(text).width());
    format!("{text}{}", " ".repeat(gap))
}
