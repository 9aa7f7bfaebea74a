//! Talks to the daemon.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cutover_core::event::Event;
use cutover_engine::api::{PROTOCOL, Refused};
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use crate::daemon::{PROTOCOL_HEADER, VERSION_HEADER};
use crate::failure::{Failure, exit};

/// The longest an answer may take; a server that needs longer is stopped, or hangs.
const LIMIT: Duration = Duration::from_secs(30);
/// The longest the daemon may take to show that it lives, before a call that may rightly take long.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// The daemon behind one socket; a connection for each call.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    socket: PathBuf,
    server: Server,
    limit: Duration,
}

/// Who is behind the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Daemon,
    Proxy,
}

/// Why a call got no usable answer.
#[derive(Debug)]
pub(crate) enum CallError {
    /// Nobody is there, or it went away in the middle: asking again may help.
    Gone(Failure),
    /// An answer, and it is no.
    Failed(Failure),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Failure {
        match error {
            CallError::Gone(failure) | CallError::Failed(failure) => failure,
        }
    }
}

/// An answer whose connection lives as long as it does.
struct Answer {
    response: Response<Incoming>,
    _connection: JoinSet<()>,
}

impl Client {
    pub(crate) fn new(socket: PathBuf) -> Client {
        Client { socket, server: Server::Daemon, limit: LIMIT }
    }

    /// The proxy answers the same way, and speaks no protocol of commands.
    pub(crate) fn of_proxy(socket: PathBuf) -> Client {
        Client { server: Server::Proxy, ..Client::new(socket) }
    }

    /// Does somebody listen on the socket?
    pub(crate) async fn answers(&self) -> bool {
        UnixStream::connect(&self.socket).await.is_ok()
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        self.call(Method::POST, path, written(body)?).await
    }

    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        self.call(Method::PUT, path, written(body)?).await
    }

    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        self.call(Method::DELETE, path, Bytes::new()).await
    }

    /// A call whose answer comes when something is over: it has no limit, but is made only of a
    /// daemon that shows a sign of life.
    pub(crate) async fn post_and_wait<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        self.within(
            SIGN_OF_LIFE.min(self.limit),
            self.send(Method::GET, "/v1/status", Bytes::new()),
        )
        .await?;
        self.exchange(Method::POST, path, written(body)?).await
    }

    /// The events of a path under `/v1/events`, as they come. Only their beginning has a limit.
    pub(crate) async fn events(&self, path: &str) -> Result<EventStream, CallError> {
        let begun = async {
            let answer = self.send(Method::GET, path, Bytes::new()).await?;
            self.accepted(answer).await
        };
        let answer = self.within(self.limit, begun).await?;
        Ok(EventStream { answer, buffer: BytesMut::new() })
    }

    /// A call that also works with a daemon of another protocol, or with the proxy.
    pub(crate) async fn call_any<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
    ) -> Result<T, CallError> {
        let answered = async {
            let answer = self.send(method, path, Bytes::new()).await?;
            self.whole(answer).await
        };
        parsed(&self.within(self.limit, answered).await?)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, CallError> {
        self.within(self.limit, self.exchange(method, path, body)).await
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, CallError> {
        let answer = self.send(method, path, body).await?;
        let answer = self.accepted(answer).await?;
        let body = self.whole(answer).await?;
        parsed(&body)
    }

    /// The answer, if it comes in time.
    async fn within<T>(
        &self,
        limit: Duration,
        asked: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        match tokio::time::timeout(limit, asked).await {
            Ok(answer) => answer,
            // Asking again would only take as long again.
            Err(_elapsed) => Err(CallError::Failed(self.silent(limit).await)),
        }
    }

    async fn silent(&self, limit: Duration) -> Failure {
        let who = self.server.name();
        let socket = self.socket.display();
        let seconds = limit.as_secs_f64();
        let message = format!("{who} does not answer on {socket} within {seconds} s");
        let failure = Failure::new(exit::UNREACHABLE, message);
        // The kernel takes connections for a process that is stopped, and knows whose they are.
        let stream = UnixStream::connect(&self.socket).await.ok();
        let pid = stream.and_then(|stream| stream.peer_cred().ok()?.pid());
        match (self.server, pid) {
            (Server::Daemon, Some(pid)) => failure
                .help(format!("if it is stopped, let it go on: kill -CONT {pid}"))
                .help(format!(
                    "or end it: kill -KILL {pid}; apps run on, and the next command starts it again"
                )),
            (Server::Daemon, None) | (Server::Proxy, _) => failure,
        }
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, CallError> {
        let gone = |error: &(dyn std::error::Error + 'static)| self.unreachable(error);
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| gone(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| gone(&error))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // A broken connection shows in the answer, too.
            let _ = connection.await;
        });
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "cutover")
            .header(CONTENT_TYPE, "application/json")
            .header(PROTOCOL_HEADER, PROTOCOL)
            .body(Full::new(body))
            .map_err(|error| {
                CallError::Failed(Failure::internal("cannot make the request", &error))
            })?;
        let response = sender.send_request(request).await.map_err(|error| gone(&error))?;
        Ok(Answer { response, _connection: driver })
    }

    async fn whole(&self, answer: Answer) -> Result<Bytes, CallError> {
        let collected = answer.response.into_body().collect().await;
        Ok(collected.map_err(|error| self.unreachable(&error))?.to_bytes())
    }

    /// Checks protocol and status.
    async fn accepted(&self, answer: Answer) -> Result<Answer, CallError> {
        check_protocol(answer.response.headers()).map_err(CallError::Failed)?;
        if answer.response.status().is_success() {
            return Ok(answer);
        }
        let status = answer.response.status();
        let body = self.whole(answer).await?;
        let failure = match serde_json::from_slice::<Refused>(&body) {
            Ok(refused) => Failure::from(refused),
            Err(_) => Failure::new(
                exit::INTERNAL,
                format!("the daemon answered {status}: {}", String::from_utf8_lossy(&body)),
            ),
        };
        Err(CallError::Failed(failure))
    }

    fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> CallError {
        let message =
            format!("{} does not answer on {}", self.server.name(), self.socket.display());
        let failure = Failure::new(exit::UNREACHABLE, message).because(error);
        CallError::Gone(match self.server {
            Server::Daemon => failure
                .help("cutover daemon start; what it did is in daemon.log of the state folder"),
            Server::Proxy => failure,
        })
    }
}

