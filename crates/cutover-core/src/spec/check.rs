//! Rules that types alone do not express.

mod metrics;

use schemars::schema_for;

use super::problem::Problem;
use super::whereabouts::{Whereabouts, without_file};
use super::{AbTesting, Hook, PatternSettings, SERIES, Shadow, Spec, StickyBy};
use crate::patterns::Pattern;
use crate::plan::MatchRule;
use crate::units::{Share, Span};

/// The largest body that is copied, in bytes: copies are held in memory.
const MOST_BODY: u32 = 16 * 1024 * 1024;

/// Tells everything in a well-formed spec that still makes no sense.
pub(super) fn check(spec: &Spec, at: &Whereabouts<'_>) {
    if spec.instances == 0 || spec.instances > 1000 {
        at.wrong(
            &[&["instances"]],
            "`instances` must be from 1 to 1000",
            "to stop an app use `cutover down`",
        );
    }
    if spec.release.command.is_empty() && spec.release.image.is_none() {
        at.wrong(
            &[&["release", "command"], &["release", "image"]],
            "`release` has no command",
            "add `command: [\"./serve\", \"--port\", \"{port}\"]`",
        );
    }
    reached(spec, at);
    health(spec, at);
    patterns(spec, at);
    hooks(spec, at);
    kayenta(spec, at);
    names(spec, at);
    if let Some(judge) = &spec.judge {
        metrics::check(&judge.metrics, at);
    }
}

fn reached(spec: &Spec, at: &Whereabouts<'_>) {
    if spec.listen.is_none() && !matches!(spec.pattern, Pattern::Rolling | Pattern::BigBang) {
        at.wrong(
            &[&["pattern"], &["listen"]],
            "an app without `listen` has no traffic to share",
            "use `pattern: rolling` or `big-bang`, or say where users reach it: `listen: 127.0.0.1:8080`",
        );
    }
    if spec.listen.is_none() && (spec.host.is_some() || spec.path.is_some()) {
        at.wrong(
            &[&["host"], &["path"], &["listen"]],
            "`host` and `path` need `listen`",
            "add `listen: 127.0.0.1:8080`",
        );
    }
    if spec.path.as_deref().is_some_and(|path| !path.starts_with('/')) {
        at.wrong(&[&["path"]], "`path` must begin with `/`", "write it like `/shop`");
    }
}

fn health(spec: &Spec, at: &Whereabouts<'_>) {
    let Some(health) = &spec.health else { return };
    if !health.path.starts_with('/') {
        at.wrong(
            &[&["health", "path"]],
            "`health.path` must begin with `/`",
            "write it like `/health`",
        );
    }
    let spans = [("interval", health.interval), ("timeout", health.timeout)];
    if let Some((key, _)) = spans.iter().find(|(_, span)| span.0.is_zero()) {
        at.wrong(
            &[&["health", key]],
            "`health.interval` and `health.timeout` must not be 0",
            "try 1s and 2s",
        );
    }
    let probes =
        [("healthy-after", health.healthy_after), ("unhealthy-after", health.unhealthy_after)];
    if let Some((key, _)) = probes.iter().find(|(_, count)| *count == 0) {
        at.wrong(
            &[&["health", key]],
            "`healthy-after` and `unhealthy-after` must be at least 1",
            "try 2 and 3",
        );
    }
}

/// How users keep their side, in each pattern that knows sides.
fn identities(settings: &PatternSettings, at: &Whereabouts<'_>) {
    let (canary, ab, flag) = (&settings.canary, &settings.ab_testing, &settings.feature_flag);
    for (pattern, sticky, header) in [
        ("canary", canary.sticky, &canary.header),
        ("ab-testing", ab.sticky, &ab.header),
        ("feature-flag", flag.sticky, &flag.header),
    ] {
        if (sticky == StickyBy::Header) != header.is_some() {
            at.wrong(
                &[&["patterns", pattern, "header"], &["patterns", pattern, "sticky"]],
                "`sticky: header` and `header` go together",
                "write `sticky: header, header: x-user-id`, or neither",
            );
        }
    }
}

fn experiments(ab: &AbTesting, at: &Whereabouts<'_>) {
    if ab.split == Share::ZERO && ab.rules.is_empty() {
        at.wrong(
            &[&["patterns", "ab-testing", "split"]],
            "`ab-testing` gives nobody the new version",
            "set `split`, or add a `match`",
        );
    }
    if ab.rules.contains(&MatchRule::default()) {
        at.wrong(
            &[&["patterns", "ab-testing", "match"]],
            "`ab-testing.match` has a rule without parts",
            "write `{ header: { x-beta: \"1\" } }`",
        );
    }
}

