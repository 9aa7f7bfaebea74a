//! Signals as something one can wait for.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGCHLD, SIGTERM};

/// SIGTERM and SIGCHLD, noticed without a race: both wake [`Signals::wait`] even if they came
/// before it.
pub(super) struct Signals {
    wake: UnixStream,
    stop: Arc<AtomicBool>,
}

impl Signals {
    pub(super) fn install() -> io::Result<Signals> {
        let (wake, write) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        // The flag is registered first, so it is up when the wake-up comes.
        signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;
        signal_hook::low_level::pipe::register(SIGTERM, write.try_clone()?)?;
        signal_hook::low_level::pipe::register(SIGCHLD, write)?;
        Ok(Signals { wake, stop })
    }
    /// Was a stop asked?
    pub(super) fn stop_asked(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
    /// Returns at the next signal, or after a while.
    pub(super) fn wait(&self, longest: Option<Duration>) {
        let longest = longest.and_then(|span| Timespec::try_from(span).ok());
        // An interrupted call is a signal too.
        let _ = poll(&mut [PollFd::new(&self.wake, PollFlags::IN)], longest.as_ref());
        let mut bytes = [0; 64];
        while matches!((&self.wake).read(&mut bytes), Ok(n) if n > 0) {}
    }
}
