//! Measures how fast flags are served, beside a handler of hyper that does nothing, in one run.
//!
//!     cargo run --release -p cutover-proxy --example bench_flags [SECONDS]
//!
//! Keeper, proxy and the empty handler are processes of this program; the client is in this one, so
//! both servers share the machine with it in the same way. They take turns, and the median of five
//! rounds of SECONDS (2) counts. Needs a descriptor limit above 10,500 for the listeners.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a program that measures prints and may fail"
)]

use std::convert::Infallible;
use std::error::Error;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cutover_proxy::{Folders, keep, serve};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CLIENTS: usize = 32;
const ROUNDS: usize = 5;
const LISTENERS: usize = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let roles: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    match roles.as_slice() {
        ["serve", state, run] => Ok(serve(&Folders { state: state.into(), run: run.into() })?),
        ["keep", state, run] => {
            let folders = Folders { state: state.into(), run: run.into() };
            let program = std::env::current_exe()?;
            Ok(keep(&folders, &program, &["serve".into(), state.into(), run.into()])?)
        }
        ["empty", address] => runtime()?.block_on(empty(address.parse()?)),
        [] => runtime()?.block_on(bench(Duration::from_secs(2))),
        [seconds, ..] => runtime()?.block_on(bench(Duration::from_secs_f64(seconds.parse()?))),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// A handler that reads the request and says nothing of use.
async fn empty(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| async {
                let _ = request.into_body().collect().await;
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"{}"))))
            });
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Ends its process with the run.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

struct Proxy {
    folders: Folders,
    _keeper: Running,
    seq: u32,
    listen: SocketAddr,
}

impl Proxy {
    async fn start(folder: &std::path::Path) -> Proxy {
        let folders = Folders { state: folder.join("s"), run: folder.join("r") };
        let keeper = Command::new(std::env::current_exe().unwrap())
            .arg("keep")
            .args([&folders.state, &folders.run])
            .spawn()
            .unwrap();
        while StdUnixStream::connect(folders.control_socket()).is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Proxy { folders, _keeper: Running(keeper), seq: 0, listen: free() }
    }

    async fn call(&self, method: &str, path: &str, body: String) -> Value {
        let stream = tokio::net::UnixStream::connect(self.folders.control_socket()).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header("host", "x");
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let answer = sender.send_request(request).await.unwrap().into_body().collect().await;
        serde_json::from_slice(&answer.unwrap().to_bytes()).unwrap()
    }

    async fn publish(&mut self, document: &Value) -> Value {
        self.seq += 1;
        let body = json!({
            "generation": {"epoch": 1, "seq": self.seq},
            "listen": self.listen,
            "sources": [{"name": "flags.json", "text": document.to_string()}],
        });
        let state = self.call("PUT", "/v1/flags/default", body.to_string()).await;
        assert!(state["flags"].is_u64(), "{state}");
        state
    }

    async fn pid(&self) -> u64 {
        self.call("GET", "/v1/state", String::new()).await["pid"].as_u64().unwrap()
    }
}

fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn rss_mb(pid: u64) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// So many flags; every second one has a rule of two conditions, every fourth a split.
fn document(flags: usize, salt: &str) -> Value {
    let flag = |number: usize| {
        let rule = match number % 4 {
            1 => json!({"if": [{"and": [{"==": [{"var": "tier"}, "gold"]},
                {"ends_with": [{"var": "email"}, "@example.com"]}]}, "on"]}),
            3 => json!({"fractional": [["on", 10], ["off", 90]]}),
            _ => Value::Null,
        };
        let body = json!({"state": "ENABLED", "variants": {"on": true, "off": false},
            "defaultVariant": "off", "targeting": rule, "metadata": {"salt": salt}});
        (format!("flag-{number}"), body)
    };
    let flags: serde_json::Map<String, Value> = (0..flags).map(flag).collect();
    json!({"metadata": {"cutover.bucketing": "v3"}, "flags": flags})
}

fn request(path: &str) -> Vec<u8> {
    let body = r#"{"context":{"targetingKey":"user-4711","tier":"gold","email":"a@example.com"}}"#;
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Sends a request over an open connection and reads the whole answer.
async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> usize {
    stream.write_all(request).await.unwrap();
    buffer.clear();
    loop {
        assert!(stream.read_buf(buffer).await.unwrap() > 0, "the server closed");
        let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head]).unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let whole = head + 4 + length.unwrap().parse::<usize>().unwrap();
        while buffer.len() < whole {
            assert!(stream.read_buf(buffer).await.unwrap() > 0, "the server closed");
        }
        return whole;
    }
}

