//! Ctrl-C.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Failure, exit};

/// Every Ctrl-C since this was made; none ends the process by itself any more.
#[derive(Debug)]
pub(crate) struct Interrupts {
    signal: Signal,
}

impl Interrupts {
    pub(crate) fn watch() -> Result<Interrupts, Failure> {
        let signal = signal(SignalKind::interrupt())
            .map_err(|error| Failure::internal("cannot watch for Ctrl-C", &error))?;
        Ok(Interrupts { signal })
    }

    /// Returns at the next one.
    pub(crate) async fn next(&mut self) {
        if self.signal.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// An answer of the daemon, or the news that somebody does not want to wait for it.
    pub(crate) async fn or<T, E: Into<Failure>>(
        &mut self,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            answer = asked => answer.map_err(Into::into),
            () = self.next() => Err(Failure::new(
                exit::INTERRUPTED,
                "interrupted before the daemon answered; whether a rollout began is not known",
            )
            .help("cutover status")),
        }
    }
}
