//! JSON lines over a Unix socket, each with at most one file descriptor (SCM_RIGHTS).

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// No message comes near this; a peer that sends more is broken.
const LONGEST_LINE: usize = 64 * 1024;

/// Sends one message, and a descriptor with its first bytes.
pub(crate) fn send(
    mut stream: &UnixStream,
    message: &impl Serialize,
    fd: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let fds = fd.as_slice();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("no room for a file descriptor"));
    }
    let sent = sendmsg(stream, &[IoSlice::new(&line)], &mut control, SendFlags::NOSIGNAL)?;
    stream.write_all(line.get(sent..).unwrap_or_default())
}

/// Reads such messages.
pub(crate) struct Messages<'a> {
    stream: &'a UnixStream,
    bytes: Vec<u8>,
    fds: VecDeque<OwnedFd>,
}

impl<'a> Messages<'a> {
    pub(crate) fn new(stream: &'a UnixStream) -> Messages<'a> {
        Messages { stream, bytes: Vec::new(), fds: VecDeque::new() }
    }

    /// The next message; `None` once the peer has closed.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<(T, Option<OwnedFd>)>> {
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                return Ok(Some((serde_json::from_slice(&line)?, self.fds.pop_front())));
            }
            if self.bytes.len() > LONGEST_LINE {
                return Err(io::Error::other("the line is too long"));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn fill(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let buffers = &mut [IoSliceMut::new(&mut chunk)];
            match recvmsg(self.stream, buffers, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other?,
            }
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                self.fds.extend(fds);
            }
        }
        self.bytes.extend_from_slice(chunk.get(..received.bytes).unwrap_or_default());
        Ok(received.bytes > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_listening_socket_travels_with_its_message() {
        let (here, there) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        send(&here, &"one", Some(listener.as_fd())).unwrap();
        send(&here, &"two", None).unwrap();
        drop((listener, here));
        let mut messages = Messages::new(&there);
        let (text, fd) = messages.next::<String>().unwrap().unwrap();
        assert_eq!(text, "one");
        let listener = TcpListener::from(fd.expect("with a descriptor"));
        let (text, fd) = messages.next::<String>().unwrap().unwrap();
        assert_eq!((text.as_str(), fd.is_none()), ("two", true));
        assert!(messages.next::<String>().unwrap().is_none());
        let mut client = TcpStream::connect(address).unwrap();
        drop(listener.accept().unwrap());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
}
