//! Connections: opened, used, kept and found closed.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::SERVER;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::call::{Call, Kind};
use crate::failure::{Failure, Reason};
use crate::settings::Settings;

/// Idle connections kept at most.
const MOST_IDLE: usize = 256;

/// A POST goes over a kept connection only if that was used this short a time ago: the server
/// may be closing an older one just now, and a POST cannot be sent twice.
const FRESH: Duration = Duration::from_secs(1);

/// The server as this load reaches it: its addresses, and the connections kept open to it.
pub(crate) struct Server {
    addresses: Vec<SocketAddr>,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

/// What happened to one call up to now; kept outside of the exchange because a timeout drops that.
#[derive(Default)]
pub(crate) struct Progress {
    /// The request was handed to a connection.
    pub(crate) sent: bool,
    /// A kept connection was found closed, and another one opened in its place.
    pub(crate) reopened: bool,
}

/// A complete answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) version: String,
}

pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Drives the connection, and ends with it.
    _driver: JoinSet<()>,
}

impl Connection {
    async fn open(addresses: &[SocketAddr]) -> Result<Self, Failure> {
        let stream = TcpStream::connect(addresses).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Its error reaches the request that is under way, if there is one.
            let _ = connection.await;
        });
        Ok(Self { sender, _driver: driver })
    }
}

impl Server {
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Self {
        let idle = Mutex::default();
        Self { addresses, idle }
    }

    /// Makes one call up to the last byte of the answer. The connection comes with it; see
    /// [`Server::keep`].
    pub(crate) async fn exchange(
        &self,
        settings: &Settings,
        call: Call,
        progress: &mut Progress,
    ) -> Result<(Answer, Connection), Failure> {
        let mut request = call.request(settings);
        if call.kept
            && let Some(mut connection) = self.take(call.kind, progress)
        {
            progress.sent = true;
            match connection.sender.try_send_request(request).await {
                Ok(response) => return Ok((complete(response).await?, connection)),
                // Closed by the server before a byte of the request was written: what every
                // browser does now is to open another one, and nobody notices.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
            progress.reopened = true;
            progress.sent = false;
        }
        let mut connection = Connection::open(&self.addresses).await?;
        progress.sent = true;
        let response = connection.sender.send_request(request).await?;
        Ok((complete(response).await?, connection))
    }

    /// Keeps a connection for a later call, unless the server closes it after this one.
    pub(crate) async fn keep(&self, mut connection: Connection) {
        if connection.sender.ready().await.is_err() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push((connection, Instant::now()));
        }
    }

    /// The connection used last that is not known to be closed.
    fn take(&self, kind: Kind, progress: &mut Progress) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let (_, since) = idle.last()?;
            if kind == Kind::Post && since.elapsed() >= FRESH {
                return None;
            }
            let (connection, _) = idle.pop()?;
            if !connection.sender.is_closed() {
                return Some(connection);
            }
            progress.reopened = true;
        }
    }
}

/// Reads an answer to its end, without keeping it.
async fn complete(mut response: Response<Incoming>) -> Result<Answer, Failure> {
    while let Some(frame) = response.body_mut().frame().await {
        frame?;
    }
    let status = response.status();
    let word = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    if status.is_server_error() && word(SERVER.as_str()).is_some_and(|it| it.starts_with("cutover"))
    {
        let detail = format!("{status} by the proxy");
        return Err(Failure::new(Reason::Proxy(status.as_u16()), detail));
    }
    let version = word("x-version").unwrap_or_else(|| "-".to_owned());
    Ok(Answer { status: status.as_u16(), version })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc;
    use std::thread;

    use tokio::io::AsyncReadExt;
    use tokio::time::{advance, pause};

    use super::*;

    const PLAIN: Call = Call { k: 0, kind: Kind::Plain, kept: true };

    fn answer(stream: &mut TcpStream) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    }

    async fn call(server: &Server) -> Progress {
        let settings = Settings::new("http://demo".parse().unwrap());
        let mut progress = Progress::default();
        let (_, connection) = server.exchange(&settings, PLAIN, &mut progress).await.ok().unwrap();
        server.keep(connection).await;
        progress
    }

    /// Makes a call, has the server close the connection, and makes another one: with the close
    /// already noticed, or found only while the request is being handed over.
    async fn call_over_a_closed_connection(noticed: bool) -> Progress {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::new(vec![listener.local_addr().unwrap()]);
        let (ours, mut theirs) = tokio::net::UnixStream::pair().unwrap();
        let mut ours = ours.into_std().unwrap();
        let (close, told) = mpsc::channel();
        let (closed, done) = mpsc::channel();
        let thread = thread::spawn(move || {
            let (mut first, _) = listener.accept().unwrap();
            answer(&mut first);
            told.recv().unwrap();
            drop(first);
            ours.write_all(b"x").unwrap();
            closed.send(()).unwrap();
            let (mut second, _) = listener.accept().unwrap();
            answer(&mut second);
        });
        assert!(!call(&server).await.reopened);
        close.send(()).unwrap();
        // Blocks the runtime on purpose: nothing may look at the connection meanwhile.
        done.recv().unwrap();
        // This byte and the end of the connection arrive in one turn of the runtime, and this
        // task goes first.
        theirs.read_u8().await.unwrap();
        let closed = |server: &Server| {
            let idle = server.idle.lock().unwrap();
            idle[0].0.sender.is_closed()
        };
        assert!(!closed(&server));
        while noticed && !closed(&server) {
            tokio::task::yield_now().await;
        }
        let progress = call(&server).await;
        thread.join().unwrap();
        progress
    }

    #[tokio::test]
    async fn a_kept_connection_that_was_closed_is_opened_again() {
        let progress = call_over_a_closed_connection(true).await;
        assert!(progress.reopened && progress.sent);
    }

    #[tokio::test]
    async fn a_request_that_was_not_written_is_sent_again() {
        let progress = call_over_a_closed_connection(false).await;
        assert!(progress.reopened && progress.sent);
    }

    #[tokio::test]
    async fn a_post_takes_only_a_connection_used_just_now() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::new(vec![listener.local_addr().unwrap()]);
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            answer(&mut stream);
            stream
        });
        call(&server).await;
        let mut progress = Progress::default();
        let fresh = server.take(Kind::Post, &mut progress).unwrap();
        server.keep(fresh).await;
        pause();
        advance(FRESH).await;
        assert!(server.take(Kind::Post, &mut progress).is_none());
        assert!(server.take(Kind::Plain, &mut progress).is_some());
        assert!(!progress.reopened);
        thread.join().unwrap();
    }
}