fn copies(shadow: &Shadow, at: &Whereabouts<'_>) {
    let method = |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase());
    if shadow.methods.is_empty() || !shadow.methods.iter().all(method) {
        at.wrong(
            &[&["patterns", "shadow", "methods"]],
            "`shadow.methods` must name methods",
            "write them like `[GET, HEAD]`",
        );
    }
    if shadow.mirror == Share::ZERO {
        at.wrong(
            &[&["patterns", "shadow", "mirror"]],
            "`shadow.mirror` must be above 0%",
            "which share of the requests is copied?",
        );
    }
    if shadow.most_body > MOST_BODY {
        at.wrong(
            &[&["patterns", "shadow", "most-body"]],
            &format!("`shadow.most-body` must be at most {MOST_BODY} bytes"),
            "copies are held in memory",
        );
    }
}

fn patterns(spec: &Spec, at: &Whereabouts<'_>) {
    let settings = &spec.patterns;
    steps("canary", &settings.canary.steps, at);
    steps("feature-flag", &settings.feature_flag.steps, at);
    identities(settings, at);
    experiments(&settings.ab_testing, at);
    copies(&settings.shadow, at);
    if settings.rolling.batch == 0 {
        at.wrong(
            &[&["patterns", "rolling", "batch"]],
            "`rolling.batch` must be at least 1",
            "how many instances are replaced at a time",
        );
    }
    if settings.shadow.then == Some(Pattern::Shadow) {
        at.wrong(
            &[&["patterns", "shadow", "then"]],
            "`shadow.then` cannot be shadow again",
            "name another pattern, or leave it out",
        );
    }
    let chained =
        spec.pattern == Pattern::Shadow && settings.shadow.then == Some(Pattern::FeatureFlag);
    if (spec.pattern == Pattern::FeatureFlag || chained) && settings.feature_flag.flag.is_none() {
        at.wrong(
            &[&["patterns", "feature-flag", "flag"], &["pattern"]],
            "`pattern: feature-flag` needs the flag's key",
            "add `feature-flag: { flag: KEY }`",
        );
    }
}

fn steps(pattern: &str, steps: &[Share], at: &Whereabouts<'_>) {
    let ascending = steps.windows(2).all(|pair| pair[0] < pair[1]);
    if steps.is_empty() || !ascending || steps.contains(&Share::ZERO) {
        at.wrong(
            &[&["patterns", pattern, "steps"]],
            &format!("`{pattern}.steps` must grow, from above 0% to at most 100%"),
            "write them like `[5%, 25%, 50%]`",
        );
    }
}

fn kayenta(spec: &Spec, at: &Whereabouts<'_>) {
    let Some(kayenta) = spec.judge.as_ref().and_then(|judge| judge.kayenta.as_ref()) else {
        return;
    };
    for name in kayenta.metrics.keys().filter(|name| !SERIES.contains(&name.as_str())) {
        at.wrong(
            &[&["judge", "kayenta", "metrics", name]],
            &format!("there is no metric `{name}`"),
            &format!("there are {}", SERIES.join(", ")),
        );
    }
    if let Err(wrong) = kayenta.settings().check() {
        at.wrong(&[&["judge", "kayenta"]], &wrong.to_string(), "see docs/judge.md, Kayenta");
    }
    let (shortest, longest) = (Span::secs(1), Span::secs(3600));
    if !(shortest..=longest).contains(&kayenta.bucket) {
        at.wrong(&[&["judge", "kayenta", "bucket"]], "`bucket` must be from 1s to 1h", "try 60s");
    }
}

fn hooks(spec: &Spec, at: &Whereabouts<'_>) {
    let hooks = &spec.hooks;
    let points = [
        ("after-ready", &hooks.after_ready),
        ("after", &hooks.after),
        ("on-failure", &hooks.on_failure),
    ];
    let unclear = |hook: &Hook| hook.run.is_empty() == hook.http.is_none();
    for (point, hooks) in points {
        for (number, _) in hooks.iter().enumerate().filter(|(_, hook)| unclear(hook)) {
            at.wrong(
                &[&["hooks", point, &number.to_string()]],
                "a hook is either `run` or `http`",
                "write `{ run: [./smoke.sh] }`",
            );
        }
    }
}

fn names(spec: &Spec, at: &Whereabouts<'_>) {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let good = |name: &str| {
        !name.is_empty()
            && name.chars().all(inner)
            && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let wrong = |key: &str, part: &str, name: &str| {
        at.wrong(
            &[&["release", key, part]],
            &format!("{name:?} is not a name for an environment variable"),
            "use A-Z, 0-9 and _",
        );
    };
    let release = &spec.release;
    release.env.keys().filter(|name| !good(name)).for_each(|name| wrong("env", name, name));
    release.secrets.keys().filter(|name| !good(name)).for_each(|name| wrong("secrets", name, name));
    for (number, name) in release.pass.iter().enumerate().filter(|(_, name)| !good(name)) {
        wrong("pass", &number.to_string(), name);
    }
}

/// Everything in a spec that makes no sense, for a spec that did not come from a file.
#[must_use]
pub fn problems(spec: &Spec) -> Vec<Problem> {
    without_file(|nowhere| check(spec, nowhere))
}

/// The JSON Schema of `cutover.yaml`, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    schema_for!(Spec).to_value()
}
