//! A number in a JSON document, found by a JSON pointer (RFC 6901).

use cutover_core::metric::Found;
use cutover_core::spec::HttpValue;
use cutover_engine::ports::Sides;
use serde_json::Value;

use super::client::{Client, beginning, without_success};
use super::unread::Unread;
use crate::local::printable;

/// Gets the document and reads the number.
pub(super) async fn read(
    http: &HttpValue,
    sides: &Sides,
    secrets: &mut Vec<String>,
) -> Result<Found, Unread> {
    let client =
        Client::open(&http.url, http.auth.as_ref(), http.tls.as_ref(), &sides.base, secrets)
            .await?;
    let answer = client.get(&sides.fill(&http.url, &sides.candidate)).await?;
    if !answer.status.is_success() {
        return Err(without_success(&answer));
    }
    let document: Value = serde_json::from_slice(&answer.body).map_err(|error| {
        Unread::new(format!("its answer is not JSON ({error}){}", beginning(&answer.body)))
    })?;
    number(&document, &http.value)
}

fn number(document: &Value, pointer: &str) -> Result<Found, Unread> {
    let value = document.pointer(pointer).unwrap_or(&Value::Null);
    if value.is_null() {
        return Ok(Found::Nothing(format!("there is nothing at {pointer:?}")));
    }
    match value.as_f64().filter(|number| number.is_finite()) {
        Some(number) => Ok(Found::Value(number)),
        None => {
            let what = printable(&value.to_string(), 80);
            Err(Unread::new(format!("at {pointer:?} is no number but {what}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_number_is_a_value() {
        let document = json!({ "queue": [{ "depth": 7.5, "name": "x", "on": true, "no": null }] });
        let at = |pointer| number(&document, pointer);
        assert_eq!(at("/queue/0/depth"), Ok(Found::Value(7.5)));
        for absent in ["/queue/1/depth", "/queue/0/no", "/other"] {
            assert!(matches!(at(absent), Ok(Found::Nothing(_))), "{absent}");
        }
        for odd in ["/queue/0/name", "/queue/0/on", "/queue", ""] {
            assert!(at(odd).is_err(), "{odd}");
        }
        assert_eq!(number(&json!(3), ""), Ok(Found::Value(3.0)));
    }
}
