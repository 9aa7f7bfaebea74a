//! `cutover flag list`, `get`, `lint`

use cutover_flags::{Context, Outcome, Problem, Selector, compile_to_flagd};
use serde_json::{Value, json};

use super::ask::{no_flag, seconds};
use super::serve::line;
use super::source::From;
use crate::cli::Session;
use crate::client::Client;
use crate::failure::{Done, Failure, exit};
use crate::flags::Offered;

/// List flags, with what a user gets of whom nothing is known; without files, what is served, too.
///
/// Example: cutover flag list flags.yaml
#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    from: From,
}

/// Print a flag's definition as plain flagd JSON, everything of ours turned into rules.
///
/// Example: cutover flag get new-checkout flags.yaml
#[derive(Debug, clap::Args)]
pub(super) struct Get {
    /// The flag's key.
    key: String,
    #[command(flatten)]
    from: From,
}

/// Check definitions: what is wrong and what looks wrong, with line and column.
///
/// Ends with 3 if a flag or document cannot be used.
///
/// Example: cutover flag lint flags.yaml
#[derive(Debug, clap::Args)]
pub(super) struct Lint {
    #[command(flatten)]
    from: From,
    /// End with 3 for warnings, too.
    #[arg(long)]
    strict: bool,
}

impl List {
    pub(super) async fn run(self, session: &Session) -> Done {
        let looked = self.from.look(session).await?;
        let flags = looked.definitions.get(&Selector::All);
        let now = seconds();
        let context = Context::empty();
        let outcomes: Vec<_> =
            flags.keys().map(|key| (key, flags.evaluate(key, &context, now).outcome)).collect();
        if session.common.json {
            let one = |(key, outcome): &(&str, Outcome<'_>)| {
                let (variant, reason, error) = match outcome {
                    Outcome::Variant(reason, variant) => {
                        (Some(variant.name()), Some(reason.as_str()), None)
                    }
                    Outcome::CodeDefault(reason) => (None, Some(reason.as_str()), None),
                    Outcome::Failed(code, words) => {
                        (None, None, Some(format!("{}: {words}", code.as_str())))
                    }
                };
                json!({"key": key, "variant": variant, "reason": reason, "error": error})
            };
            let flags: Vec<Value> = outcomes.iter().map(one).collect();
            session.print_json(&json!({"flags": flags}))?;
            return Ok(exit::OK);
        }
        let width = outcomes.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
        for (key, outcome) in &outcomes {
            session.print(&format!("{key:width$}  {outcome}"))?;
        }
        if self.from.is_served() {
            self.tell(session).await?;
        }
        Ok(exit::OK)
    }

    /// What the daemon says about the environment, if one runs.
    async fn tell(&self, session: &Session) -> Result<(), Failure> {
        let client = Client::new(session.folders.socket());
        if !client.answers().await {
            session.note("no daemon runs: these are served on, and changes wait for it");
            return Ok(());
        }
        let env = session.common.env.clone().unwrap_or_default();
        let all: Vec<Offered> = client.get("/v1/flags").await?;
        for offered in all.iter().filter(|offered| offered.environment == env) {
            session.note(&line(offered));
        }
        Ok(())
    }
}

impl Get {
    pub(super) async fn run(self, session: &Session) -> Done {
        let looked = self.from.look(session).await?;
        if !looked.definitions.get(&Selector::All).keys().any(|key| key == self.key) {
            return Err(no_flag(&looked, &self.key));
        }
        // The last source that has it counts.
        let mut broken = None;
        for source in looked.sources.iter().rev() {
            let document = match compile_to_flagd(source) {
                Ok(text) => serde_json::from_str::<Value>(&text)
                    .map_err(|error| Failure::internal("cannot read JSON", &error))?,
                Err(error) => {
                    broken.get_or_insert(error);
                    continue;
                }
            };
            if let Some(flag) = document.get("flags").and_then(|flags| flags.get(&self.key)) {
                if session.common.json {
                    session.print_json(&json!({"key": self.key, "definition": flag}))?;
                } else {
                    let pretty = serde_json::to_string_pretty(flag);
                    let pretty =
                        pretty.map_err(|error| Failure::internal("cannot write JSON", &error))?;
                    session.print(&pretty)?;
                }
                return Ok(exit::OK);
            }
        }
        Err(match broken {
            Some(error) => Failure::new(exit::SPEC, error.to_string()),
            None => no_flag(&looked, &self.key),
        })
    }
}

impl Lint {
    pub(super) async fn run(self, session: &Session) -> Done {
        let looked = self.from.look(session).await?;
        let errors = looked.problems.iter().filter(|problem| problem.is_error()).count();
        let warnings = looked.problems.len() - errors;
        if session.common.json {
            let one = |problem: &Problem| {
                json!({
                    "source": problem.source,
                    "line": problem.place.map(|place| place.line),
                    "column": problem.place.map(|place| place.column),
                    "flag": problem.flag,
                    "error": problem.is_error(),
                    "rule": problem.rule.name(),
                    "message": problem.message,
                })
            };
            let problems: Vec<Value> = looked.problems.iter().map(one).collect();
            let summary = json!({"errors": errors, "warnings": warnings, "problems": problems});
            session.print_json(&summary)?;
        } else {
            for problem in &looked.problems {
                session.print(&problem.to_string())?;
            }
            let flags = looked.definitions.get(&Selector::All).keys().len();
            session.print(&format!("{flags} flags, {errors} errors, {warnings} warnings"))?;
        }
        Ok(match errors > 0 || (self.strict && warnings > 0) {
            true => exit::SPEC,
            false => exit::OK,
        })
    }
}
