//! A real Prometheus that scrapes counters of this test: what is read is what was served.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cutover_core::metric::{Found, UNBOUNDED};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::server::{Server, answer};
use crate::setting::{Setting, pairs};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// The program; `None` where there is none, and that is no failure.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("prometheus"));
    let found = found.into_iter().find(|file| file.is_file());
    if found.is_none() {
        let must = std::env::var_os("CUTOVER_TEST_PROMETHEUS").is_some();
        assert!(!must, "CUTOVER_TEST_PROMETHEUS is set, and there is no prometheus on PATH");
        let text = "SKIPPED: sources against a real Prometheus. Install it (Debian: apt-get install \
                    prometheus); with CUTOVER_TEST_PROMETHEUS=1 its absence is a failure.\n";
        // Not by print!, which the test harness swallows.
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
    found
}

/// One instance of the app: what it exports, and how often it was asked since that changed.
struct Exporter {
    server: Server,
    text: Arc<Mutex<Option<String>>>,
    scrapes: watch::Receiver<u64>,
}

impl Exporter {
    async fn start() -> Exporter {
        let text: Arc<Mutex<Option<String>>> = Arc::default();
        let (counted, scrapes) = watch::channel(0);
        let served = Arc::clone(&text);
        let server = Server::start(move |_| {
            counted.send_modify(|scrapes| *scrapes += 1);
            match &*served.lock().unwrap() {
                Some(text) => answer("200 OK\r\ncontent-type: text/plain; version=0.0.4", text),
                None => answer("500 Internal Server Error", ""),
            }
        })
        .await;
        Exporter { server, text, scrapes }
    }

    /// Exports other counters; returns when Prometheus has them.
    async fn set(&mut self, text: Option<String>) {
        *self.text.lock().unwrap() = text;
        let now = *self.scrapes.borrow();
        // The one under way may have the old text; when the third begins, the second is stored.
        let seen = self.scrapes.wait_for(|scrapes| *scrapes >= now + 3);
        timeout(LIMIT, seen).await.unwrap().unwrap();
    }
}

/// What an instance exports: requests by code, and requests up to 5 ms, up to 100 ms, and all.
fn text(version: &str, codes: &[(u32, u64)], buckets: [u64; 3]) -> Option<String> {
    let mut text = "# TYPE http_requests_total counter\n".to_owned();
    for (code, count) in codes {
        text.push_str(&format!(
            "http_requests_total{{version=\"{version}\",code=\"{code}\"}} {count}\n"
        ));
    }
    text.push_str("# TYPE http_request_duration_seconds histogram\n");
    for (le, count) in ["0.005", "0.1", "+Inf"].into_iter().zip(buckets) {
        text.push_str(&format!(
            "http_request_duration_seconds_bucket{{version=\"{version}\",le=\"{le}\"}} {count}\n"
        ));
    }
    text.push_str(&format!("queue_depth{{version=\"{version}\"}} 7.5\n"));
    Some(text)
}

struct Real {
    url: String,
    _folder: TempDir,
    _child: Child,
    /// Reads its log: without a reader it would end.
    _log: JoinSet<()>,
}

impl Real {
    async fn start(program: PathBuf, targets: &[&Exporter]) -> Real {
        let folder = tempfile::tempdir().unwrap();
        let targets: Vec<String> =
            targets.iter().map(|exporter| format!("'{}'", exporter.server.address)).collect();
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\nscrape_configs:\n  \
             - job_name: shop\n    static_configs: [{{ targets: [{}] }}]\n",
            targets.join(", ")
        );
        let file = folder.path().join("prometheus.yml");
        cutover_files::write_atomic(&file, config.as_bytes()).unwrap();
        // Free a moment ago.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut child = Command::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={free}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = async {
            let mut said = Vec::new();
            while let Some(line) = log.next_line().await.unwrap() {
                if line.contains("Server is ready to receive web requests") {
                    return;
                }
                said.push(line);
            }
            panic!("it ended: {said:#?}");
        };
        timeout(LIMIT, ready).await.unwrap();
        let mut reader = JoinSet::new();
        reader.spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        Real { _log: reader, url: format!("http://{free}"), _folder: folder, _child: child }
    }
}

