//! Answers of the OpenFeature Remote Evaluation Protocol (OFREP 0.3), written straight to bytes.
//!
//! What does not depend on the context was written when the flag was loaded; an answer is three
//! pieces put together.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::cbor;
use crate::context::{Context, ContextError};
use crate::flag::{ErrorCode, Evaluation, Flag, Outcome, Reason};
use crate::set::FlagSet;
use crate::value::{Value, quoted};

/// What clients need that the protocol does not ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compat {
    /// Send `"variant":""` where there is no value. Without it some clients (Python's provider
    /// 0.3) take a disabled flag for an error.
    pub empty_variant: bool,
}

impl Default for Compat {
    fn default() -> Compat {
        Compat { empty_variant: true }
    }
}

/// An entity tag of a bulk answer, with its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    fn of(hash: &[u8]) -> ETag {
        let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        ETag(format!("\"{digits}\""))
    }

    /// As it stands in the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Does an `If-None-Match` header name this one? Weak tags and lists count.
    #[must_use]
    pub fn is_in(&self, header: &str) -> bool {
        header
            .split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.0)
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an answer says: why the value is the one it is, or why there is none.
pub type Said = Result<Reason, ErrorCode>;

impl FlagSet {
    /// Writes the answer for one flag; its HTTP status, and what it says.
    pub fn answer(
        &self,
        key: &str,
        context: &Context,
        now: i64,
        compat: Compat,
        out: &mut Vec<u8>,
    ) -> (u16, Said) {
        let said = match self.flag(key) {
            Some(flag) => flag.answer(context, now, compat, out),
            None => {
                let details = "there is no flag with this key";
                error(Some(key), ErrorCode::FlagNotFound, details, out);
                Err(ErrorCode::FlagNotFound)
            }
        };
        (status_of(said), said)
    }

    /// Writes the answers for all flags. `extra` are more members of the answer, such as
    /// `"eventStreams":[…]`, or nothing.
    pub fn bulk(
        &self,
        context: &Context,
        now: i64,
        compat: Compat,
        extra: &str,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(b"{\"flags\":[");
        for (at, flag) in self.flags.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            // It stands in the answer, too.
            let _ = flag.answer(context, now, compat, out);
        }
        out.extend_from_slice(b"],\"metadata\":");
        out.extend_from_slice(self.metadata.as_bytes());
        if !extra.is_empty() {
            out.push(b',');
            out.extend_from_slice(extra.as_bytes());
        }
        out.push(b'}');
    }

    /// The tag of the bulk answer for this context, known before anything is evaluated: a hash of
    /// the documents and of the whole context. `None` if an answer can change with time alone; then
    /// it is [`body_etag`] of the answer.
    #[must_use]
    pub fn etag(&self, context: &Context, compat: Compat, extra: &str) -> Option<ETag> {
        if self.reads_clock() {
            return None;
        }
        let mut known = vec![];
        cbor::put_value(&Value::text(extra), &mut known);
        cbor::put_value(&Value::text(self.metadata()), &mut known);
        cbor::put_value(&Value::Bool(compat.empty_variant), &mut known);
        for (key, value) in context.attributes().iter() {
            cbor::put_text(key, &mut known);
            cbor::put_value(value, &mut known);
        }
        let mut hash = Sha256::new();
        hash.update(self.version);
        hash.update((self.flags.len() as u64).to_le_bytes());
        hash.update(&known);
        Some(ETag::of(&hash.finalize()))
    }
}

/// The tag of an answer that is written already.
#[must_use]
pub fn body_etag(body: &[u8]) -> ETag {
    ETag::of(&Sha256::digest(body))
}

impl Flag {
    #[inline]
    fn answer(&self, context: &Context, now: i64, compat: Compat, out: &mut Vec<u8>) -> Said {
        match self.evaluate(context, now).outcome {
            Outcome::Variant(reason, variant) => {
                out.extend_from_slice(&self.head);
                out.extend_from_slice(reason.as_str().as_bytes());
                out.extend_from_slice(&variant.tail);
                Ok(reason)
            }
            Outcome::CodeDefault(reason) => {
                self.without_value(reason, compat, out);
                Ok(reason)
            }
            Outcome::Failed(code, details) => {
                self.failed(code, &details, out);
                Err(code)
            }
        }
    }

    fn without_value(&self, reason: Reason, compat: Compat, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(reason.as_str().as_bytes());
        out.extend_from_slice(if compat.empty_variant { b"\",\"variant\":\"\"" } else { b"\"" });
        out.extend_from_slice(&self.foot);
    }

    #[cold]
    fn failed(&self, code: ErrorCode, details: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        let words = format!(
            "ERROR\",\"errorCode\":\"{}\",\"errorDetails\":{}",
            code.as_str(),
            quoted(details)
        );
        out.extend_from_slice(words.as_bytes());
        out.extend_from_slice(&self.foot);
    }
}

/// Writes the answer to a request whose context cannot be used; its HTTP status. `key` is missing
/// in bulk requests.
pub fn refuse(key: Option<&str>, why: &ContextError, out: &mut Vec<u8>) -> u16 {
    error(key, ErrorCode::InvalidContext, &why.to_string(), out);
    400
}

/// Writes the answer to a request that fails as a whole. `key` is missing in bulk requests.
pub fn error(key: Option<&str>, code: ErrorCode, details: &str, out: &mut Vec<u8>) {
    let key = key.map(|key| format!("\"key\":{},\"reason\":\"ERROR\",", quoted(key)));
    let words = format!(
        "{{{}\"errorCode\":\"{}\",\"errorDetails\":{},\"metadata\":{{}}}}",
        key.unwrap_or_default(),
        code.as_str(),
        quoted(details)
    );
    out.extend_from_slice(words.as_bytes());
}

/// The HTTP status of the answer for one evaluation, for callers that have one at hand.
#[must_use]
pub fn status(evaluation: &Evaluation<'_>) -> u16 {
    status_of(match &evaluation.outcome {
        Outcome::Variant(reason, _) | Outcome::CodeDefault(reason) => Ok(*reason),
        Outcome::Failed(code, _) => Err(*code),
    })
}

fn status_of(said: Said) -> u16 {
    match said {
        Ok(_) => 200,
        Err(ErrorCode::FlagNotFound) => 404,
        Err(ErrorCode::ParseError | ErrorCode::InvalidContext | ErrorCode::General) => 400,
    }
}
