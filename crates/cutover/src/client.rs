//! Talks to the daemon.

use std::path::{Path, PathBuf};

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

/// The daemon behind one socket; a connection for each call.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    socket: PathBuf,
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
        Client { socket }
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
        let body = serde_json::to_vec(body).map_err(|error| {
            CallError::Failed(Failure::internal("cannot write the request", &error))
        })?;
        self.call(Method::POST, path, body.into()).await
    }

    /// The events of a path under `/v1/events`, as they come.
    pub(crate) async fn events(&self, path: &str) -> Result<EventStream, CallError> {
        let answer = self.send(Method::GET, path, Bytes::new()).await?;
        let answer = self.accepted(answer).await?;
        Ok(EventStream { answer, buffer: BytesMut::new() })
    }

    /// A call that also works with a daemon of another protocol.
    pub(crate) async fn post_any_protocol<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<T, CallError> {
        self.call_any(Method::POST, path).await
    }

    /// A call to another process than the daemon: the proxy.
    pub(crate) async fn get_foreign<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<T, CallError> {
        self.call_any(Method::GET, path).await
    }

    async fn call_any<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
    ) -> Result<T, CallError> {
        let answer = self.send(method, path, Bytes::new()).await?;
        let body = self.whole(answer).await?;
        parsed(&body)
    }

    async fn call<T: DeserializeOwned>(
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

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, CallError> {
        let gone = |error: &(dyn std::error::Error + 'static)| unreachable(&self.socket, error);
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
        Ok(collected.map_err(|error| unreachable(&self.socket, &error))?.to_bytes())
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
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, CallError> {
    serde_json::from_slice(body).map_err(|error| {
        CallError::Failed(Failure::internal("the daemon's answer cannot be read", &error))
    })
}

fn unreachable(socket: &Path, error: &(dyn std::error::Error + 'static)) -> CallError {
    let message = format!("the daemon does not answer on {}", socket.display());
    CallError::Gone(
        Failure::new(exit::UNREACHABLE, message)
            .because(error)
            .help("cutover daemon start; what it did is in daemon.log of the state folder"),
    )
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
