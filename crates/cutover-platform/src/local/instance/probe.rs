//! One look at whether an instance answers.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use cutover_core::units::Span;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use tokio::net::TcpSocket;

use super::super::logs::printable;

/// Between two looks whether there is a descriptor again.
const SHORTAGE_LOOK: Duration = Duration::from_millis(20);

/// So much of an answer's body is shown.
const SHOWN: usize = 120;

/// GETs a path over a connection of its own; only 2xx is good, redirects are not followed.
///
/// # Errors
/// Why it is not good, to follow `GET URL → `.
pub(super) async fn get(address: SocketAddr, path: &str, longest: Duration) -> Result<(), String> {
    let socket = socket(address).await.map_err(|error| reason(&error))?;
    match tokio::time::timeout(longest, exchange(socket, address, path)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(reason)) => Err(reason),
        Err(_) => Err(format!("no answer within {}", Span(longest))),
    }
}

/// Opens a connection and closes it.
///
/// # Errors
/// Why that does not work.
pub(super) async fn connect(address: SocketAddr, longest: Duration) -> Result<(), String> {
    let socket = socket(address).await.map_err(|error| reason(&error))?;
    match tokio::time::timeout(longest, socket.connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(reason(&error)),
        Err(_) => Err(format!("no connection within {}", Span(longest))),
    }
}

/// A socket, as soon as there is a descriptor for it: who cannot look has seen nothing bad.
async fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    sooner_or_later(|| match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    })
    .await
}

async fn sooner_or_later<T>(mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match open() {
            Err(error)
                if matches!(Errno::from_io_error(&error), Some(Errno::MFILE | Errno::NFILE)) =>
            {
                tokio::time::sleep(SHORTAGE_LOOK).await;
            }
            opened => return opened,
        }
    }
}

async fn exchange(socket: TcpSocket, address: SocketAddr, path: &str) -> Result<(), String> {
    let request = Request::get(path)
        .header(header::HOST, address.to_string())
        .header(header::USER_AGENT, "cutover-health")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let stream = socket.connect(address).await.map_err(|error| reason(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| reason(&error))?;
    // The connection only moves while it is polled, so both are driven side by side.
    let mut connection = pin!(connection);
    let mut answer = pin!(async {
        let response = sender.send_request(request).await.map_err(|error| reason(&error))?;
        verdict(response).await
    });
    tokio::select! {
        biased;
        verdict = &mut answer => return verdict,
        _ = &mut connection => {}
    }
    // The connection has ended; what it has read is still to be looked at.
    answer.await
}

async fn verdict(response: Response<Incoming>) -> Result<(), String> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let code = status.as_u16();
    if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
        let to = response
            .headers()
            .get(header::LOCATION)
            .map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
        let to = to.map_or_else(String::new, |to| format!(" to {}", printable(&to, SHOWN)));
        return Err(format!("{code}{to}: redirects are not healthy"));
    }
    let mut body = Vec::new();
    let mut incoming = response.into_body();
    // An answer that breaks off is shown as far as it came.
    while let Some(Ok(frame)) = incoming.frame().await {
        if let Ok(data) = frame.into_data() {
            body.extend_from_slice(&data);
        }
        // One byte in a character, and some to cut.
        if body.len() > 4 * SHOWN {
            break;
        }
    }
    let text = printable(&String::from_utf8_lossy(&body), SHOWN);
    Err(if text.is_empty() { format!("{code}") } else { format!("{code} {text:?}") })
}

/// The deepest cause says most: hyper's own words are about itself.
fn reason(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    match deepest.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(std::io::ErrorKind::ConnectionReset) => "connection reset".to_owned(),
        Some(_) | None => deepest.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn without_a_descriptor_nothing_is_seen_until_there_is_one() {
        let mut tries = 0;
        let opened = sooner_or_later(|| {
            tries += 1;
            let shortage = [Errno::MFILE, Errno::NFILE].get(tries - 1);
            shortage.map_or(Ok("open"), |errno| Err((*errno).into()))
        });
        assert_eq!(opened.await.unwrap(), "open");
        assert_eq!(tries, 3);
        let refused = sooner_or_later(|| Err::<(), _>(Errno::AFNOSUPPORT.into())).await;
        assert!(refused.is_err(), "anything else is told");
    }
}
