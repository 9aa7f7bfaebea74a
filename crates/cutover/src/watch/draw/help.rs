//! What the keys do and the signs mean.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};

use super::theme::Theme;

const TEXT: [&str; 12] = [
    "p        let the rollout go on: gives the approval it",
    "         waits for; asks first if it waits for none",
    "space    pause before the next stage, or go on",
    "a        turn the rollout back; asks first",
    "tab ← →  another app          q esc ctrl-c  leave",
    "",
    "Leaving changes nothing: rollouts go on without you.",
    "▶ the stage it is in   ✓ left behind   · to come",
    "Numbers are of the last 10 s; ! is beyond the guard.",
    "Bars: higher is more, ▁ is zero, empty is unknown.",
    "errors: 5xx, no answer, and lost with an instance.",
    "apps: * rollout, ? waits for you, ! needs a look.",
];

pub(super) fn draw(frame: &mut Frame<'_>, theme: Theme) {
    let lines: Vec<Line<'static>> = TEXT.iter().map(|line| Line::from(*line)).collect();
    let (width, height) = (57, 14);
    let all = frame.area();
    let area = Rect {
        x: all.width.saturating_sub(width) / 2,
        y: all.height.saturating_sub(height) / 2,
        width: width.min(all.width),
        height: height.min(all.height),
    };
    let block = Block::bordered().title(" help: any key closes it ").border_style(theme.strong());
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
