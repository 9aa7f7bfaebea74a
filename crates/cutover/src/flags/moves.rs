//! Who changes side by a change: both definitions, evaluated for the same users.

use std::collections::{BTreeMap, BTreeSet};

use cutover_core::served_flags::Track;
use cutover_flags::{Context, Definitions, Outcome, Selector};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many users are made up where nobody was seen.
const INVENTED: u32 = 10_000;

/// Who changes side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Moves {
    /// How many users were asked for.
    pub(crate) users: u32,
    /// Who they are.
    pub(crate) who: Who,
    /// Those who get something else than before, the largest group first.
    pub(crate) moves: Vec<Move>,
}

/// Which users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Who {
    /// Those of whom exposures and outcomes came in the last hour. Only their targeting keys are known.
    Tracked,
    /// Made up, because nobody was tracked in the last hour.
    Invented,
}

/// A group that changes side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Move {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) users: u32,
}

/// The users to ask for.
#[derive(Debug, Clone)]
pub(super) struct Users {
    who: Who,
    keys: Vec<String>,
}

impl Users {
    /// Those of tracks; without any, made-up ones.
    pub(super) fn of(tracks: impl IntoIterator<Item = Track>) -> Users {
        let key = |track: Track| match track {
            Track::Exposure { targeting_key, .. } | Track::Outcome { targeting_key, .. } => {
                targeting_key
            }
        };
        let keys: BTreeSet<String> = tracks.into_iter().map(key).collect();
        match keys.is_empty() {
            false => Users { who: Who::Tracked, keys: keys.into_iter().collect() },
            true => {
                let keys = (1..=INVENTED).map(|user| format!("user-{user}"));
                Users { who: Who::Invented, keys: keys.collect() }
            }
        }
    }
}

/// Evaluates a flag for everybody by both definitions, at a time in seconds.
pub(super) fn moves(
    key: &str,
    selector: &Selector,
    old: &Definitions,
    new: &Definitions,
    users: &Users,
    now: i64,
) -> Moves {
    let (old, new) = (old.get(selector), new.get(selector));
    let mut groups: BTreeMap<(String, String), u32> = BTreeMap::new();
    for user in &users.keys {
        let context = Context::of_user(user);
        let was = side(&old.evaluate(key, &context, now).outcome);
        let is = side(&new.evaluate(key, &context, now).outcome);
        if was != is {
            *groups.entry((was, is)).or_default() += 1;
        }
    }
    let group = |((from, to), users)| Move { from, to, users };
    let mut moves: Vec<Move> = groups.into_iter().map(group).collect();
    moves.sort_by_key(|one| std::cmp::Reverse(one.users));
    let users_in_all = u32::try_from(users.keys.len()).unwrap_or(u32::MAX);
    Moves { users: users_in_all, who: users.who, moves }
}

/// What a user gets, in a word.
fn side(outcome: &Outcome<'_>) -> String {
    match outcome {
        Outcome::Variant(_, variant) => variant.name().to_owned(),
        Outcome::CodeDefault(_) => "the code's default".to_owned(),
        Outcome::Failed(code, _) => format!("error {}", code.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use cutover_flags::Source;

    use super::*;

    #[test]
    fn groups_are_those_of_real_evaluations() {
        let load = |share: &str| {
            let text = format!(
                "flags:\n  f:\n    state: ENABLED\n    variants: {{on: true, off: false}}\n    \
                 defaultVariant: off\n    cutover: {{ramp: {{variant: on, share: {share}}}}}\n"
            );
            Definitions::load(&[Source::new("f.yaml", &text)]).0
        };
        let (old, new) = (load("10%"), load("22%"));
        let users = Users::of([]);
        let found = moves("f", &Selector::All, &old, &new, &users, 0);
        let on = |definitions: &Definitions, user: &u32| {
            let context = Context::of_user(&format!("user-{user}"));
            let outcome = definitions.get(&Selector::All).evaluate("f", &context, 0).outcome;
            outcome.to_string().starts_with("on")
        };
        let count = (1..=INVENTED).filter(|user| !on(&old, user) && on(&new, user)).count();
        assert_eq!((found.users, found.who), (INVENTED, Who::Invented));
        let expected = Move { from: "off".into(), to: "on".into(), users: count as u32 };
        assert_eq!(found.moves, [expected], "nobody moves back");
        assert!((1100..1300).contains(&count), "{count}");
    }
}
