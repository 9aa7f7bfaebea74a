//! The terminal as a screen of our own, given back whatever happens.

use std::io;

use ratatui::{DefaultTerminal, Frame};

use crate::failure::Failure;

/// The alternate screen in raw mode; dropping it gives the terminal back as it was. A panic does so
/// before it says anything, by a hook of ratatui.
#[derive(Debug)]
pub(crate) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    pub(crate) fn enter() -> Result<Screen, Failure> {
        Ok(Screen { terminal: ratatui::try_init().map_err(unusable)? })
    }

    pub(crate) fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> Result<(), Failure> {
        self.terminal.draw(render).map(|_| ()).map_err(unusable)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing any more.
        let _ = self.terminal.show_cursor();
        // Leaving twice would put the cursor into what the panic has said.
        if !std::thread::panicking() {
            let _ = ratatui::try_restore();
        }
    }
}

fn unusable(error: io::Error) -> Failure {
    Failure::internal("cannot use the terminal", &error)
        .help("as plain lines: cutover status --watch | cat")
}
