//! The users of one app: open-loop load, half of it over kept connections, one in five a POST with
//! an id of its own.

use std::fs;
use std::time::{Duration, Instant};

use cutover_load::{Load, Report, Settings};
use tokio::runtime::Handle;

use crate::failure::Failure;
use crate::world::App;

/// A request that waits this long for its answer has failed: longer than any stop of a process.
const TIMEOUT: Duration = Duration::from_secs(40);
/// How long a slow request takes, in the app.
const SLOW: &str = "/slow?ms=500";

/// Load that goes on.
pub(crate) struct Users {
    runtime: Handle,
    load: Load,
    app: App,
}

/// What became of all requests.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) report: Report,
    /// The lines that the app wrote, one for each order.
    pub(crate) orders: String,
}

/// How far the load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    /// Begun and not ended.
    pub(crate) under_way: u64,
    /// Begun so far.
    pub(crate) started: u64,
}

impl Users {
    /// They come, `rate` requests a second.
    pub(crate) fn come(
        runtime: &Handle,
        app: &App,
        rate: f64,
        seed: u64,
    ) -> Result<Users, Failure> {
        let failed = |error: &dyn std::error::Error| Failure::Said(format!("no load: {error}"));
        let url = format!("http://{}/", app.listen).parse();
        let mut settings =
            Settings::new(url.map_err(|error: http::uri::InvalidUri| failed(&error))?);
        settings.rate = rate;
        settings.keep_alive = 0.5;
        settings.posts = 0.2;
        settings.slow = 0.02;
        settings.slow_path = http::uri::PathAndQuery::from_static(SLOW);
        settings.timeout = TIMEOUT;
        settings.seed = seed;
        let load = runtime.block_on(Load::start(settings)).map_err(|error| failed(&error))?;
        Ok(Users { runtime: runtime.clone(), load, app: app.clone() })
    }

    pub(crate) fn so_far(&self) -> Report {
        self.load.snapshot()
    }
    pub(crate) fn point(&self) -> Point {
        let report = self.load.snapshot();
        Point { under_way: report.under_way, started: report.started }
    }

    /// Waits until some more requests have been answered; false if they are not.
    pub(crate) fn a_while(&self, answered: u64, limit: Duration) -> bool {
        let (begin, end) = (self.so_far().completed, Instant::now() + limit);
        while self.so_far().completed < begin + answered {
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// They leave; gives the account when the last answer is there.
    pub(crate) fn leave(self) -> Account {
        let report = self.runtime.block_on(self.load.stop());
        Account { report, orders: fs::read_to_string(&self.app.orders).unwrap_or_default() }
    }
}
