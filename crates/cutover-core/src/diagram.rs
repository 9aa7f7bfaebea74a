//! Plans as a drawing: instances and traffic share over the stages. ASCII, 78 columns at most.

use crate::plan::{Aside, Downtime, Plan, Route, Stage};
use crate::print::gates;
use crate::release::ReleaseName;
use crate::units::{Count, Share};

/// Columns of the traffic bar: one for every 5 %.
const BAR: usize = 20;
/// Most columns of one side's instances; larger n are drawn in proportion.
const MOST: Count = 8;

/// A plan as an ASCII drawing for target `n`: time runs down, `=` is the old release, `#` the new.
#[must_use]
pub fn draw(plan: &Plan, n: Count, from: Option<&ReleaseName>, to: &ReleaseName) -> String {
    let old = from.map_or_else(|| "-".to_owned(), |name| clip(&name.to_string()));
    let new = clip(&to.to_string());
    let width = usize::try_from(n.clamp(2, MOST)).unwrap_or(2).max(old.len()).max(new.len()) + 1;
    let span = 2 * width + 2;
    let mut lines = vec![
        format!("        {:<span$} traffic", "instances"),
        format!("stage   {old:<width$}  {new:<width$} {:<BAR$}  new   then", "= old  # new"),
    ];
    let before = Stage::new(
        crate::plan::Size::All,
        crate::plan::Size::Zero,
        Route::split(Share::ZERO),
        vec![],
    );
    let start = (from.is_some()).then_some(("-".to_owned(), &before));
    let numbered = plan.stages.iter().enumerate().map(|(k, stage)| ((k + 1).to_string(), stage));
    let first = plan.first_of_winner().unwrap_or_default() + 1;
    let winner = plan.winner.iter().enumerate().map(|(k, stage)| ((first + k).to_string(), stage));
    for (k, (label, stage)) in start.into_iter().chain(numbered).chain(winner).enumerate() {
        if k == plan.stages.len() + usize::from(from.is_some()) {
            lines.push(format!("        and if {new} is kept, after the experiment:"));
        }
        let (stable, candidate) = stage.sizes.of(n);
        let stable = if from.is_some() { stable } else { 0 };
        let row = format!(
            "{label:>5}   {:<width$}  {:<width$} {:<BAR$}  {:<5} {}",
            dots(stable, n, '='),
            dots(candidate, n, '#'),
            bar(stage, stable, candidate),
            share(stage, stable, candidate).map_or("held".to_owned(), |s| s.to_string()),
            note(stage),
        );
        lines.push(row.trim_end().to_owned());
    }
    let bounds = plan.budget.bounds(n);
    let downtime = match plan.budget.downtime {
        Downtime::Never => format!("never under {} in service", bounds.floor),
        Downtime::Allowed => "users wait, or see the notice page".to_owned(),
    };
    lines.push(format!("        at most {} instances, {downtime}", bounds.ceiling));
    lines.push(String::new());
    lines.join("\n")
}

fn clip(name: &str) -> String {
    name.chars().take(10).collect()
}

fn dots(count: Count, n: Count, mark: char) -> String {
    let most = n.clamp(1, MOST);
    let full = if n <= MOST { count } else { (count * MOST).div_ceil(n) };
    let full = full.min(most);
    let mark = mark.to_string().repeat(full as usize);
    mark + &".".repeat((most - full) as usize)
}

/// The candidate's share; `None` where nobody is served.
fn share(stage: &Stage, stable: Count, candidate: Count) -> Option<Share> {
    match &stage.route {
        Route::Held => None,
        Route::Even => Some(Share::of(candidate, stable + candidate)),
        Route::Split { candidate, .. } | Route::Match { share: candidate, .. } => Some(*candidate),
    }
}

fn bar(stage: &Stage, stable: Count, candidate: Count) -> String {
    let Some(share) = share(stage, stable, candidate) else {
        return "~".repeat(BAR);
    };
    let full = usize::try_from(share.ceil_of(20)).unwrap_or(BAR).min(BAR);
    "=".repeat(BAR - full) + &"#".repeat(full)
}

fn note(stage: &Stage) -> String {
    let mut parts = vec![];
    match stage.aside {
        Aside::Nothing => {}
        Aside::Preview => parts.push("preview".to_owned()),
        Aside::Mirror(share) => parts.push(format!("{share} copied")),
    }
    parts.extend(stage.flag.map(|flag| format!("flag {flag}")));
    parts.push(gates(stage));
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use crate::patterns::Pattern;
    use crate::patterns::testing::{name, planned};

    #[test]
    fn every_pattern_is_drawn_in_78_columns_of_ascii() {
        for pattern in Pattern::ALL {
            let drawn = super::draw(&planned(pattern, ""), 4, Some(&name(1)), &name(2));
            assert!(drawn.is_ascii(), "{drawn}");
            assert!(drawn.lines().all(|line| line.len() <= 78), "{drawn}");
            insta::assert_snapshot!(format!("diagram_{pattern}"), drawn);
        }
    }
}
