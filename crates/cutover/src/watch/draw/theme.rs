//! Colours, or none. Whatever a colour says is also said by a word or a letter.

use ratatui::style::{Color, Modifier, Style};

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    Colour,
    Plain,
}

/// Of the releases, by their place; only colours that read well on black and on white.
const RELEASES: [Color; 4] = [Color::Cyan, Color::Magenta, Color::Yellow, Color::Blue];

impl Theme {
    /// No colours with NO_COLOR (<https://no-color.org>).
    pub(crate) fn from_env() -> Theme {
        match std::env::var_os("NO_COLOR").filter(|value| !value.is_empty()) {
            Some(_) => Theme::Plain,
            None => Theme::Colour,
        }
    }

    fn coloured(self, colour: Color) -> Style {
        match self {
            Theme::Colour => Style::new().fg(colour),
            Theme::Plain => Style::new(),
        }
    }

    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }
    pub(super) fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }
    pub(super) fn good(self) -> Style {
        self.coloured(Color::Green)
    }
    pub(super) fn warning(self) -> Style {
        self.coloured(Color::Yellow).add_modifier(Modifier::BOLD)
    }
    pub(super) fn bad(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }
    /// A word that has to be seen from afar.
    pub(super) fn banner(self, style: Style) -> Style {
        style.add_modifier(Modifier::REVERSED)
    }
    /// What belongs to the release in this place.
    pub(super) fn release(self, place: Option<usize>) -> Style {
        let colour = place.and_then(|place| RELEASES.get(place % RELEASES.len()).copied());
        colour.map_or(Style::new(), |colour| self.coloured(colour))
    }
}
