//! JSON for scripts: every object carries the number of its schema.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json as value};

use crate::failure::Failure;

/// Changes whenever a field changes its meaning or goes away.
const SCHEMA: u32 = 1;

/// One line of JSON.
pub(crate) fn json(object: &impl Serialize) -> Result<String, Failure> {
    let failed = |error: serde_json::Error| Failure::internal("cannot write JSON", &error);
    let mut whole = value!({"schema": SCHEMA});
    match (serde_json::to_value(object).map_err(failed)?, &mut whole) {
        (Value::Object(fields), Value::Object(whole)) => whole.extend(fields),
        (other, whole) => *whole = value!({"schema": SCHEMA, "value": other}),
    }
    serde_json::to_string(&whole).map_err(failed)
}

/// The final object of a command that failed.
pub(crate) fn print_failure(failure: &Failure) -> Result<(), Failure> {
    let line = json(&value!({
        "outcome": "error",
        "exit_code": failure.code,
        "error": failure,
    }))?;
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}
