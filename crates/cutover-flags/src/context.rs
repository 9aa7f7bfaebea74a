//! What is known about the user and the request for which flags are evaluated.

use std::sync::Arc;

use serde::Deserialize;

use crate::value::{Object, Value};

/// The most bytes that a context may have, as JSON.
pub const LARGEST_CONTEXT: usize = 1 << 20;

/// The key under which the evaluator puts what it adds itself; a caller's own is dropped.
pub(crate) const INJECTED: &str = "$flagd";
const TARGETING_KEY: &str = "targetingKey";

/// Attributes by name, `targetingKey` among them.
#[derive(Debug, Clone)]
pub struct Context {
    root: Arc<Object>,
}

/// Why a context cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// It has more than [`LARGEST_CONTEXT`] bytes.
    #[error("the context has {0} bytes; at most {LARGEST_CONTEXT} are accepted")]
    TooLarge(usize),
    /// It is no JSON, or nested too deep.
    #[error("the context is no JSON: {0}")]
    NoJson(String),
    /// It is JSON, yet no object.
    #[error("the context is not a JSON object")]
    NoObject,
}

impl Context {
    /// A context that says nothing.
    #[must_use]
    pub fn empty() -> Context {
        Context::of(vec![])
    }

    /// A context that says who, and nothing else.
    #[must_use]
    pub fn of_user(targeting_key: &str) -> Context {
        Context::of(vec![(TARGETING_KEY.into(), Value::text(targeting_key))])
    }

    fn of(entries: Vec<(Box<str>, Value)>) -> Context {
        // What is too heavy all the same is left out as a whole: it has no part that can be trusted.
        Context { root: Arc::new(Object::new(entries).unwrap_or_default()) }
    }

    /// Reads a context, a JSON object.
    ///
    /// # Errors
    /// Where it is too large, no JSON, or no object.
    pub fn from_json(json: &[u8]) -> Result<Context, ContextError> {
        bounded(json)?;
        Context::of_value(read(json)?)
    }

    /// Reads the body of an OFREP request: `{"context": {…}}`. A missing body or context is an
    /// empty context.
    ///
    /// # Errors
    /// Where the body is too large or no JSON, or the context no object.
    pub fn from_request(body: &[u8]) -> Result<Context, ContextError> {
        #[derive(Deserialize)]
        struct Request {
            context: Option<Value>,
        }
        bounded(body)?;
        if body.trim_ascii().is_empty() {
            return Ok(Context::empty());
        }
        let request: Option<Request> = read(body)?;
        request
            .and_then(|request| request.context)
            .map_or_else(|| Ok(Self::empty()), Self::of_value)
    }

    fn of_value(value: Value) -> Result<Context, ContextError> {
        match value {
            Value::Object(root) if root.get(INJECTED).is_none() => Ok(Context { root }),
            Value::Object(root) => {
                let own = root.iter().filter(|(key, _)| *key != INJECTED);
                Ok(Context::of(own.map(|(key, value)| (key.into(), value.clone())).collect()))
            }
            Value::Null => Ok(Context::empty()),
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => {
                Err(ContextError::NoObject)
            }
        }
    }

    /// The same context with one more attribute, which replaces another of the same name; static
    /// values and those taken from headers come in this way.
    #[must_use]
    pub fn with(&self, key: &str, value: Value) -> Context {
        if key == INJECTED {
            return self.clone();
        }
        let mut entries: Vec<_> =
            self.root.iter().map(|(key, value)| (key.into(), value.clone())).collect();
        entries.push((key.into(), value));
        Context::of(entries)
    }

    /// Who is asking, if the context says so with a text that is not empty.
    #[must_use]
    pub fn targeting_key(&self) -> Option<&str> {
        match self.root.get(TARGETING_KEY) {
            Some(Value::Text(key)) if !key.is_empty() => Some(key),
            Some(_) | None => None,
        }
    }

    /// All attributes.
    #[must_use]
    pub fn attributes(&self) -> &Object {
        &self.root
    }
}

fn bounded(json: &[u8]) -> Result<(), ContextError> {
    match json.len() > LARGEST_CONTEXT {
        true => Err(ContextError::TooLarge(json.len())),
        false => Ok(()),
    }
}

fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, ContextError> {
    serde_json::from_slice(json).map_err(|error| ContextError::NoJson(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_may_leave_out_everything() {
        for body in ["", "  ", "{}", "null", r#"{"context":null}"#, r#"{"context":{}}"#] {
            let context = Context::from_request(body.as_bytes()).unwrap();
            assert_eq!(context.attributes().iter().len(), 0, "{body}");
        }
        let context = Context::from_request(br#"{"x":1,"context":{"targetingKey":"u"}}"#).unwrap();
        assert_eq!(context.targeting_key(), Some("u"));
    }

    #[test]
    fn bad_contexts_are_refused_clearly() {
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(10_000_000));
        assert_eq!(
            Context::from_json(large.as_bytes()).unwrap_err().to_string(),
            "the context has 10000008 bytes; at most 1048576 are accepted"
        );
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let error = Context::from_json(deep.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("recursion limit"), "{error}");
        let error = Context::from_json(b"{\n \"a\": nope}").unwrap_err().to_string();
        assert!(error.contains("line 2 column"), "{error}");
        assert_eq!(Context::from_json(b"[]").unwrap_err(), ContextError::NoObject);
        assert!(Context::from_json(b"{\"a\": NaN}").is_err());
    }

    #[test]
    fn what_the_evaluator_injects_cannot_be_forged() {
        let context = Context::from_json(br#"{"$flagd":{"timestamp":1},"a":1}"#).unwrap();
        assert!(context.attributes().get("$flagd").is_none());
        assert!(context.with("$flagd", Value::Null).attributes().get("$flagd").is_none());
        assert_eq!(context.with("a", Value::Null).attributes().iter().len(), 1);
    }
}
