//! Who gets the requests, as a bar.

use cutover_core::units::Share;
use cutover_engine::api::AppStatus;
use ratatui::text::Line;

use super::super::marks::letter;
use super::super::state::State;
use super::line::{clip, styled, text};
use super::theme::Theme;

/// `traffic  AAAAAAAAAAAABBBB  A v1 75%  B v2 25%`
pub(super) fn line(state: &State, app: &AppStatus, theme: Theme, width: usize) -> Line<'static> {
    let mut legend = vec![];
    let mut parts = vec![];
    for release in state.focus.marks.releases() {
        let Some(place) = state.focus.marks.of(release) else { continue };
        let share = app.shares.get(&release).copied().unwrap_or(Share::ZERO);
        let name = state.focus.names.of(&app.subject).map(|known| known.release(release));
        let name = name.unwrap_or_else(|| release.to_string());
        let words = format!("  {} {name} {share}", letter(place));
        legend.push(styled(words, theme.release(Some(place))));
        parts.push((place, share));
    }
    let used: usize = legend.iter().map(|span| span.width()).sum();
    let cells = width.saturating_sub(" traffic  ".len() + used + 1).clamp(10, 60);
    let mut spans = vec![text(" traffic  ")];
    if app.held {
        spans.push(styled("requests wait: nobody serves", theme.warning()));
    } else {
        let counts = split(&parts.iter().map(|(_, share)| *share).collect::<Vec<_>>(), cells);
        for ((place, _), count) in parts.iter().zip(counts) {
            let cell = letter(*place).to_string();
            let style = theme.banner(theme.release(Some(*place)));
            let style = if matches!(theme, Theme::Plain) { theme.strong() } else { style };
            spans.push(styled(cell.repeat(count), style));
        }
    }
    spans.extend(legend);
    clip(Line::from(spans), width)
}

/// Cells for each share. Whatever gets something gets a cell, and the largest one the rest.
fn split(shares: &[Share], cells: usize) -> Vec<usize> {
    let scaled = |share: &Share| {
        let exact = usize::try_from(share.permille()).unwrap_or(0) * cells;
        if *share == Share::ZERO { 0 } else { ((exact + 500) / 1000).max(1) }
    };
    let mut counts: Vec<usize> = shares.iter().map(scaled).collect();
    let largest = (0..shares.len()).max_by_key(|place| shares.get(*place));
    let others: usize = counts.iter().sum();
    if let Some(count) = largest.and_then(|place| counts.get_mut(place)).filter(|count| **count > 0)
    {
        *count = cells.saturating_sub(others - *count);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_shares_are_seen_and_the_bar_is_full() {
        let shares =
            |all: &[u32]| all.iter().map(|one| Share::from_permille(*one)).collect::<Vec<_>>();
        assert_eq!(split(&shares(&[750, 250]), 40), [30, 10]);
        assert_eq!(split(&shares(&[999, 1]), 40), [39, 1]);
        assert_eq!(split(&shares(&[333, 333, 333]), 40), [13, 13, 14]);
        assert_eq!(split(&shares(&[1000, 0]), 40), [40, 0]);
        assert_eq!(split(&shares(&[0, 0]), 40), [0, 0]);
        assert_eq!(split(&[], 40), Vec::<usize>::new());
    }
}
