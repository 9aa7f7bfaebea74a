//! A stage in a few words.

use cutover_core::plan::{Aside, Gate, Plan, Route, Stage};
use cutover_core::units::{Count, Share, Span};

use super::names::Known;

/// `2/5`
pub(super) fn number(plan: &Plan, stage: usize) -> String {
    format!("{}/{}", stage + 1, plan.stages.len())
}

/// `2/5 25% to v2 (v1 ×4, v2 ×1; verdict after 3s)`
pub(super) fn words(known: &Known, index: usize) -> String {
    let Some(plan) = &known.plan else {
        return (index + 1).to_string();
    };
    let number = number(plan, index);
    match plan.stages.get(index) {
        Some(stage) => format!("{number} {}", describe(stage, known)),
        None => number,
    }
}

/// `25% to v2 (v1 ×4, v2 ×1; verdict after 3s)`
pub(crate) fn describe(stage: &Stage, known: &Known) -> String {
    let (old, new) = stage.sizes.of(known.n);
    let mut text = traffic(stage, known, (old, new));
    match stage.aside {
        Aside::Nothing => {}
        Aside::Preview => text.push_str(", preview open"),
        Aside::Mirror(share) => text.push_str(&format!(", {share} copied to {}", known.to)),
    }
    if let Some(share) = stage.flag {
        text.push_str(&format!(", flag on for {share}"));
    }
    let mut inside = Vec::new();
    // A ramp has one side only.
    if let Some(from) = known.from.as_ref().filter(|from| **from != known.to) {
        inside.push(format!("{from} ×{old}"));
    }
    inside.push(format!("{} ×{new}", known.to));
    let gates: Vec<String> = stage.gates.iter().filter_map(gate).collect();
    let after = if gates.is_empty() { String::new() } else { format!("; {}", gates.join(", ")) };
    format!("{text} ({}{after})", inside.join(", "))
}

fn traffic(stage: &Stage, known: &Known, (old, new): (Count, Count)) -> String {
    let to = &known.to;
    let from = known.from.as_deref().unwrap_or("nobody");
    match &stage.route {
        Route::Even if old == 0 => format!("all traffic to {to}"),
        Route::Even => format!("{} to {to}", Share::of(new, new.saturating_add(old))),
        Route::Split { candidate, .. } => share(*candidate, from, to),
        Route::Match { share, .. } if *share == Share::ZERO => format!("marked requests to {to}"),
        Route::Match { share, .. } => format!("marked requests and {share} to {to}"),
        Route::Held => "requests wait".to_owned(),
    }
}

fn share(candidate: Share, from: &str, to: &str) -> String {
    match candidate {
        Share::ZERO => format!("all traffic to {from}"),
        Share::FULL => format!("all traffic to {to}"),
        part => format!("{part} to {to}"),
    }
}

fn gate(gate: &Gate) -> Option<String> {
    match gate {
        Gate::Ready => None,
        Gate::Hold(span) => Some(format!("hold {}", Span(*span))),
        Gate::Judge { bake, .. } => Some(format!("verdict after {}", Span(*bake))),
        Gate::Approval => Some("approval".to_owned()),
        Gate::Conclude(span) => Some(format!("experiment, {} at most", Span(*span))),
        Gate::Confirm(span) => Some(format!("to be confirmed within {}", Span(*span))),
        Gate::Hooks => Some("hooks".to_owned()),
    }
}

/// The time a stage takes at least, once it is reached.
pub(super) fn hold(plan: &Plan, index: usize) -> std::time::Duration {
    let gates = plan.stages.get(index).map_or(&[][..], |stage| &stage.gates);
    let spans = gates.iter().map(|gate| match gate {
        Gate::Hold(span) | Gate::Conclude(span) | Gate::Confirm(span) => *span,
        Gate::Judge { bake, .. } => *bake,
        Gate::Ready | Gate::Approval | Gate::Hooks => std::time::Duration::ZERO,
    });
    spans.max().unwrap_or_default()
}
