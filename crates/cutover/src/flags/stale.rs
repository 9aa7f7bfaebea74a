//! Flags that look finished: what the definitions, the changes and the proxy's counts tell.

use std::collections::BTreeMap;

use cutover_core::id::Environment;
use cutover_core::units::At;
use cutover_engine::api::Refused;
use cutover_flags::{Definitions, FlagOutline, Outline, Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::FlagId;
use super::overlay::source;
use super::watch::{Flags, blocking};
use crate::render::now;

const DAY: u64 = 24 * 60 * 60 * 1000;

/// Flags of an environment that look finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct StaleFlags {
    /// How many flags there are.
    pub(crate) flags: usize,
    /// How long nothing may have changed, in days.
    pub(crate) days: u64,
    pub(crate) stale: Vec<Stale>,
    /// What could not be known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
}

/// A flag that looks finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Stale {
    #[serde(flatten)]
    pub(crate) of: FlagId,
    /// Why; at least one.
    pub(crate) because: Vec<String>,
    /// Since when neither its source nor a person changed it.
    pub(crate) unchanged_since: At,
    /// How often it was evaluated since the proxy counts.
    pub(crate) evaluations: u64,
}

/// Evaluations by flag, and of all flags at once, since the proxy counts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Evaluations {
    by_flag: BTreeMap<String, u64>,
    bulk: u64,
}

impl Flags {
    /// Flags that look finished and that nothing changed for this many days.
    pub(crate) async fn stale(
        &self,
        environment: &Environment,
        days: u64,
    ) -> Result<StaleFlags, Refused> {
        let mut environments = self.environments.lock().await;
        let watched = environments
            .get_mut(environment)
            .ok_or_else(|| super::amend::not_served(environment))?;
        let raw = self.raw(environment, watched).await?;
        let laid = watched.overlay().over(&raw).sources;
        let paths = watched.offer.paths.clone();
        let files = blocking(move || super::files::changed_at(&paths)).await?;
        let counts = self.proxy.metrics().await.map(|text| evaluations(&text, environment));
        let mut notes = vec![];
        let counts = counts.unwrap_or_else(|_| {
            notes.push("the proxy does not answer: nothing is known of evaluations".to_owned());
            Evaluations { bulk: 1, ..Evaluations::default() }
        });
        if counts.bulk > 0 {
            notes.push("all flags were asked for at once, which is not counted by flag: whether one is evaluated at all cannot be told".to_owned());
        }
        let now = now();
        // Of what comes from elsewhere it is known since when it is served.
        let served = watched.served.as_ref().map_or(now, |served| served.since);
        let documents: Vec<cutover_flags::Source> = laid.iter().map(source).collect();
        let (_, problems) = Definitions::load(&documents);
        let (mut stale, mut flags) = (vec![], 0);
        for document in &documents {
            let Ok(outline) = Outline::read(document) else { continue };
            for flag in &outline.flags {
                flags += 1;
                let of = FlagId { set: outline.set.clone(), flag: flag.key.clone() };
                let file = files.get(&document.name).copied().unwrap_or(served);
                let since = watched.ledger.last_made(&of).map_or(file, |made| made.max(file));
                if now.0.saturating_sub(since.0) < days.saturating_mul(DAY) {
                    continue;
                }
                let evaluated = counts.by_flag.get(&flag.key).copied().unwrap_or_default();
                let mut because = one_sided(flag);
                let useless = problems.iter().any(|problem| {
                    problem.rule == Rule::DefaultNeverUsed
                        && problem.source == document.name
                        && problem.flag.as_ref() == Some(&flag.key)
                });
                if useless {
                    because.push("its default is never used: the rule always decides".to_owned());
                }
                if counts.bulk == 0 && evaluated == 0 {
                    because.push("nobody asked for it since the proxy counts".to_owned());
                }
                if !because.is_empty() {
                    stale.push(Stale {
                        of,
                        because,
                        unchanged_since: since,
                        evaluations: evaluated,
                    });
                }
            }
        }
        Ok(StaleFlags { flags, days, stale, notes })
    }
}

