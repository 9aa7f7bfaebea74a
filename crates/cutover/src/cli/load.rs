//! `cutover load`

use std::time::Duration;

use cutover_core::units::Span;
use cutover_load::{Load, LoadError, Settings};
use http::Uri;
use http::uri::PathAndQuery;

use super::Session;
use crate::failure::{Done, Failure, exit};
use crate::rollout::Interrupts;

/// Send requests at a steady rate and account for every one.
///
/// The rate holds whatever the server does, and latency counts from when a request was due.
///
/// Example: cutover load http://127.0.0.1:8080/ --rate 500 --for 30s --posts 0.2
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to.
    url: Uri,
    /// Requests per second.
    #[arg(long, value_name = "N", default_value_t = 100.0)]
    rate: f64,
    /// How long; until Ctrl-C if not given.
    #[arg(long = "for", value_name = "SPAN")]
    length: Option<Span>,
    /// Part of the requests over kept connections, 0 to 1.
    #[arg(long, value_name = "PART", default_value_t = 0.5)]
    keep_alive: f64,
    /// Part of the requests that are POSTs, 0 to 1.
    #[arg(long, value_name = "PART", default_value_t = 0.0)]
    posts: f64,
    /// Part of the requests to the slow path, 0 to 1.
    #[arg(long, value_name = "PART", default_value_t = 0.0)]
    slow: f64,
    /// Where POSTs go.
    #[arg(long, value_name = "PATH")]
    posts_path: Option<PathAndQuery>,
    /// Where slow requests go.
    #[arg(long, value_name = "PATH")]
    slow_path: Option<PathAndQuery>,
    /// The longest an answer may take.
    #[arg(long, value_name = "SPAN", default_value_t = Span(Duration::from_secs(30)))]
    timeout: Span,
    /// Deals the kinds of requests; the same seed, the same order.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Exit with 1 if any request failed.
    #[arg(long)]
    fail_on_failed: bool,
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        let fails = self.fail_on_failed;
        let mut interrupts = Interrupts::watch()?;
        let load = Load::start(self.settings()).await.map_err(failure)?;
        let length = self.length.map(|span| span.0);
        tokio::select! {
            () = wait(length) => {}
            () = interrupts.next() => session.note("no new requests; waiting for those under way"),
        }
        let report = load.stop().await;
        if session.common.json {
            session.print_json(&report)?;
        } else {
            session.print(&report.summary())?;
        }
        if report.sent == 0 {
            return Err(Failure::new(exit::INTERNAL, "nothing could be sent")
                .help("is the address right, and does somebody listen there?"));
        }
        Ok(if fails && report.failed.total > 0 { 1 } else { exit::OK })
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::new(self.url.clone());
        settings.rate = self.rate;
        settings.duration = self.length.map(|span| span.0);
        settings.keep_alive = self.keep_alive;
        settings.posts = self.posts;
        settings.slow = self.slow;
        settings.timeout = self.timeout.0;
        if let Some(path) = &self.posts_path {
            settings.orders_path = path.clone();
        }
        if let Some(path) = &self.slow_path {
            settings.slow_path = path.clone();
        }
        if let Some(seed) = self.seed {
            settings.seed = seed;
        }
        settings
    }
}

async fn wait(length: Option<Duration>) {
    match length {
        Some(length) => tokio::time::sleep(length).await,
        None => std::future::pending().await,
    }
}

fn failure(error: LoadError) -> Failure {
    Failure::usage("the load cannot start").because(&error)
}
