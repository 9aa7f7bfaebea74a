//! What commands that change flags read and say.

use std::path::Path;

use cutover_core::id::Environment;
use cutover_core::units::Share;

use crate::cli::Session;
use crate::failure::{Done, Failure, exit};
use crate::flags::{Change, Changed, Moves, Setting, Standing, Who};
use crate::render;

/// A file with a token is a line.
const LARGEST_TOKEN: usize = 4096;

/// A share, with or without the sign.
pub(super) fn share(text: &str) -> Result<Share, String> {
    let whole = if text.ends_with('%') { text.to_owned() } else { format!("{text}%") };
    whole.parse().map_err(|error: cutover_core::units::InvalidShare| error.to_string())
}

/// The token in a file.
pub(super) fn token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("the token in {} cannot be read", path.display());
        Failure::new(exit::USAGE, message).because(&error)
    })?;
    let token = text.trim();
    match token.is_empty() || token.len() > LARGEST_TOKEN {
        true => Err(Failure::usage(format!("{} holds no token", path.display()))),
        false => Ok(token.to_owned()),
    }
}

/// A value of a query.
pub(super) fn query(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

/// Says what became of a change.
pub(super) fn tell(session: &Session, env: &Environment, flag: &str, changed: &Changed) -> Done {
    let late = changed.change.as_ref().is_some_and(|change| {
        matches!(change.standing, Standing::Made(_)) && !changed.published && !changed.dry_run
    });
    if session.common.json {
        session.print_json(changed)?;
    } else {
        session.print(&sentence(env, flag, changed))?;
        if let Some(moves) = changed.moves.as_ref().filter(|_| changed.change.is_some()) {
            session.print(&format!("  {}", of_users(moves)))?;
        }
        changed.notes.iter().for_each(|note| session.note(note));
    }
    Ok(if late { exit::TIMED_OUT } else { exit::OK })
}

fn sentence(env: &Environment, flag: &str, changed: &Changed) -> String {
    let Some(change) = &changed.change else {
        return format!("{flag} is so already: nothing was changed");
    };
    let (number, settings) = (change.number, listed(&change.settings));
    let of = &change.of;
    if changed.dry_run {
        return format!("{of} would be {settings} (was {}); nothing was changed", before(change));
    }
    match change.standing {
        Standing::Waiting => format!(
            "change {number} waits for a second person: {of} {settings}\n  cutover flag approve {number} --env {env} --token FILE"
        ),
        Standing::Withdrawn => format!("change {number} was taken back before it was made"),
        Standing::Made(_) if changed.published => {
            format!("{of} is {settings} (was {}), change {number}", before(change))
        }
        Standing::Made(_) => format!("{of} is going to be {settings}, change {number}"),
    }
}

fn before(change: &Change) -> String {
    listed(&change.before)
}

fn listed(settings: &[Setting]) -> String {
    settings.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// `12.0 % of 4,210 users move off -> on, 0 move back`.
fn of_users(moves: &Moves) -> String {
    let of = match moves.who {
        Who::Tracked => format!("{} users of the last hour", grouped(moves.users)),
        Who::Invented => {
            format!("{} made-up users (nobody was tracked lately)", grouped(moves.users))
        }
    };
    let percent = |users: u32| f64::from(users) * 100.0 / f64::from(moves.users.max(1));
    let one = |it: &crate::flags::Move| {
        format!("{:.1} % of {of} move {} -> {}", percent(it.users), it.from, it.to)
    };
    match moves.moves.as_slice() {
        [] => format!("none of {of} gets anything else"),
        [only] => format!("{}, 0 move back", one(only)),
        many => many.iter().map(one).collect::<Vec<_>>().join("\n  "),
    }
}

fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// One line of the history, and why below it.
pub(super) fn line(change: &Change) -> String {
    let (number, at) = (change.number, render::time(change.at));
    let standing = match (change.standing, &change.decided) {
        (Standing::Waiting, _) => "  waits for a second person".to_owned(),
        (Standing::Withdrawn, Some(by)) => format!("  taken back by {}", by.by),
        (Standing::Withdrawn, None) => "  taken back".to_owned(),
        (Standing::Made(_), Some(by)) => format!("  approved by {}", by.by),
        (Standing::Made(_), None) => String::new(),
    };
    let (of, act, by) = (&change.of, change.act, &change.by);
    let (now, was) = (listed(&change.settings), before(change));
    let mut line = format!("{number:>4}  {at}  {of}  {act}: {now} (was {was})  by {by}{standing}");
    if let Some(reason) = &change.reason {
        line += &format!("\n      {reason}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Move;

    #[test]
    fn figures_read_well() {
        let one = |from: &str, to: &str, users| Move { from: from.into(), to: to.into(), users };
        let mut moves =
            Moves { users: 10_000, who: Who::Invented, moves: vec![one("off", "on", 1200)] };
        assert_eq!(
            of_users(&moves),
            "12.0 % of 10,000 made-up users (nobody was tracked lately) move off -> on, 0 move back"
        );
        moves.who = Who::Tracked;
        moves.moves.push(one("on", "off", 1));
        assert!(
            of_users(&moves).ends_with("0.0 % of 10,000 users of the last hour move on -> off")
        );
        assert_eq!(
            (grouped(7), grouped(1000), grouped(1_234_567)),
            ("7".into(), "1,000".into(), "1,234,567".into())
        );
        assert_eq!(query("a b/ü"), "a%20b%2F%C3%BC");
        assert_eq!(share("12.5").unwrap().to_string(), "12.5%");
    }
}
