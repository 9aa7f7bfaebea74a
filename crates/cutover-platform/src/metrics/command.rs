//! A number that a program prints.

use cutover_core::metric::Found;
use cutover_engine::execute::{Ended, execute, last_lines};
use cutover_engine::ports::Sides;

use super::unread::Unread;
use crate::local::printable;

/// Runs the program and reads the last line that it prints to its standard output.
///
/// It gets `CUTOVER_APP`, `CUTOVER_ENV`, `CUTOVER_VERSION`, `CUTOVER_RELEASE` and, if there is one,
/// `CUTOVER_STABLE`: the version of the old release.
pub(super) async fn read(command: &[String], sides: &Sides) -> Result<Found, Unread> {
    let command: Vec<String> =
        command.iter().map(|part| sides.fill(part, &sides.candidate)).collect();
    let mut facts = vec![
        ("app", sides.subject.app.to_string()),
        ("env", sides.subject.env.to_string()),
        ("version", sides.candidate.version.to_string()),
        ("release", sides.candidate.id.to_string()),
    ];
    facts.extend(sides.stable.as_ref().map(|stable| ("stable", stable.version.to_string())));
    let ended = execute(&command, &sides.base, &facts)
        .await
        .map_err(|error| Unread::new(error.to_string()))?;
    number(&ended)
}

fn number(ended: &Ended) -> Result<Found, Unread> {
    if !ended.status.success() {
        let said = printable(&last_lines(&ended.output, 3), 300);
        let said = if said.is_empty() { said } else { format!(": {said}") };
        return Err(Unread::new(format!("it could not look ({}){said}", ended.status)));
    }
    let last = ended.stdout.lines().map(str::trim).rfind(|line| !line.is_empty());
    let Some(last) = last else {
        return Ok(Found::Nothing("it printed nothing".to_owned()));
    };
    match last.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Found::Value(number)),
        Ok(_) | Err(_) => {
            let last = printable(last, 80);
            Err(Unread::new(format!("the last line that it printed is no number: {last}"))
                .help("print the number alone, at the end; and all else to standard error"))
        }
    }
}
