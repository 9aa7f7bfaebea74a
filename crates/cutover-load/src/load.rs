//! The load itself: requests come due, whatever happens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::lookup_host;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::account::Account;
use crate::call::Call;
use crate::connection::{Progress, Server};
use crate::failure::{Failure, Reason};
use crate::report::Report;
use crate::settings::{LoadError, Settings};

/// A load that is going on; dropping it cuts everything under way.
pub struct Load {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    /// One task, which deals the requests and owns those under way.
    dealer: JoinSet<()>,
}

struct Shared {
    settings: Settings,
    server: Server,
    began: Instant,
    account: Mutex<Account>,
}

impl Load {
    /// Begins at once. The host is resolved here, and not again.
    ///
    /// # Errors
    /// Settings that make no sense, or a host without an address.
    pub async fn start(settings: Settings) -> Result<Self, LoadError> {
        settings.check()?;
        let host = settings.url.host().unwrap_or_default();
        let port = settings.url.port_u16().unwrap_or(80);
        let unbracketed = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = lookup_host((unbracketed, port)).await;
        let addresses =
            addresses.map_err(|source| LoadError::Resolve { host: host.to_owned(), source })?;
        let began = Instant::now();
        let shared = Arc::new(Shared {
            server: Server::new(addresses.collect()),
            account: Mutex::new(Account::new(&settings, began)?),
            settings,
            began,
        });
        let (stop, stopped) = watch::channel(false);
        let mut dealer = JoinSet::new();
        dealer.spawn(deal(shared.clone(), stopped));
        Ok(Self { shared, stop, dealer })
    }

    /// The account up to now.
    pub fn snapshot(&self) -> Report {
        self.shared.account().report(&self.shared.settings)
    }

    /// Begins no more requests, waits for those under way (each has its timeout), and gives the
    /// whole account.
    pub async fn stop(self) -> Report {
        self.stop.send_replace(true);
        self.finish().await
    }

    /// Waits for the end of [`Settings::duration`] and for all requests to end; without a
    /// duration, for ever.
    pub async fn finish(mut self) -> Report {
        while self.dealer.join_next().await.is_some() {}
        self.snapshot()
    }
}

impl Shared {
    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make(&self, call: Call, due: Instant) {
        let begun = Instant::now();
        self.account().begun(begun.duration_since(due));
        let mut progress = Progress::default();
        let exchange = self.server.exchange(&self.settings, call, &mut progress);
        let result = match timeout(self.settings.timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(Failure::new(
                Reason::Timeout,
                format!("no complete answer in {:?}", self.settings.timeout),
            )),
        };
        let (result, connection) = match result {
            Ok((answer, connection)) => (Ok(answer), Some(connection)),
            Err(failure) => (Err(failure), None),
        };
        self.account().ended(call, begun, due, &progress, &result);
        if let Some(connection) = connection.filter(|_| call.kept) {
            // A connection that takes this long to be free again is not worth keeping.
            let _ = timeout(self.settings.timeout, self.server.keep(connection)).await;
        }
    }
}

/// Deals requests when they are due, until it is time or all of them are dealt, then waits for
/// those under way.
async fn deal(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let settings = &shared.settings;
    let mut under_way = JoinSet::new();
    for k in 0.. {
        let offset = settings.due(k);
        if settings.duration.is_some_and(|duration| offset >= duration) {
            break;
        }
        let due = shared.began + offset;
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => break,
            () = sleep_until(due) => {}
        }
        while under_way.try_join_next().is_some() {}
        let begun = under_way.len() < settings.most_under_way;
        shared.account().due(begun);
        if begun {
            let (shared, call) = (shared.clone(), Call::deal(settings, k));
            under_way.spawn(async move { shared.make(call, due).await });
        }
    }
    shared.account().end();
    while under_way.join_next().await.is_some() {}
}
