//! `cutover flag eval`, `explain`

use cutover_flags::ofrep::Compat;
use cutover_flags::{Context, Outcome, Selector, Value};
use serde_json::json;

use super::source::{From, Looked};
use crate::cli::Session;
use crate::failure::{Done, Failure, exit};
use crate::render;

/// Evaluate a flag for a user, as a client would get it.
///
/// Example: cutover flag eval new-checkout --user u1 --context '{"country":"CH"}' flags.yaml
#[derive(Debug, clap::Args)]
pub(super) struct Eval {
    #[command(flatten)]
    asked: Asked,
}

/// Tell why a flag has the value it has for a user.
///
/// Example: cutover flag explain new-checkout --user u1 flags.yaml
#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    #[command(flatten)]
    asked: Asked,
}

#[derive(Debug, clap::Args)]
struct Asked {
    /// The flag's key.
    key: String,
    #[command(flatten)]
    from: From,
    /// The user: the context's targetingKey.
    #[arg(long, value_name = "KEY")]
    user: Option<String>,
    /// What is known about user and request, a JSON object.
    #[arg(long, value_name = "JSON")]
    context: Option<String>,
}

impl Asked {
    async fn look(&self, session: &Session) -> Result<(Looked, Context), Failure> {
        let json = self.context.as_deref().unwrap_or("{}");
        let mut context = Context::from_json(json.as_bytes()).map_err(|error| {
            Failure::usage(format!("--context cannot be used: {error}"))
                .help(r#"write a JSON object: --context '{"country":"CH"}'"#)
        })?;
        if let Some(user) = &self.user {
            context = context.with("targetingKey", Value::text(user));
        }
        let looked = self.from.look(session).await?;
        let flags = looked.definitions.get(&Selector::All);
        if !flags.keys().any(|key| key == self.key) {
            return Err(no_flag(&looked, &self.key));
        }
        Ok((looked, context))
    }
}

/// There is no such flag; perhaps its document cannot be read.
pub(super) fn no_flag(looked: &Looked, key: &str) -> Failure {
    if let Some(broken) = looked.problems.iter().find(|it| it.is_error() && it.flag.is_none()) {
        return Failure::new(exit::SPEC, format!("the definitions cannot be used: {broken}"));
    }
    Failure::usage(format!("there is no flag {key}")).help("cutover flag list shows all")
}

/// The time that rules are asked at, in seconds.
pub(super) fn seconds() -> i64 {
    i64::try_from(render::now().0 / 1000).unwrap_or(i64::MAX)
}

impl Eval {
    pub(super) async fn run(self, session: &Session) -> Done {
        let (looked, context) = self.asked.look(session).await?;
        let flags = looked.definitions.get(&Selector::All);
        let outcome = flags.evaluate(&self.asked.key, &context, seconds()).outcome;
        if session.common.json {
            let mut body = vec![];
            let compat = Compat { empty_variant: false };
            let _ = flags.answer(&self.asked.key, &context, seconds(), compat, &mut body);
            let answer: serde_json::Value = serde_json::from_slice(&body)
                .map_err(|error| Failure::internal("cannot write JSON", &error))?;
            session.print_json(&answer)?;
        } else {
            session.print(&outcome.to_string())?;
        }
        match outcome {
            Outcome::Variant(..) | Outcome::CodeDefault(_) => Ok(exit::OK),
            Outcome::Failed(..) => Ok(exit::SPEC),
        }
    }
}

impl Explain {
    pub(super) async fn run(self, session: &Session) -> Done {
        let (looked, context) = self.asked.look(session).await?;
        let flags = looked.definitions.get(&Selector::All);
        let Some(explained) = flags.explain(&self.asked.key, &context, seconds()) else {
            return Err(no_flag(&looked, &self.asked.key));
        };
        if session.common.json {
            let step = |step: &cutover_flags::Step| {
                json!({"depth": step.depth, "call": step.call, "result": step.result,
                    "note": step.note})
            };
            session.print_json(&json!({
                "key": explained.key,
                "outcome": explained.outcome,
                "because": explained.because,
                "steps": explained.steps.iter().map(step).collect::<Vec<_>>(),
            }))?;
        } else {
            session.print(&explained.to_string())?;
        }
        Ok(exit::OK)
    }
}
