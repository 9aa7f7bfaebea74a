//! Plans as text: one line a stage.

use crate::plan::{Aside, Gate, Plan, Route, Stage, Sticky};
use crate::release::ReleaseName;
use crate::spec::{Against, Tolerance};
use crate::units::{Count, Span};

/// A plan for target `n`, one line a stage.
#[must_use]
pub fn plan(plan: &Plan, n: Count, from: Option<&ReleaseName>, to: &ReleaseName) -> String {
    let old = from.map_or_else(|| "-".to_owned(), ToString::to_string);
    let bounds = plan.budget.bounds(n);
    let first = if from.is_none() { ", first release" } else { "" };
    let head = match plan.flag.as_ref().filter(|_| plan.is_ramp()) {
        Some(flag) => format!("flag {flag}  on {to}, {n} instances"),
        None => format!("{}  {old} -> {to}, {n} instances{first}", plan.pattern),
    };
    let mut lines = vec![head];
    // There is one side only.
    let shown = from.filter(|_| !plan.is_ramp());
    lines.extend(rows(&plan.stages, 1, n, shown, to));
    if let Some(first) = plan.first_of_winner() {
        lines.push(format!("  and if {to} is kept, after the experiment:"));
        lines.extend(rows(&plan.winner, first + 1, n, from, to));
    }
    let floor = match (from, bounds.floor) {
        (None, _) => String::new(),
        (Some(_), 0) => ", users wait or see the notice page meanwhile".to_owned(),
        (Some(_), floor) => format!(", at least {floor} in service"),
    };
    lines.push(match plan.is_ramp() {
        true => "  no instance is touched".to_owned(),
        false => format!("  at most {} instances{floor}", bounds.ceiling),
    });
    if let Some(guard) = &plan.guard {
        let p99 = guard.p99.map_or_else(String::new, |p99| format!(" or p99 > {p99}"));
        let least = guard.min_requests;
        lines.push(format!(
            "  turns back when errors > {}{p99}, from {least} requests on",
            guard.errors
        ));
    }
    let other = if plan.is_ramp() { "without the flag" } else { &old };
    lines.extend(plan.against.iter().flat_map(|against| comparison(plan, against, other)));
    if !plan.keep.is_zero() {
        lines.push(format!("  {old} stays warm for {} afterwards", Span(plan.keep)));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What the comparison with the old release leads to.
fn comparison(plan: &Plan, against: &Against, old: &str) -> Vec<String> {
    if against.by_kayenta {
        return vec![format!("  turns back when Kayenta's judge finds it worse than {old}")];
    }
    let Tolerance { errors, latency } = &against.tolerance;
    let mut lines = vec![format!(
        "  turns back when shown to be worse than {old}: errors beyond {errors}, \
         latency beyond +{latency}"
    )];
    if plan.stages.iter().any(Stage::is_judged) {
        let least = against.not_worse_by;
        lines.push(format!("  goes on once shown not to be: errors less than +{least}"));
    }
    lines
}

/// Stages in aligned columns, numbered from `first`.
fn rows(
    stages: &[Stage],
    first: usize,
    n: Count,
    from: Option<&ReleaseName>,
    to: &ReleaseName,
) -> Vec<String> {
    let row = |(k, stage): (usize, &Stage)| {
        let (stable, candidate) = stage.sizes.of(n);
        let sizes = match from {
            Some(from) => format!("{from} {stable}, {to} {candidate}"),
            None => format!("{to} {candidate}"),
        };
        [(first + k).to_string(), sizes, traffic(stage, from, to), gates(stage)]
    };
    let cells: Vec<[String; 4]> = stages.iter().enumerate().map(row).collect();
    let width = |column: usize| {
        cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..3).map(|column| width(column).unwrap_or(0)).collect();
    let line = |[number, sizes, traffic, gates]: &[String; 4]| {
        let (a, b, c) = (widths[0], widths[1], widths[2]);
        let line = format!("  {number:>a$}  {sizes:<b$}  {traffic:<c$}  {gates}");
        line.trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

/// How a stage shares requests, in a few words.
#[must_use]
pub fn traffic(stage: &Stage, from: Option<&ReleaseName>, to: &ReleaseName) -> String {
    let mut text = match (&stage.route, from) {
        (Route::Held, _) => "nobody served".to_owned(),
        (Route::Even, _) => "even".to_owned(),
        (Route::Split { candidate, .. }, Some(from)) if candidate.permille() == 0 => {
            format!("all to {from}")
        }
        (Route::Split { candidate, .. }, _) if candidate.permille() == 1000 => {
            format!("all to {to}")
        }
        (Route::Split { candidate, sticky }, _) => {
            format!("{candidate} to {to}{}", kept(sticky))
        }
        (Route::Match { share, sticky, .. }, _) => {
            format!("marked and {share} to {to}{}", kept(sticky))
        }
    };
    match stage.aside {
        Aside::Nothing => {}
        Aside::Preview => text += &format!(", {to} on preview"),
        Aside::Mirror(share) => text += &format!(", {share} copied to {to}"),
    }
    if let Some(flag) = stage.flag {
        text += &format!(", flag {flag}");
    }
    text
}

fn kept(sticky: &Sticky) -> String {
    match sticky {
        Sticky::No => String::new(),
        Sticky::Cookie => ", by cookie".to_owned(),
        Sticky::Header(name) => format!(", by {name}"),
    }
}

/// What has to hold before the next stage, in a few words.
#[must_use]
pub fn gates(stage: &Stage) -> String {
    let text = |gate: &Gate| match gate {
        Gate::Ready => "ready".to_owned(),
        Gate::Hold(span) => format!("hold {}", Span(*span)),
        Gate::Judge { bake, .. } => format!("judge {}", Span(*bake)),
        Gate::Approval => "approval".to_owned(),
        Gate::Conclude(span) => format!("conclude within {}", Span(*span)),
        Gate::Confirm(span) => format!("confirm within {}", Span(*span)),
        Gate::Hooks => "hooks".to_owned(),
    };
    stage.gates.iter().map(text).collect::<Vec<_>>().join(", ")
}
