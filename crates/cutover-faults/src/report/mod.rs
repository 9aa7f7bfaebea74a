//! What the runs showed.

mod figures;
mod line;
mod table;

pub(crate) use figures::Figures;
pub(crate) use line::line;
pub(crate) use table::{Shape, Table};

use crate::checks::Course;
use crate::fault::Fault;
use crate::run::{End, Outcome};

/// Runs per fault and how they went.
pub(crate) fn by_fault(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new(&[
        "fault",
        "runs",
        "promoted",
        "observed",
        "turned back",
        "refused",
        "requests",
        "failed",
        "broken",
    ]);
    let row = |name: &str, mine: &[&Outcome]| {
        let count = |course| mine.iter().filter(|one| one.course == Some(course)).count();
        let broken = mine.iter().filter(|one| matches!(one.end, End::Broken { .. })).count();
        let failed: u64 = mine.iter().map(|one| one.failed).sum();
        let requests: u64 = mine.iter().map(|one| one.requests).sum();
        let mut cells = vec![name.to_owned(), mine.len().to_string()];
        for course in [Course::Promoted, Course::Observed, Course::TurnedBack, Course::Refused] {
            cells.push(count(course).to_string());
        }
        cells.extend([requests.to_string(), failed.to_string(), broken.to_string()]);
        cells
    };
    let ran = |one: &&Outcome| !matches!(one.end, End::Skipped(_));
    for fault in Fault::ALL {
        let mine: Vec<&Outcome> =
            outcomes.iter().filter(|one| one.choices.fault == fault).filter(ran).collect();
        if !mine.is_empty() {
            table.push(row(fault.name(), &mine));
        }
    }
    let all: Vec<&Outcome> = outcomes.iter().filter(ran).collect();
    table.push(row("all", &all));
    table
}
