//! The life of the process: start, listen, answer, stop.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::app::App;
use crate::args::Args;
use crate::{complain, say, sleeper};

/// How long requests under way are waited for after SIGTERM.
const GRACE: Duration = Duration::from_millis(4500);

/// Runs the program to its end.
pub(crate) async fn run(args: Args, words: &[&str]) -> io::Result<u8> {
    let mut signals = Signals::new(&args)?;
    let _sleeper = if args.fork { Some(sleeper::start(words)?) } else { None };
    let (exit_after, exit_code) = (args.exit_after, args.exit_code);
    let early_end = async move {
        match exit_after {
            Some(time) if !time.is_zero() => sleep(time).await,
            Some(_) => {}
            None => pending().await,
        }
        complain(&format!("exiting with {exit_code} as told"));
        Ok(exit_code)
    };
    // First come, first polled: with `--exit-after 0s` nothing ever listens.
    tokio::select! {
        biased;
        code = early_end => code,
        code = serve(args, &mut signals) => code,
    }
}

async fn serve(args: Args, signals: &mut Signals) -> io::Result<u8> {
    if let Some(time) = args.start_after {
        tokio::select! {
            () = sleep(time) => {}
            () = signals.stop() => return Ok(0),
        }
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await?;
    let address = listener.local_addr()?;
    let version = args.version.clone();
    let instance = args.instance.clone();
    let (stopping, stop) = watch::channel(false);
    let instance = instance.unwrap_or_else(|| address.to_string());
    let app = Arc::new(App::new(args, instance, stop.clone())?);
    say(&started(&version, address));

    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = signals.stop() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, app.clone(), stop.clone()));
                }
                // Out of files, or the peer is gone already: neither is a reason to end, but
                // the first would spin.
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    }
    drop(listener);
    say(&format!("stopping version={version} connections={}", connections.len()));
    stopping.send_replace(true);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if timeout(GRACE, all_ended).await.is_err() {
        complain(&format!("cut {} connections", connections.len()));
    }
    Ok(0)
}

fn started(version: &str, address: SocketAddr) -> String {
    let pid = std::process::id();
    format!("started version={version} address={address} pid={pid}")
}

/// Serves one connection; when the program stops it ends after the request under way, or at once
/// if it is idle.
async fn connection(stream: TcpStream, app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| app.answer(request));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}

/// SIGTERM and SIGINT, caught from the very start.
struct Signals {
    /// `None` leaves SIGTERM its default: the process is gone at once, whatever is inside it.
    terminate: Option<Signal>,
    interrupt: Signal,
    ignore_term: bool,
}

impl Signals {
    fn new(args: &Args) -> io::Result<Self> {
        let handled = !args.abrupt;
        Ok(Self {
            terminate: handled.then(|| signal(SignalKind::terminate())).transpose()?,
            interrupt: signal(SignalKind::interrupt())?,
            ignore_term: args.ignore_term,
        })
    }

    /// Returns when the program is asked to stop.
    async fn stop(&mut self) {
        loop {
            let terminated = async {
                match &mut self.terminate {
                    Some(terminate) => terminate.recv().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                _ = terminated => {
                    if !self.ignore_term {
                        return;
                    }
                    say("ignoring SIGTERM");
                }
                _ = self.interrupt.recv() => return,
            }
        }
    }
}
