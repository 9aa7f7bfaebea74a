//! What a command that fails says, and its exit code.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::ops::{Deref, DerefMut};

use cutover_core::spec::{MOST_PROBLEMS, Problem};
use cutover_engine::api::{Refused, RefusedKind};
use serde::Serialize;

/// Exit codes; scripts depend on them.
pub(crate) mod exit {
    pub(crate) const OK: u8 = 0;
    pub(crate) const INTERNAL: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const SPEC: u8 = 3;
    pub(crate) const PREFLIGHT: u8 = 4;
    pub(crate) const TURNED_BACK: u8 = 6;
    pub(crate) const HELD: u8 = 8;
    pub(crate) const TIMED_OUT: u8 = 9;
    pub(crate) const UNREACHABLE: u8 = 10;
    pub(crate) const INTERRUPTED: u8 = 130;
}

/// A command that failed. Boxed, because most results are none.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct Failure(Box<Words>);

impl Deref for Failure {
    type Target = Words;
    fn deref(&self) -> &Words {
        &self.0
    }
}
impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Words {
        &mut self.0
    }
}

/// What failed, why, what is unchanged, and what to do next.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Words {
    #[serde(rename = "exit_code")]
    pub(crate) code: u8,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) causes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) problems: Vec<Problem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unchanged: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) help: Vec<String>,
    /// The final JSON object of the command is printed already.
    #[serde(skip)]
    pub(crate) reported: bool,
    /// Nothing is printed: the reader of our output has gone.
    #[serde(skip)]
    pub(crate) silent: bool,
}

pub(crate) type Done = Result<u8, Failure>;

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Failure {
        Failure(Box::new(Words {
            code,
            message: message.into(),
            causes: Vec::new(),
            problems: Vec::new(),
            unchanged: None,
            help: Vec::new(),
            reported: false,
            silent: false,
        }))
    }
    pub(crate) fn internal(message: impl Into<String>, cause: &(dyn Error + 'static)) -> Failure {
        Failure::new(exit::INTERNAL, message).because(cause)
    }
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(exit::USAGE, message)
    }
    pub(crate) fn help(mut self, help: impl Into<String>) -> Failure {
        self.help.push(help.into());
        self
    }
    pub(crate) fn unchanged(mut self, text: impl Into<String>) -> Failure {
        self.unchanged = Some(text.into());
        self
    }
    /// Adds the whole chain of causes, outermost first.
    pub(crate) fn because(mut self, cause: &(dyn Error + 'static)) -> Failure {
        let mut next = Some(cause);
        while let Some(error) = next {
            self.causes.push(error.to_string());
            next = error.source();
        }
        self
    }
    pub(crate) fn spec(problems: Vec<Problem>) -> Failure {
        let message = match problems.as_slice() {
            [one] => format!("{} is not valid", one.file),
            many => {
                let file = many.first().map_or("the spec", |problem| &problem.file);
                match many.len() {
                    n if n > MOST_PROBLEMS => {
                        format!("{file} is not valid: more than {MOST_PROBLEMS} problems")
                    }
                    n => format!("{file} is not valid: {n} problems"),
                }
            }
        };
        let mut failure = Failure::new(exit::SPEC, message);
        failure.problems = problems;
        failure.unchanged("nothing was sent to the daemon")
    }

    /// The failure as text, one `label: text` block after the other.
    pub(crate) fn text(&self, colour: bool) -> String {
        let label = |name: &str, code: &str| match colour {
            true => format!("\x1b[{code}m{name}:\x1b[0m"),
            false => format!("{name}:"),
        };
        let mut lines = vec![format!("{} {}", label("error", "1;31"), indented(&self.message))];
        for cause in &self.causes {
            lines.push(format!("  because {}", indented(cause)));
        }
        for problem in &self.problems {
            lines.push(format!("  {}", indented(&problem.to_string())));
            if let Some(help) = &problem.help {
                lines.push(format!("    {} {}", label("help", "36"), indented(help)));
            }
        }
        if let Some(unchanged) = &self.unchanged {
            lines.push(format!("{} {unchanged}", label("unchanged", "32")));
        }
        for help in &self.help {
            lines.push(format!("{} {}", label("help", "36"), indented(help)));
        }
        lines.join("\n")
    }

    /// Prints it once, on stderr.
    pub(crate) fn print(&self) {
        if self.silent {
            return;
        }
        let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        // There is nobody left to tell if stderr is gone.
        let _ = writeln!(io::stderr(), "{}", self.text(colour));
    }
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n  ")
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Failure {
        let code = match refused.kind {
            RefusedKind::Internal => exit::INTERNAL,
            RefusedKind::Usage => exit::USAGE,
            RefusedKind::Spec => exit::SPEC,
            RefusedKind::Preflight => exit::PREFLIGHT,
            RefusedKind::Held | RefusedKind::Frozen => exit::HELD,
        };
        let mut failure = Failure::new(code, refused.message);
        failure.help.extend(refused.help);
        failure
    }
}

impl From<io::Error> for Failure {
    /// Only output is written with `?` on an I/O error; a reader that left is no error to speak of.
    fn from(error: io::Error) -> Failure {
        let silent = error.kind() == io::ErrorKind::BrokenPipe;
        let code = if silent { exit::OK } else { exit::INTERNAL };
        let mut failure = Failure::new(code, "cannot write the output").because(&error);
        failure.silent = silent;
        failure
    }
}

impl From<cutover_files::FileError> for Failure {
    fn from(error: cutover_files::FileError) -> Failure {
        let mut failure = Failure::new(exit::INTERNAL, error.to_string());
        if let Some(source) = error.source() {
            failure = failure.because(source);
        }
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_cause_unchanged_and_next_command() {
        let failure = Failure::internal("cannot do it", &io::Error::other("disk full"))
            .unchanged("v1 is live as before")
            .help("make room");
        assert_eq!(
            failure.text(false),
            "error: cannot do it\n  because disk full\nunchanged: v1 is live as before\nhelp: make room"
        );
        assert!(failure.text(true).contains("\x1b["));
    }
}
