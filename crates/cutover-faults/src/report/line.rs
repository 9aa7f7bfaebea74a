//! One run in one line; in more, where something is wrong.

use crate::checks::Course;
use crate::run::{End, Outcome};
use crate::world::Version;

/// A run as it is told when it ends.
pub(crate) fn line(number: usize, outcome: &Outcome) -> String {
    let choices = &outcome.choices;
    let course = match outcome.course {
        Some(Course::Promoted) => "promoted",
        Some(Course::Observed) => "observed",
        Some(Course::TurnedBack) => "turned back",
        Some(Course::Refused) => "refused",
        None => "-",
    };
    let version = if choices.version == Version::Bad { " of a bad version" } else { "" };
    let back =
        outcome.back.map_or_else(String::new, |back| format!(", back in {} ms", back.as_millis()));
    let note = outcome.note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
    let about = format!(
        "#{number} {} {}: {}{version}, {}",
        choices.seed, choices.fault, choices.pattern, choices.moment
    );
    match &outcome.end {
        End::Skipped(why) => format!("{about}: skipped: {why}"),
        End::Kept => format!(
            "{about}: {course}, {:.1} s, {} requests, {} failed{back}{note}",
            outcome.took.as_secs_f64(),
            outcome.requests,
            outcome.failed,
        ),
        End::Broken { what, folder, trace } => format!(
            "{about}: BROKEN, {course}{back}{note}\n  {}\nreplay: --replay {}\nkept: {}\n{trace}",
            what.join("\n  "),
            choices.seed,
            folder.display(),
        ),
    }
}