/// Time that a process has spent on the processor, in µs: fields 14 and 15 of `/proc/PID/stat`, in
/// hundredths of a second.
fn spent(pid: u64) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = text.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    fields.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() * 10_000.0
}

/// Answers per second of a closed loop, and how long the server's processor worked for each, in µs.
/// The latter says something on a busy machine, too.
async fn rate_and_cost(pid: u64, address: SocketAddr, path: &str, lasts: Duration) -> (f64, f64) {
    let before = spent(pid);
    let (rate, answers) = rate(address, path, lasts).await;
    (rate, (spent(pid) - before) / answers)
}

/// Answers per second of a closed loop, and how many there were in all.
async fn rate(address: SocketAddr, path: &str, lasts: Duration) -> (f64, f64) {
    let (count, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let request = Arc::new(request(path));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (count, over, request) = (count.clone(), over.clone(), request.clone());
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut buffer = vec![];
                while !over.load(Ordering::Relaxed) {
                    exchange(&mut stream, &request, &mut buffer).await;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    tokio::time::sleep(lasts / 4).await;
    let (before, begin) = (count.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(lasts).await;
    let rate = (count.load(Ordering::Relaxed) - before) as f64 / begin.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    (rate, count.load(Ordering::Relaxed) as f64)
}

/// Latencies (p50, p99, in ms) at a given rate, counted from when each request was due.
async fn latency(address: SocketAddr, path: &str, per_second: f64, lasts: Duration) -> (f64, f64) {
    let request = Arc::new(request(path));
    let every = Duration::from_secs_f64(CLIENTS as f64 / per_second);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let request = request.clone();
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (mut buffer, mut taken) = (vec![], vec![]);
                let begin = Instant::now() + every.mul_f64(number as f64 / CLIENTS as f64);
                let mut due = begin;
                while due < begin + lasts {
                    tokio::time::sleep_until(due.into()).await;
                    // The clock of the runtime ticks in milliseconds; what is late by that is the
                    // client's fault, so the time counts from when it was really sent.
                    let sent = Instant::now();
                    exchange(&mut stream, &request, &mut buffer).await;
                    taken.push(sent.elapsed().as_secs_f64() * 1000.0);
                    due += every;
                }
                taken
            })
        })
        .collect();
    let mut all = vec![];
    for client in clients {
        all.extend(client.await.unwrap());
    }
    all.sort_by(f64::total_cmp);
    (all[all.len() / 2], all[all.len() * 99 / 100])
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn bench(lasts: Duration) -> Result<(), Box<dyn Error>> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised);
    let folder = tempfile::Builder::new().prefix("cutover-b").tempdir_in("/tmp")?;
    let mut proxy = Proxy::start(folder.path()).await;
    let at = free();
    let empty = Command::new(std::env::current_exe()?).args(["empty", &at.to_string()]).spawn()?;
    let empty = Running(empty);
    let idle = u64::from(empty.0.id());
    while TcpStream::connect(at).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let pid = proxy.pid().await;
    let bare = rss_mb(pid);
    proxy.publish(&document(60, "a")).await;

    let (one, bulk) = ("/ofrep/v1/evaluate/flags/flag-1", "/ofrep/v1/evaluate/flags");
    let (mut nothing, mut single, mut all) = (vec![], vec![], vec![]);
    let mut costs = [vec![], vec![], vec![]];
    for round in 0..ROUNDS {
        for (which, (pid, address, path)) in
            [(idle, at, one), (pid, proxy.listen, one), (pid, proxy.listen, bulk)]
                .iter()
                .enumerate()
        {
            let (rate, cost) = rate_and_cost(*pid, *address, path, lasts).await;
            [&mut nothing, &mut single, &mut all][which].push(rate);
            costs[which].push(cost);
        }
        println!(
            "round {round}: empty {:.0}/s, one flag {:.0}/s, 60 flags {:.0}/s",
            nothing[round], single[round], all[round]
        );
    }
    let ratios = |values: &[f64]| {
        median(values.iter().zip(&nothing).map(|(value, nothing)| value / nothing).collect())
    };
    println!("one flag, two conditions: {:.2} of the empty handler", ratios(&single));
    println!("60 flags at once:         {:.2} of the empty handler", ratios(&all));
    let [empty_cost, one_cost, all_cost] = costs.map(median);
    println!(
        "processor for an answer: empty {empty_cost:.1} µs, one flag {one_cost:.1} µs ({:.2}), 60 \
         flags {all_cost:.1} µs ({:.2})",
        empty_cost / one_cost,
        empty_cost / all_cost
    );
    let half = median(single) / 2.0;
    let (p50, p99) = latency(proxy.listen, one, half, lasts * 2).await;
    let (empty50, empty99) = latency(at, one, half, lasts * 2).await;
    println!("at {half:.0}/s: one flag p50 {p50:.2} ms, p99 {p99:.2} ms");
    println!("at {half:.0}/s: empty    p50 {empty50:.2} ms, p99 {empty99:.2} ms");

    drop(proxy);
    let folder = tempfile::Builder::new().prefix("cutover-b").tempdir_in("/tmp")?;
    let mut proxy = Proxy::start(folder.path()).await;
    let pid = proxy.pid().await;
    let before = rss_mb(pid);
    proxy.publish(&document(1000, "a")).await;
    proxy.publish(&document(1000, "b")).await;
    let with = rss_mb(pid);
    println!("memory: bare {bare:.1} MB, then {before:.1}; with 1,000 flags {with:.1} MB");

    listeners(&mut proxy, pid, bulk).await;
    Ok(())
}

