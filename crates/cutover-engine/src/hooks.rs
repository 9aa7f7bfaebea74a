//! Hooks: a program or an HTTP call with a deadline. Never through a shell.

use std::path::Path;

use bytes::Bytes;
use cutover_core::spec::Hook;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;

use crate::execute::{self, last_lines};
use crate::ports::{Due, HookResult, Hooks};

/// Runs hooks on this machine.
#[derive(Debug, Clone, Copy)]
pub struct HooksHere;

impl Hooks for HooksHere {
    async fn run(&self, Due { hook, base, facts, confidential }: Due) -> HookResult {
        run(&hook, &base, &facts, &confidential).await
    }
}

/// What a hook is, in one line.
#[must_use]
pub(crate) fn name(hook: &Hook) -> String {
    hook.http.clone().unwrap_or_else(|| hook.run.join(" "))
}

/// Runs a hook to its end or its deadline. Programs get what happened in `CUTOVER_*` variables,
/// calls the same as JSON. `secrets` are not shown in what is told of the output.
async fn run(hook: &Hook, base: &Path, facts: &[(&str, String)], secrets: &[String]) -> HookResult {
    let work = async {
        match &hook.http {
            Some(url) => call(url, facts).await,
            None => execute(&hook.run, base, facts).await,
        }
    };
    let result = match tokio::time::timeout(hook.deadline.0, work).await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => HookResult { ok: false, detail: error },
        Err(_) => HookResult { ok: false, detail: format!("not done after {}", hook.deadline) },
    };
    let scrub = |text: String, secret: &String| text.replace(secret.as_str(), "[redacted]");
    HookResult { detail: secrets.iter().fold(result.detail, scrub), ..result }
}

async fn execute(
    run: &[String],
    base: &Path,
    facts: &[(&str, String)],
) -> Result<HookResult, String> {
    let ended = execute::execute(run, base, facts).await.map_err(|error| error.to_string())?;
    let (status, last) = (ended.status, last_lines(&ended.output, 10));
    let detail = if last.is_empty() { status.to_string() } else { format!("{status}\n{last}") };
    Ok(HookResult { ok: status.success(), detail })
}

async fn call(url: &str, facts: &[(&str, String)]) -> Result<HookResult, String> {
    let uri: http::Uri = url.parse().map_err(|_| format!("{url} is not a URL"))?;
    let host = uri.host().ok_or_else(|| format!("{url} names no host"))?;
    if uri.scheme_str() != Some("http") {
        return Err(format!("{url}: only http:// is in this build"));
    }
    let port = uri.port_u16().unwrap_or(80);
    let stream = tokio::net::TcpStream::connect((host, port))
        .await
        .map_err(|error| format!("cannot connect to {host}:{port}: {error}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let facts: serde_json::Map<String, serde_json::Value> =
        facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
    let body = serde_json::Value::from(facts).to_string();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = http::Request::post(path)
        .header("host", uri.authority().map_or(host, |authority| authority.as_str()))
        .header("content-type", "application/json")
        .header("user-agent", "cutover-hook")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), 64 * 1024).collect().await;
        let text = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let text: String = String::from_utf8_lossy(&text).chars().take(400).collect();
        let detail = format!("{status} {text}").trim().to_owned();
        Ok(HookResult { ok: status.is_success(), detail })
    };
    // The connection has to be driven beside the exchange; its own errors reach the exchange.
    let drive = async {
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! { result = exchange => result, never = drive => never }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutover_core::units::Span;

    fn program(run: &[&str]) -> Hook {
        let run = run.iter().map(ToString::to_string).collect();
        Hook { run, http: None, deadline: Span::secs(5) }
    }

    #[tokio::test]
    async fn exit_code_and_output_are_told() {
        let base = Path::new("/");
        let facts = [("app", "shop".to_owned())];
        let ok = run(&program(&["sh", "-c", "echo $CUTOVER_APP"]), base, &facts, &[]).await;
        assert_eq!((ok.ok, ok.detail.as_str()), (true, "exit status: 0\nshop"));
        let bad = run(&program(&["sh", "-c", "echo no >&2; exit 3"]), base, &facts, &[]).await;
        assert_eq!((bad.ok, bad.detail.as_str()), (false, "exit status: 3\nno"));
        let missing = run(&program(&["./no-such-program"]), base, &[], &[]).await;
        assert!(!missing.ok && missing.detail.contains("no-such-program"), "{}", missing.detail);
    }

    #[tokio::test]
    async fn a_deadline_ends_it() {
        let hook = Hook { deadline: Span::millis(50), ..program(&["sleep", "60"]) };
        let late = run(&hook, Path::new("/"), &[], &[]).await;
        assert_eq!((late.ok, late.detail.as_str()), (false, "not done after 50ms"));
    }

    #[tokio::test]
    async fn much_output_and_a_child_left_behind_fail_nobody() {
        let much = "yes | head -c 300000; echo the end; sleep 30 & exit 0";
        let hook = Hook { deadline: Span::secs(10), ..program(&["sh", "-c", much]) };
        let result = run(&hook, Path::new("/"), &[], &["the end".to_owned()]).await;
        assert!(result.ok, "{}", result.detail);
        assert!(result.detail.ends_with("[redacted]"), "{}", result.detail);
    }
}
