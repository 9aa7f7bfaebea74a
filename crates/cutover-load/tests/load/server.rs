//! A server made of one function, on a real socket.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cutover_load::{Load, Report, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Runs until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Treats every connection like this.
    pub(crate) async fn start<F: Future<Output = ()> + Send + 'static>(
        treat: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                connections.spawn(treat(stream));
            }
        });
        Self { address, accepted, _tasks: tasks }
    }

    /// Answers every request, by its number from 0 and its head, with these bytes.
    pub(crate) async fn answering<F: Future<Output = String> + Send + 'static>(
        answer: impl Fn(usize, String) -> F + Send + Sync + 'static,
    ) -> Self {
        let (answer, number) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        Self::start(move |mut stream| {
            let (answer, number) = (answer.clone(), number.clone());
            async move {
                while let Some(head) = request(&mut stream).await {
                    let bytes = answer(number.fetch_add(1, Ordering::Relaxed), head).await;
                    if stream.write_all(bytes.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    /// Connections up to now.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// 200 requests per second to this server for this time, over kept connections.
    pub(crate) fn settings(&self, milliseconds: u64) -> Settings {
        settings(self.address, milliseconds)
    }
}

pub(crate) fn settings(address: SocketAddr, milliseconds: u64) -> Settings {
    let mut settings = Settings::new(format!("http://{address}/").parse().unwrap());
    settings.rate = 200.0;
    settings.duration = Some(Duration::from_millis(milliseconds));
    settings.keep_alive = 1.0;
    settings
}

/// The whole load; what always holds is checked.
pub(crate) async fn run(settings: Settings) -> Report {
    let report = Load::start(settings).await.unwrap().finish().await;
    check(&report);
    assert_eq!(report.under_way, 0);
    report
}

/// What holds of every report, whatever happened.
pub(crate) fn check(report: &Report) {
    assert_eq!(report.due, report.started + report.unsent);
    let failed = report.failed.by_reason.values().sum::<u64>();
    assert_eq!(report.failed.total, failed);
    assert_eq!(report.started, report.completed + failed + report.under_way);
    assert_eq!(report.completed, report.ok + report.rejected + report.errors);
    assert_eq!(report.completed, report.by_status.values().sum::<u64>());
    let versions = report.by_version.values();
    let by_version = versions.flat_map(|version| version.by_status.values()).sum::<u64>();
    assert_eq!(report.completed, by_version);
}

/// Reads one request with its body; its head.
pub(crate) async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(head)
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// An answer with this status and these header lines.
pub(crate) fn answer(status: u16, headers: &str) -> String {
    format!("HTTP/1.1 {status} Such\r\ncontent-length: 3\r\n{headers}\r\nyes")
}

/// Looks again and again until it is so, or 20 s have passed.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
