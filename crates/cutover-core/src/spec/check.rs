//! Rules that types alone do not express, and where in the file they are broken.

use std::fmt;

use schemars::schema_for;
use serde::Serialize;

use super::{Hook, Source, Spec};
use crate::patterns::Pattern;
use crate::plan::MatchRule;
use crate::units::Share;

/// One thing that is wrong with a spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file it is in.
    pub file: String,
    /// (line, column), from 1, where known.
    pub place: Option<(u64, u64)>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl Problem {
    pub(super) fn whole(file: &str, message: impl Into<String>) -> Problem {
        Problem { file: file.to_owned(), place: None, message: message.into(), help: None }
    }

    pub(super) fn of_yaml(source: &Source, error: &serde_saphyr::Error) -> Problem {
        let error = error.without_snippet();
        let place = error.location().map(|at| (at.line(), at.column()));
        let text = error.to_string();
        // The place is told apart from the text.
        let text = text.split(" at line ").next().unwrap_or_default().trim().to_owned();
        let found = Problem::of_text(source, &text);
        Problem { place: place.or(found.place), ..found }
    }

    /// A problem told by a deserialiser, with the key it names looked up.
    pub(super) fn of_text(source: &Source, text: &str) -> Problem {
        let quoted = |before: &str| text.split(before).nth(1)?.split('`').next();
        let unknown = quoted("unknown field `");
        let variant = quoted("unknown variant `");
        let expected = text.split("expected ").nth(1).unwrap_or_default();
        let expected = expected.trim_start_matches("one of ").replace(" or ", ", ");
        let named = unknown.or(variant);
        let choices = expected.split(", ").map(|choice| choice.trim_matches('`'));
        let help = named.and_then(|given| meant(given, choices));
        let message = match (unknown, variant) {
            (Some(key), _) => format!("unknown key `{key}`"),
            (None, Some(value)) => format!("unknown value `{value}`"),
            (None, None) if text.starts_with("invalid u") => "expected a whole number".to_owned(),
            (None, None) => text.to_owned(),
        };
        let place = named.and_then(|name| find(&source.text, name));
        Problem { file: source.name.clone(), place, message, help }
    }
}

fn meant<'a>(given: &str, choices: impl Iterator<Item = &'a str>) -> Option<String> {
    let choices: Vec<&str> = choices.filter(|choice| !choice.is_empty()).collect();
    let abbreviates = |choice: &&&str| choice.len() >= 3 && given.starts_with(**choice);
    let near = choices.iter().find(abbreviates).map(|choice| (0, *choice)).or_else(|| {
        choices
            .iter()
            .map(|choice| (strsim::damerau_levenshtein(given, choice), *choice))
            .min()
            .filter(|(distance, choice)| *distance <= 1 + choice.len() / 3)
    });
    match near {
        Some((_, choice)) => Some(format!("did you mean `{choice}`?")),
        None if choices.is_empty() => None,
        None => Some(format!("known here: {}", choices.join(", "))),
    }
}

fn find(text: &str, word: &str) -> Option<(u64, u64)> {
    let (line, at) = text
        .lines()
        .enumerate()
        .find_map(|(line, content)| content.find(word).map(|at| (line, at)))?;
    Some((u64::try_from(line).ok()? + 1, u64::try_from(at).ok()? + 1))
}

/// Keys that will have a meaning, and have none in this build.
const RESERVED: [&str; 7] =
    ["tls", "limits", "access-log", "trusted-hops", "notice", "notify", "hosts"];