async fn listeners(proxy: &mut Proxy, pid: u64, bulk: &str) {
    let told = Arc::new(AtomicU64::new(0));
    let before = rss_mb(pid);
    let mut first = listen(proxy.listen).await;
    next(&mut first).await;
    let mut times = vec![];
    for salt in ["c", "d", "e", "f", "g"] {
        times.push(change(proxy, &mut first, bulk, 1000, salt).await);
    }
    println!("1 listener: publish to refetched {:.1} ms (median of 5)", median(times));
    let mut held = tokio::task::JoinSet::new();
    for _ in 1..LISTENERS {
        let mut stream = listen(proxy.listen).await;
        let told = told.clone();
        held.spawn(async move {
            loop {
                next(&mut stream).await;
                told.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let state = proxy.call("GET", "/v1/flags", String::new()).await;
    let memory = (rss_mb(pid) - before) * 1024.0 / LISTENERS as f64;
    let count = &state["default"]["listeners"];
    println!("{count} listeners held: {memory:.1} KB each");
    while told.load(Ordering::Relaxed) < LISTENERS as u64 - 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let begin = Instant::now();
    let refetched = change(proxy, &mut first, bulk, 1000, "h").await;
    let deadline = begin + Duration::from_secs(30);
    while told.load(Ordering::Relaxed) < 2 * (LISTENERS as u64 - 1) {
        if Instant::now() > deadline {
            panic!("only {} were told", told.load(Ordering::Relaxed));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let all = begin.elapsed().as_secs_f64() * 1000.0;
    println!(
        "{LISTENERS} listeners: the first has refetched after {refetched:.0} ms, all are told after {all:.0} ms"
    );
}

/// Publishes something new; the time until a listener has asked again and has it, in ms.
async fn change(
    proxy: &mut Proxy,
    listener: &mut TcpStream,
    bulk: &str,
    flags: usize,
    salt: &str,
) -> f64 {
    let mut client = TcpStream::connect(proxy.listen).await.unwrap();
    let document = document(flags, salt);
    let listen = proxy.listen;
    let begin = Instant::now();
    let publish = proxy.publish(&document);
    let wait = async {
        next(listener).await;
        let mut buffer = vec![];
        exchange(&mut client, &request(bulk), &mut buffer).await;
        let text = String::from_utf8_lossy(&buffer).into_owned();
        assert!(text.contains(&format!("\"salt\":\"{salt}\"")), "{listen} answers the old value");
        begin.elapsed().as_secs_f64() * 1000.0
    };
    tokio::join!(publish, wait).1
}

async fn listen(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /ofrep/v1/sse HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    stream
}

/// Waits for the next event.
async fn next(stream: &mut TcpStream) {
    let mut seen = Vec::with_capacity(512);
    while !seen.windows(17).any(|part| part == b"refetchEvaluation") || !seen.ends_with(b"\n\n\r\n")
    {
        assert!(stream.read_buf(&mut seen).await.unwrap() > 0, "the server closed");
    }
}