impl Server {
    fn name(self) -> &'static str {
        match self {
            Server::Daemon => "the daemon",
            Server::Proxy => "the proxy",
        }
    }
}

fn written(body: &impl Serialize) -> Result<Bytes, CallError> {
    let text = serde_json::to_vec(body);
    text.map(Bytes::from)
        .map_err(|error| CallError::Failed(Failure::internal("cannot write the request", &error)))
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, CallError> {
    serde_json::from_slice(body).map_err(|error| {
        CallError::Failed(Failure::internal("the daemon's answer cannot be read", &error))
    })
}

fn check_protocol(headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let theirs = text(PROTOCOL_HEADER);
    if theirs.and_then(|text| text.parse().ok()) == Some(PROTOCOL) {
        return Ok(());
    }
    Err(Failure::new(
        exit::UNREACHABLE,
        format!(
            "the running daemon ({}) speaks protocol {}, this command ({}) speaks {PROTOCOL}",
            text(VERSION_HEADER).unwrap_or("of unknown version"),
            theirs.unwrap_or("none"),
            crate::cli::VERSION,
        ),
    )
    .unchanged("apps and their traffic run on")
    .help("cutover daemon stop, then this command again; it starts the daemon of its own version"))
}

/// Events as they come over one connection.
pub(crate) struct EventStream {
    answer: Answer,
    buffer: BytesMut,
}

impl EventStream {
    /// The next event; `None` where the stream ended or broke.
    ///
    /// Safe to drop in the middle of waiting: what was read stays in the buffer.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                // Blank lines are heartbeats.
                if !line.trim_ascii().is_empty() {
                    let event = serde_json::from_slice::<Event>(&line);
                    return event.map(Some).map_err(|error| {
                        Failure::internal("an event of the daemon cannot be read", &error)
                    });
                }
            }
            match self.answer.response.body_mut().frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A listener that nobody accepts from looks like a process that is stopped.
    #[tokio::test]
    async fn a_server_that_is_stopped_is_told_after_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let _listener = UnixListener::bind(&socket).unwrap();
        let limit = Duration::from_millis(20);
        let client = Client { limit, ..Client::new(socket) };
        let nothing = serde_json::Value::Null;
        let answers = [
            client.get::<serde_json::Value>("/v1/apps").await.err(),
            client.post_and_wait::<serde_json::Value>("/v1/deploy", &nothing).await.err(),
            client.events("/v1/events").await.err(),
            client.call_any::<serde_json::Value>(Method::POST, "/v1/stop").await.err(),
        ];
        for error in answers {
            let failure = Failure::from(error.unwrap());
            assert_eq!(failure.code, exit::UNREACHABLE);
            assert!(failure.message.contains("does not answer on"), "{}", failure.message);
            let kill = format!("kill -CONT {}", std::process::id());
            assert!(failure.help.iter().any(|help| help.contains(&kill)), "{:?}", failure.help);
        }
    }
}