/// Top-level keys that are reserved for later are told as such, not as typing errors.
pub(super) fn too_early(source: &Source) -> Result<(), Vec<Problem>> {
    let early = |(number, line): (usize, &str)| {
        let key = line.split(':').next()?.trim_end();
        RESERVED.contains(&key).then(|| Problem {
            file: source.name.clone(),
            place: Some((u64::try_from(number).unwrap_or(0) + 1, 1)),
            message: format!("`{key}` is reserved for a later version"),
            help: Some("remove it: this build has nothing behind it".to_owned()),
        })
    };
    let problems: Vec<Problem> = source.text.lines().enumerate().filter_map(early).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Everything in a well-formed spec that still makes no sense.
pub(super) fn check(spec: &Spec, file: &str) -> Vec<Problem> {
    let mut problems = vec![];
    let mut wrong = |message: &str, help: &str| {
        let help = Some(help.to_owned());
        problems.push(Problem {
            file: file.to_owned(),
            place: None,
            message: message.into(),
            help,
        });
    };
    if spec.instances == 0 || spec.instances > 1000 {
        wrong("`instances` must be from 1 to 1000", "to stop an app use `cutover down`");
    }
    if spec.release.command.is_empty() && spec.release.image.is_none() {
        wrong("`release` has no command", "add `command: [\"./serve\", \"--port\", \"{port}\"]`");
    }
    if spec.listen.is_none() && !matches!(spec.pattern, Pattern::Rolling | Pattern::BigBang) {
        wrong(
            "an app without `listen` has no traffic to share",
            "use `pattern: rolling` or `big-bang`, or say where users reach it: `listen: 127.0.0.1:8080`",
        );
    }
    if spec.listen.is_none() && (spec.host.is_some() || spec.path.is_some()) {
        wrong("`host` and `path` need `listen`", "add `listen: 127.0.0.1:8080`");
    }
    if spec.path.as_deref().is_some_and(|path| !path.starts_with('/')) {
        wrong("`path` must begin with `/`", "write it like `/shop`");
    }
    if let Some(health) = &spec.health {
        if !health.path.starts_with('/') {
            wrong("`health.path` must begin with `/`", "write it like `/health`");
        }
        if health.interval.0.is_zero() || health.timeout.0.is_zero() {
            wrong("`health.interval` and `health.timeout` must not be 0", "try 1s and 2s");
        }
        if health.healthy_after == 0 || health.unhealthy_after == 0 {
            wrong("`healthy-after` and `unhealthy-after` must be at least 1", "try 2 and 3");
        }
    }
    steps("canary", &spec.patterns.canary.steps, &mut wrong);
    steps("feature-flag", &spec.patterns.feature_flag.steps, &mut wrong);
    let (canary, ab) = (&spec.patterns.canary, &spec.patterns.ab_testing);
    let flag = &spec.patterns.feature_flag;
    for (pattern, sticky, header) in [
        ("canary", canary.sticky, &canary.header),
        ("ab-testing", ab.sticky, &ab.header),
        ("feature-flag", flag.sticky, &flag.header),
    ] {
        if (sticky == super::StickyBy::Header) != header.is_some() {
            wrong(
                &format!("`{pattern}`: `sticky: header` and `header` go together"),
                "write `sticky: header, header: x-user-id`, or neither",
            );
        }
    }
    if ab.split == Share::ZERO && ab.rules.is_empty() {
        wrong("`ab-testing` gives nobody the new version", "set `split`, or add a `match`");
    }
    if ab.rules.contains(&MatchRule::default()) {
        wrong(
            "`ab-testing.match` has a rule without parts",
            "write `{ header: { x-beta: \"1\" } }`",
        );
    }
    let shadow = &spec.patterns.shadow;
    let chained = spec.pattern == Pattern::Shadow && shadow.then == Some(Pattern::FeatureFlag);
    let needs_flag = spec.pattern == Pattern::FeatureFlag || chained;
    let method = |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase());
    if shadow.methods.is_empty() || !shadow.methods.iter().all(method) {
        wrong("`shadow.methods` must name methods", "write them like `[GET, HEAD]`");
    }
    if shadow.mirror == Share::ZERO {
        wrong("`shadow.mirror` must be above 0%", "which share of the requests is copied?");
    }
    if shadow.most_body > 16 * 1024 * 1024 {
        wrong("`shadow.most-body` must be at most 16777216 bytes", "copies are held in memory");
    }
    if spec.patterns.rolling.batch == 0 {
        wrong("`rolling.batch` must be at least 1", "how many instances are replaced at a time");
    }
    if spec.patterns.shadow.then == Some(Pattern::Shadow) {
        wrong("`shadow.then` cannot be shadow again", "name another pattern, or leave it out");
    }
    if needs_flag && flag.flag.is_none() {
        wrong("`pattern: feature-flag` needs the flag's key", "add `feature-flag: { flag: KEY }`");
    }
    let hooks = &spec.hooks;
    let all = hooks.after_ready.iter().chain(&hooks.after).chain(&hooks.on_failure);
    if all.into_iter().any(|hook: &Hook| hook.run.is_empty() == hook.http.is_none()) {
        wrong("a hook is either `run` or `http`", "write `{ run: [./smoke.sh] }`");
    }
    for name in spec.release.env.keys().chain(&spec.release.pass).chain(spec.release.secrets.keys())
    {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || !name.chars().all(good)
            || name.starts_with(|c: char| c.is_ascii_digit())
        {
            wrong(
                &format!("{name:?} is not a name for an environment variable"),
                "use A-Z, 0-9 and _",
            );
        }
    }
    problems
}

fn steps(pattern: &str, steps: &[Share], wrong: &mut impl FnMut(&str, &str)) {
    let ascending = steps.windows(2).all(|pair| pair[0] < pair[1]);
    if steps.is_empty() || !ascending || steps.contains(&Share::ZERO) {
        wrong(
            &format!("`{pattern}.steps` must grow, from above 0% to at most 100%"),
            "write them like `[5%, 25%, 50%]`",
        );
    }
}

/// Everything in a spec that makes no sense, for a spec that did not come from a file.
#[must_use]
pub fn problems(spec: &Spec) -> Vec<Problem> {
    check(spec, "spec")
}

/// The JSON Schema of `cutover.yaml`, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    schema_for!(Spec).to_value()
}
