//! The proxy's side of the keeper's socket.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use cutover_core::dataplane::Refusal;
use tokio::io::AsyncReadExt;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::fd_passing::{Messages, send};
use crate::keeper::protocol::{Ask, Held, Refused, Reply};
use crate::listener::Listeners;
use crate::log::Log;

const LIMIT: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(200);

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("the proxy keeper does not answer: {0}")]
    Unreachable(#[from] io::Error),
    #[error("{}", .0.reason)]
    Refused(Refused),
}

impl From<LinkError> for Refusal {
    fn from(error: LinkError) -> Refusal {
        let reason = error.to_string();
        let taken = match error {
            LinkError::Refused(refused) => refused.taken,
            LinkError::Unreachable(_) => None,
        };
        Refusal { reason, taken }
    }
}

/// The keeper, wherever it is: each question has its own connection.
#[derive(Debug, Clone)]
pub(crate) struct KeeperLink(pub(crate) PathBuf);

impl KeeperLink {
    /// The listening socket of this name.
    pub(crate) async fn bind(
        &self,
        name: String,
        address: SocketAddr,
    ) -> Result<OwnedFd, LinkError> {
        match self.ask(Ask::Bind { name, address }, None).await? {
            (_, Some(fd)) => Ok(fd),
            (_, None) => Err(io::Error::other("no socket came with the answer").into()),
        }
    }

    /// Gives a listening socket back.
    pub(crate) async fn close(&self, name: String) -> Result<(), LinkError> {
        self.ask(Ask::Close { name }, None).await.map(drop)
    }

    /// Closes a listener that nothing needs, here first and then at the keeper.
    pub(crate) async fn give_back(&self, name: &str, listeners: &Listeners, log: &Log) {
        listeners.close(name).await;
        if let Err(error) = self.close(name.to_owned()).await {
            log.line(&format!("proxy: cannot give back {name}: {error}"));
        }
    }

    async fn ask(
        &self,
        ask: Ask,
        fd: Option<OwnedFd>,
    ) -> Result<(Held, Option<OwnedFd>), LinkError> {
        let path = self.0.clone();
        let talk = move || {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.set_write_timeout(Some(LIMIT))?;
            send(&stream, &ask, fd.as_ref().map(AsFd::as_fd))?;
            Messages::new(&stream).next::<Reply>()?.ok_or(io::ErrorKind::UnexpectedEof.into())
        };
        let answer: io::Result<_> =
            spawn_blocking(talk).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        match answer? {
            (Reply::Ok(held), fd) => Ok((held, fd)),
            (Reply::Error(refused), _) => Err(LinkError::Refused(refused)),
        }
    }

    /// Gives all listening sockets to whichever keeper there is, and again when there is a new one.
    pub(crate) async fn watch(self, listeners: &Listeners, log: &Log, stop: &CancellationToken) {
        let mut is_lost = false;
        while !stop.is_cancelled() {
            match self.stay(listeners, stop).await {
                Ok(()) => is_lost = false,
                Err(error) => {
                    if !is_lost {
                        log.line(&format!("proxy: the keeper is gone ({error}); serving on"));
                    }
                    is_lost = true;
                }
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn stay(&self, listeners: &Listeners, stop: &CancellationToken) -> Result<(), LinkError> {
        let mut stream = tokio::net::UnixStream::connect(&self.0).await?;
        for (name, address, fd) in listeners.duplicates() {
            self.ask(Ask::Adopt { name, address }, Some(fd)).await?;
        }
        let mut watch = serde_json::to_vec(&Ask::Watch {}).map_err(io::Error::from)?;
        watch.push(b'\n');
        tokio::io::AsyncWriteExt::write_all(&mut stream, &watch).await?;
        let mut answer = [0; 64];
        loop {
            let read = tokio::select! {
                read = stream.read(&mut answer) => read?,
                () = stop.cancelled() => return Ok(()),
            };
            if read == 0 {
                return Ok(());
            }
        }
    }
}
