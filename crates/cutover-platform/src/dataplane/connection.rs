//! Calls over the proxy's Unix socket: one kept-alive connection, opened again when it is gone.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cutover_core::dataplane::Refusal;
use cutover_engine::ports::DataPlaneError;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::task::JoinSet;

/// No call takes longer.
const LONGEST: Duration = Duration::from_secs(5);
/// No answer is larger.
const LARGEST: usize = 64 * 1024 * 1024;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The way to the proxy.
#[derive(Debug)]
pub(super) struct Connection {
    socket: PathBuf,
    /// The connection that is open and not in use.
    idle: Mutex<Option<SendRequest<Full<Bytes>>>>,
    /// What moves the bytes of each connection.
    movers: Mutex<JoinSet<()>>,
}

/// What the proxy said, before anybody has looked at it.
struct Answer {
    status: StatusCode,
    body: Bytes,
}

impl Connection {
    pub(super) fn to(socket: PathBuf) -> Connection {
        Connection { socket, idle: Mutex::new(None), movers: Mutex::new(JoinSet::new()) }
    }

    /// Makes a call that is answered with a value.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, DataPlaneError> {
        let body = self.exchange(method, path, body).await?;
        serde_json::from_slice(&body).map_err(|error| {
            DataPlaneError::Unreachable(format!("its answer makes no sense: {error}").into())
        })
    }

    /// Makes a call that is answered with a text.
    pub(super) async fn text(&self, path: &str) -> Result<String, DataPlaneError> {
        let body = self.exchange(Method::GET, path, None::<&()>).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Makes a call whose answer says only that it is done.
    pub(super) async fn order(&self, method: Method, path: &str) -> Result<(), DataPlaneError> {
        self.exchange(method, path, None::<&()>).await.map(|_| ())
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Bytes, DataPlaneError> {
        let body = match body {
            Some(body) => serde_json::to_vec(body)
                .map_err(|error| DataPlaneError::Unreachable(error.into()))?,
            None => Vec::new(),
        };
        let body = Bytes::from(body);
        let calling = self.send(&method, path, &body);
        let answer = match tokio::time::timeout(LONGEST, calling).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(cause)) => return Err(DataPlaneError::Unreachable(cause)),
            Err(_) => {
                let cause = format!("{method} {path} was not answered within 5 s");
                return Err(DataPlaneError::Unreachable(cause.into()));
            }
        };
        understand(answer)
    }

    /// Over the open connection, and over a new one if that was closed meanwhile. Saying a thing
    /// twice is harmless: every call of the proxy can be repeated.
    async fn send(&self, method: &Method, path: &str, body: &Bytes) -> Result<Answer, Cause> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = idle
            && let Ok(answer) = self.send_over(sender, method, path, body).await
        {
            return Ok(answer);
        }
        let sender = self.open().await?;
        self.send_over(sender, method, path, body).await
    }

    async fn send_over(
        &self,
        mut sender: SendRequest<Full<Bytes>>,
        method: &Method,
        path: &str,
        body: &Bytes,
    ) -> Result<Answer, Cause> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "cutover")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.clone()))?;
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST).collect().await?.to_bytes();
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        Ok(Answer { status, body })
    }

    async fn open(&self) -> Result<SendRequest<Full<Bytes>>, Cause> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| format!("{}: {error}", self.socket.display()))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut movers = self.movers.lock().unwrap_or_else(PoisonError::into_inner);
        while movers.try_join_next().is_some() {}
        movers.spawn(async move {
            // Whoever uses the connection gets the error too.
            let _ = connection.await;
        });
        Ok(sender)
    }
}

fn understand(answer: Answer) -> Result<Bytes, DataPlaneError> {
    let Answer { status, body } = answer;
    if status.is_success() {
        return Ok(body);
    }
    if status.is_client_error() {
        // A proxy of another version may refuse in other words.
        let refusal = serde_json::from_slice(&body).unwrap_or_else(|_| Refusal {
            reason: format!("the proxy answers {status}: {}", beginning(&body)),
            taken: None,
        });
        return Err(DataPlaneError::Refused(refusal));
    }
    let cause = format!("it answers {status}: {}", beginning(&body));
    Err(DataPlaneError::Unreachable(cause.into()))
}

fn beginning(body: &Bytes) -> String {
    crate::local::printable(&String::from_utf8_lossy(body), 200)
}
