//! One TCP connection, with what the runtime's own stream does not tell: how many bytes moved,
//! whether the peer has closed by now, and an end from outside.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::FutureExt;
use rustix::net::{RecvFlags, Shutdown};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// A connection, to a user or to an instance.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    written: AtomicU64,
    read: AtomicU64,
    cut: AtomicBool,
    /// Wakes the tunnel, whose user may be silent for ever.
    cutting: Notify,
    upgraded: AtomicBool,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Arc<Wire> {
        // Only costs speed where it fails.
        let _ = stream.set_nodelay(true);
        Arc::new(Wire {
            stream,
            written: AtomicU64::new(0),
            read: AtomicU64::new(0),
            cut: AtomicBool::new(false),
            cutting: Notify::new(),
            upgraded: AtomicBool::new(false),
        })
    }

    /// Bytes sent so far.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Bytes received so far.
    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Ends the connection in the middle of whatever it does.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        // Fails only where the peer has ended it already.
        let _ = rustix::net::shutdown(&self.stream, Shutdown::Both);
        self.cutting.notify_one();
    }

    /// Returns once it is [`cut`](Self::cut); for one caller.
    pub(crate) async fn until_cut(&self) {
        self.cutting.notified().await;
    }

    /// Was it [`cut`](Self::cut)?
    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    /// It carries something other than HTTP from now on.
    pub(crate) fn set_upgraded(&self) {
        self.upgraded.store(true, Ordering::SeqCst);
    }

    /// Does it?
    pub(crate) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::SeqCst)
    }

    /// Asks the kernel whether an idle connection has ended (or has sent what nobody asked for),
    /// because the runtime may not have noticed yet.
    pub(crate) fn is_stale(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        !matches!(
            rustix::net::recv(&self.stream, &mut [0_u8; 1], flags),
            Err(rustix::io::Errno::AGAIN)
        )
    }

    /// Has the peer closed its side, also where bytes before that have not been read?
    pub(crate) fn has_left(&self) -> bool {
        match self.stream.ready(Interest::READABLE | Interest::ERROR).now_or_never() {
            Some(Ok(ready)) => ready.is_read_closed() || ready.is_error(),
            Some(Err(_)) => true,
            None => false,
        }
    }
}

/// The wire as hyper reads and writes it.
#[derive(Debug)]
pub(crate) struct WireIo(pub(crate) Arc<Wire>);

impl AsyncRead for WireIo {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.stream.poll_read_ready(context))?;
            match self.0.stream.try_read_buf(buffer) {
                Ok(count) => {
                    self.0.read.fetch_add(count as u64, Ordering::Relaxed);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl WireIo {
    fn poll_send(
        &self,
        context: &mut Context<'_>,
        send: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.stream.poll_write_ready(context))?;
            match send(&self.0.stream) {
                Ok(count) => {
                    self.0.written.fetch_add(count as u64, Ordering::Relaxed);
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for WireIo {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(context, |stream| stream.try_write(bytes))
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(context, |stream| stream.try_write_vectored(slices))
    }
    fn is_write_vectored(&self) -> bool {
        true
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match rustix::net::shutdown(&self.0.stream, Shutdown::Write) {
            // The peer was faster.
            Ok(()) | Err(rustix::io::Errno::NOTCONN) => Poll::Ready(Ok(())),
            Err(errno) => Poll::Ready(Err(errno.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peer_that_left_is_seen_behind_bytes_that_nobody_read() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let wire = Wire::new(listener.accept().await.unwrap().0);
        assert!(!wire.has_left());
        tokio::io::AsyncWriteExt::write_all(&mut peer, b"12345").await.unwrap();
        wire.stream.readable().await.unwrap();
        assert!(!wire.has_left());
        drop(peer);
        let seen = async {
            while !wire.has_left() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(5), seen).await.expect("seen");
        assert!(wire.is_stale());
    }
}
