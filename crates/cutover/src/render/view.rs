//! Progress on the way, as the flags and the terminal want it.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use cutover_core::event::{Event, EventKind};

use super::names::Names;
use super::terminal::Terminal;
use super::time::{now, time};
use super::{json, plain};
use crate::cli::{Common, Output};
use crate::failure::Failure;

/// From one sign of life to the next where nothing else is said.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Shows events as they come.
pub(crate) struct View {
    names: Names,
    form: Form,
    /// Events also go to stdout as JSON.
    ndjson: bool,
    verbose: bool,
}

enum Form {
    Quiet,
    Plain { last: Instant, at: String },
    Terminal(Box<Terminal>),
}

impl View {
    pub(crate) fn new(common: &Common) -> View {
        let ndjson = common.output == Output::Ndjson;
        let form = if common.quiet || ndjson {
            Form::Quiet
        } else if common.output == Output::Text
            && io::stderr().is_terminal()
            && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
        {
            Form::Terminal(Box::new(Terminal::new()))
        } else {
            Form::Plain { last: Instant::now(), at: String::new() }
        };
        View { names: Names::default(), form, ndjson, verbose: common.verbose }
    }

    pub(crate) fn event(&mut self, event: &Event) -> Result<(), Failure> {
        self.names.learn(event);
        if self.ndjson {
            writeln!(io::stdout(), "{}", json(event)?)?;
        }
        match &mut self.form {
            Form::Quiet => {}
            Form::Terminal(terminal) => terminal.event(event, &self.names, self.verbose),
            Form::Plain { last, at } => {
                if matches!(
                    event.kind,
                    EventKind::StageEntered { .. } | EventKind::RolloutBegun { .. }
                ) {
                    *at = plain(event, &self.names)
                        .first()
                        .and_then(|line| line.split_once(' '))
                        .map_or_else(String::new, |(_, rest)| rest.to_owned());
                }
                *last = Instant::now();
                for line in plain(event, &self.names) {
                    // There is nobody left to tell if stderr is gone; the result still counts.
                    let _ = writeln!(io::stderr(), "{line}");
                }
            }
        }
        Ok(())
    }

    pub(crate) fn tick(&mut self) {
        match &mut self.form {
            Form::Quiet => {}
            Form::Terminal(terminal) => terminal.tick(),
            Form::Plain { last, at } if last.elapsed() >= HEARTBEAT => {
                *last = Instant::now();
                let _ = writeln!(io::stderr(), "{} {at} … still at it", time(now()));
            }
            Form::Plain { .. } => {}
        }
    }

    /// Says something that is no event.
    pub(crate) fn note(&mut self, text: &str) {
        match &mut self.form {
            Form::Terminal(terminal) => terminal.note(text),
            Form::Quiet | Form::Plain { .. } => {
                let _ = writeln!(io::stderr(), "{text}");
            }
        }
    }

    pub(crate) fn end(self) {
        if let Form::Terminal(terminal) = self.form {
            terminal.end();
        }
    }
}
