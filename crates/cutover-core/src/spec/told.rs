//! Problems as they are found, and what is left out because of them.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de;

use super::problem::Problem;
use super::tree::{Node, Place};

/// The problems told so far.
#[derive(Debug)]
pub(super) struct Told<'a> {
    files: Vec<&'a str>,
    problems: RefCell<Vec<Problem>>,
    /// How many values are broken so far.
    broken: Cell<usize>,
}

impl<'a> Told<'a> {
    pub(super) fn new(files: Vec<&'a str>, problems: Vec<Problem>) -> Told<'a> {
        Told { files, problems: RefCell::new(problems), broken: Cell::new(0) }
    }
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// Tells a problem; one that is known already is not told again.
    pub(super) fn tell(&self, place: Option<Place>, message: String, help: Option<String>) {
        let file = self.files.get(place.map_or(0, |place| place.source));
        let file = file.copied().unwrap_or_default().to_owned();
        let place = place.map(|place| (place.line, place.column));
        let problem = Problem { file, place, message, help };
        let mut problems = self.problems.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// How many values are left out.
    pub(super) fn left_out(&self) -> usize {
        self.broken.get()
    }

    /// Leaves a value out from now on.
    pub(super) fn leave_out(&self, node: &Node) {
        if !node.broken.replace(true) {
            self.broken.set(self.broken.get() + 1);
        }
    }

    /// Tells what is wrong with a value, unless that was told deeper inside, and leaves it out.
    pub(super) fn blame(&self, node: &Node, wrong: Wrong) -> Wrong {
        match wrong {
            Wrong::Told => return Wrong::Told,
            // Told where the keys of the map were looked at, or it follows from what was told.
            Wrong::Missing(_) => {}
            Wrong::Because(message, help) => self.tell(Some(node.place), message, help),
        }
        self.leave_out(node);
        Wrong::Told
    }
}

/// Why a value cannot be read.
#[derive(Debug)]
pub(super) enum Wrong {
    /// It has been told.
    Told,
    /// A key is not there.
    Missing(&'static str),
    /// This, and what to write instead.
    Because(String, Option<String>),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Told => f.write_str("told already"),
            Wrong::Missing(key) => write!(f, "missing key `{key}`"),
            Wrong::Because(message, _) => f.write_str(message),
        }
    }
}
impl std::error::Error for Wrong {}
impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Wrong {
        Wrong::Because(message.to_string(), None)
    }
    fn missing_field(key: &'static str) -> Wrong {
        Wrong::Missing(key)
    }
}