fn counted(real: &Real, interval: &str) -> Setting {
    Setting::of(&format!(
        "interval: {interval}\nprometheus:\n  url: {}\n  \
         requests: 'http_requests_total{{version=\"{{version}}\"}}'\n  \
         errors: 'http_requests_total{{version=\"{{version}}\",code=~\"5..\"}} # the bad ones'\n  \
         latency: 'http_request_duration_seconds_bucket{{version=\"{{version}}\"}}'",
        real.url
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_is_what_was_served() {
    let Some(program) = program() else { return };
    let (mut a, mut b) = (Exporter::start().await, Exporter::start().await);
    let mut c = Exporter::start().await;
    let real = Real::start(program, &[&a, &b, &c]).await;
    // Looks are many seconds apart here; this one shall not take that for an outage.
    let mut setting = counted(&real, "10m");
    let mut outage = counted(&real, "1s");

    tokio::join!(
        a.set(text("v1", &[(200, 1000), (500, 10)], [500, 900, 1010])),
        b.set(text("v1", &[(200, 500)], [0, 500, 500])),
        c.set(None),
    );
    assert!(setting.nothing().await.contains("two looks"));
    assert_eq!(setting.nothing().await, "no series matches `requests` for v2 (candidate)");

    c.set(text("v2", &[(200, 3)], [1, 2, 3])).await;
    // The candidate is there, and was not at the look before.
    assert_eq!(pairs(&setting.counts().await), [(0, 0), (0, 0)]);
    outage.nothing().await;

    tokio::join!(
        a.set(text("v1", &[(200, 1050), (500, 12)], [540, 950, 1062])),
        b.set(text("v1", &[(200, 530)], [0, 510, 530])),
        c.set(text("v2", &[(200, 23), (503, 4)], [11, 12, 27])),
    );
    setting.restart();
    let reading = setting.look().await.unwrap();
    assert_eq!(reading.warnings, Vec::<String>::new());
    let Found::Counts(counts) = reading.found else { panic!("{reading:?}") };
    assert_eq!(pairs(&counts), [(24, 4), (82, 2)]);
    let mut instances = counts.per_instance_stable;
    instances.sort_unstable();
    assert_eq!(instances, [(30, 0), (52, 2)]);
    assert_eq!(counts.candidate.latency, [(5000, 10), (UNBOUNDED, 14)]);
    assert_eq!(counts.stable.latency, [(5000, 40), (100_000, 20), (UNBOUNDED, 22)]);
    assert!(counts.span.0 > Duration::from_secs(1) && counts.span.0 < LIMIT);

    // The candidate starts anew, and cannot be scraped for a while.
    c.set(text("v2", &[(200, 5)], [0, 5, 5])).await;
    assert_eq!(pairs(&setting.counts().await), [(5, 0), (0, 0)]);
    c.set(None).await;
    assert!(setting.nothing().await.contains("for v2 (candidate)"));
    c.set(text("v2", &[(200, 8), (500, 1)], [0, 8, 9])).await;
    assert_eq!(pairs(&setting.counts().await), [(4, 1), (0, 0)]);

    // It starts anew once more, and ends above where it was. The other one has not looked since
    // there were 3 requests of the candidate: 24 more, 5 after a restart, 4 more, 2, 10 more.
    c.set(text("v2", &[(200, 2)], [0, 2, 2])).await;
    c.set(text("v2", &[(200, 12)], [0, 2, 12])).await;
    outage.restart();
    let counts = outage.counts().await;
    assert_eq!(pairs(&counts), [(24 + 5 + 4 + 2 + 10, 4 + 1), (82, 2)]);
    let total: BTreeMap<u64, u64> = counts.candidate.latency.into_iter().collect();
    let buckets = [(5000, 10), (100_000, 5 + 3 + 2), (UNBOUNDED, 14 + 1 + 10)];
    assert_eq!(total, BTreeMap::from(buckets));

    queries_that_are_no_counters(&real).await;
}

async fn queries_that_are_no_counters(real: &Real) {
    let mut wrong = counted(real, "15s");
    let queries = wrong.metric.prometheus.as_mut().unwrap();
    queries.errors = Some("sum by (http_requests_total{version=\"{version}\"}".to_owned());
    let why = wrong.failure().await;
    assert!(why.contains("it refuses `errors`: ") && why.contains("parse error"), "{why}");
    let mut none = counted(real, "15s");
    let queries = none.metric.prometheus.as_mut().unwrap();
    queries.errors = Some("no_such{version=\"{version}\"}".to_owned());
    none.nothing().await;
    let why = none.nothing().await;
    assert!(why.contains("append ` or 0 * ` and the query of `requests`"), "{why}");
    let queries = none.metric.prometheus.as_mut().unwrap();
    queries.errors = Some(format!(
        "no_such{{version=\"{{version}}\"}} or 0 * {}",
        queries.requests.as_deref().unwrap()
    ));
    none.nothing().await;
    assert_eq!(pairs(&none.counts().await), [(0, 0), (0, 0)]);
    let mut rate = counted(real, "15s");
    let queries = rate.metric.prometheus.as_mut().unwrap();
    queries.requests =
        Some("rate(http_requests_total{version=\"{version}\",code=\"200\"}[1m])".to_owned());
    let why = rate.failure().await;
    assert!(why.contains("which is no count"), "{why}");
    let mut depth = Setting::of(&format!(
        "max: 10\nprometheus: {{ url: \"{}\", value: 'max(queue_depth{{version=\"{{version}}\"}})' }}",
        real.url
    ));
    assert_eq!(depth.look().await.unwrap().found, Found::Value(7.5));
    depth.metric.prometheus.as_mut().unwrap().value = Some("0 / 0".to_owned());
    assert!(depth.failure().await.contains("the query gives NaN"));
    depth.metric.prometheus.as_mut().unwrap().value = Some("no_such_metric".to_owned());
    assert!(depth.nothing().await.contains("no series"));
}