/// Why everybody gets the same, if that is so.
fn one_sided(flag: &FlagOutline) -> Vec<String> {
    let share = flag.ramp.as_ref().map(|ramp| ramp.share.as_deref());
    let default = flag.default.as_deref().unwrap_or("the code's default");
    let ramped = flag.ramp.as_ref().and_then(|ramp| ramp.variant.as_deref());
    let text = match (flag, share) {
        (FlagOutline { killed: true, .. }, _) => "it is killed".to_owned(),
        (FlagOutline { disabled: true, .. }, _) => "it is disabled".to_owned(),
        (FlagOutline { has_rule: true, .. } | FlagOutline { depends: true, .. }, _) => {
            return vec![];
        }
        (_, None) => format!("everybody gets {default}"),
        (_, Some(Some("100%"))) => {
            format!(
                "everybody gets {}: the ramp is at 100%",
                ramped.unwrap_or("its part of the split")
            )
        }
        (_, Some(Some("0%"))) => format!("everybody gets {default}: the ramp is at 0%"),
        (_, Some(_)) => return vec![],
    };
    vec![text]
}

/// What the proxy's metrics tell of an environment.
fn evaluations(text: &str, environment: &Environment) -> Evaluations {
    let mut found = Evaluations::default();
    for line in text.lines() {
        let Some((name, rest)) = line.split_once("{environment=\"") else { continue };
        let Some(rest) = rest.strip_prefix(&format!("{environment}\",")) else { continue };
        let Some((labels, count)) = rest.rsplit_once("} ") else { continue };
        let count: u64 = count.trim().parse().unwrap_or_default();
        match name {
            "cutover_flags_bulk_total" if !labels.contains("refused") => found.bulk += count,
            "cutover_flag_evaluations_total" => {
                let Some(key) = labels.strip_prefix("flag=\"") else { continue };
                let Some((key, _)) = key.rsplit_once("\",reason=\"") else { continue };
                let key = key.replace("\\n", "\n").replace("\\\"", "\"").replace("\\\\", "\\");
                *found.by_flag.entry(key).or_default() += count;
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use cutover_flags::Source;

    use super::*;

    #[test]
    fn evaluations_are_read_from_the_metrics() {
        let text = "# HELP x y\ncutover_flags_bulk_total{environment=\"e\",result=\"answered\"} 2\n\
            cutover_flags_bulk_total{environment=\"e\",result=\"refused\"} 5\n\
            cutover_flag_evaluations_total{environment=\"e\",flag=\"a\\\"b\",reason=\"STATIC\"} 3\n\
            cutover_flag_evaluations_total{environment=\"e\",flag=\"a\\\"b\",reason=\"DEFAULT\"} 4\n\
            cutover_flag_evaluations_total{environment=\"f\",flag=\"c\",reason=\"STATIC\"} 9\n";
        let found = evaluations(text, &"e".parse().unwrap());
        assert_eq!((found.bulk, found.by_flag), (2, BTreeMap::from([("a\"b".into(), 7)])));
    }

    #[test]
    fn flags_with_one_side_are_told_from_others() {
        let text = "flags:
  plain: {state: ENABLED, variants: {on: true, off: false}, defaultVariant: on}
  full: {state: ENABLED, variants: {on: true, off: false}, defaultVariant: off,
    cutover: {ramp: {variant: on, share: 100%}}}
  half: {state: ENABLED, variants: {on: true, off: false}, defaultVariant: off,
    cutover: {ramp: {variant: on, share: 50%}}}
  rule: {state: ENABLED, variants: {on: true, off: false}, defaultVariant: off,
    targeting: {if: [{\"==\": [{var: a}, 1]}, on]}}
  dead: {state: ENABLED, variants: {on: true, off: false}, cutover: {kill: true}}
";
        let outline = Outline::read(&Source::new("f.yaml", text)).unwrap();
        let told: Vec<String> = outline.flags.iter().map(|it| one_sided(it).join(", ")).collect();
        let expected =
            ["everybody gets on", "everybody gets on: the ramp is at 100%", "", "", "it is killed"];
        assert_eq!(told, expected);
    }
}
