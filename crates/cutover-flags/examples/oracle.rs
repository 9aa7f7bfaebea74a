//! Evaluates flags line by line, for comparisons with other engines (scripts/flags-oracle.py).
//!
//! Reads `{"flag": {…}, "context": {…}, "now": 1}` per line from standard input; the argument is
//! `v2` or `v3`. Writes `{"variant": "a", "reason": "STATIC"}`, `{"reason": "DEFAULT"}` or
//! `{"error": "GENERAL"}` per line.

use std::io::{BufRead, Write};

use cutover_flags::{Context, Definitions, Outcome, Selector, Source};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bucketing = std::env::args().nth(1).unwrap_or_else(|| "v3".to_owned());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let case: Value = serde_json::from_str(&line?)?;
        let document = json!({
            "metadata": {"cutover.bucketing": bucketing},
            "flags": {"flag": case["flag"]},
        });
        let (definitions, _) =
            Definitions::load(&[Source::new("flag.json", &document.to_string())]);
        let context = Context::from_json(case["context"].to_string().as_bytes())?;
        let now = case["now"].as_i64().unwrap_or_default();
        let set = definitions.get(&Selector::All);
        let answer = match set.evaluate("flag", &context, now).outcome {
            Outcome::Variant(reason, variant) => {
                json!({"variant": variant.name(), "reason": reason.as_str()})
            }
            Outcome::CodeDefault(reason) => json!({"reason": reason.as_str()}),
            Outcome::Failed(code, _) => json!({"error": code.as_str()}),
        };
        writeln!(out, "{answer}")?;
    }
    Ok(())
}
