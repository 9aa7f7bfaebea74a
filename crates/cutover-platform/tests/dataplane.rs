//! The client of the proxy against a server on a real Unix socket.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cutover_core::dataplane::{Frontend, Publication};
use cutover_core::id::Subject;
use cutover_core::spec::Spec;
use cutover_core::table::{Generation, Table};
use cutover_engine::ports::{DataPlane, DataPlaneError};
use cutover_platform::ProxyClient;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::task::JoinSet;

const APP: &str = env!("CARGO_BIN_EXE_cutover-platform-testapp");

/// What a call looked like, and over which connection it came.
type Call = (usize, String, Value);

/// A proxy that gives the answers it was told, in order, and notes the calls.
struct Proxy {
    folder: tempfile::TempDir,
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    calls: Arc<Mutex<Vec<Call>>>,
    tasks: JoinSet<()>,
}

impl Proxy {
    fn new() -> Proxy {
        let folder = tempfile::tempdir().unwrap();
        let mut proxy =
            Proxy { folder, answers: Arc::default(), calls: Arc::default(), tasks: JoinSet::new() };
        proxy.listen();
        proxy
    }
    fn listen(&mut self) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        let (answers, calls) = (Arc::clone(&self.answers), Arc::clone(&self.calls));
        self.tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for number in 1.. {
                let stream = listener.accept().await.unwrap().0;
                let (answers, calls) = (Arc::clone(&answers), Arc::clone(&calls));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (answers, calls) = (Arc::clone(&answers), Arc::clone(&calls));
                    async move {
                        let line = format!("{} {}", request.method(), request.uri());
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                        calls.lock().unwrap().push((number, line, body));
                        let answer = answers.lock().unwrap().pop_front();
                        let Some((status, body)) = answer else {
                            return std::future::pending().await;
                        };
                        let body = match body {
                            Value::Null => Bytes::new(),
                            body => body.to_string().into(),
                        };
                        let response = Response::builder().status(status).body(Full::new(body));
                        Ok::<_, Infallible>(response.unwrap())
                    }
                });
                connections.spawn(async move {
                    let server = hyper::server::conn::http1::Builder::new();
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    }
    /// As if it crashed and came up again.
    async fn restart(&mut self) {
        self.tasks.shutdown().await;
        std::fs::remove_file(self.socket()).unwrap();
        self.listen();
    }
    fn socket(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }
    fn client(&self) -> ProxyClient {
        ProxyClient::new(self.socket(), APP.into(), self.folder.path().into())
    }
    fn answers(&self, status: u16, body: Value) {
        self.answers.lock().unwrap().push_back((status, body));
    }
    fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

fn subject() -> Subject {
    "shop.blue".parse().unwrap()
}

fn frontend(listen: &str) -> Frontend {
    serde_json::from_value(json!({
        "listen": listen, "preview": "127.0.0.1:0", "hold_limit": "10s", "hold_most": 10,
        "drain_upgraded": "1s", "drain_requests": "1s",
    }))
    .unwrap()
}

fn publication() -> Publication {
    Publication {
        generation: Generation { epoch: 7, seq: 1 },
        frontend: frontend("127.0.0.1:8080"),
        table: Table::default(),
    }
}

fn in_force(listen: &str) -> Value {
    json!({
        "generation": {"epoch": 7, "seq": 1}, "table": Table::default(),
        "frontend": frontend(listen), "preview": null, "held": 0, "in_flight": {},
    })
}

fn nothing() -> Value {
    json!({"pid": 1, "epoch": 7, "apps": {}})
}

#[tokio::test]
async fn calls_are_those_of_the_protocol_over_one_connection() {
    let proxy = Proxy::new();
    let client = proxy.client();
    proxy.answers(200, nothing());
    assert_eq!(client.hello(7).await.unwrap().epoch, 7);
    proxy.answers(200, nothing());
    client.state().await.unwrap();
    proxy.answers(200, in_force("127.0.0.1:8080"));
    let state = client.publish(&subject(), &publication()).await.unwrap();
    assert_eq!(state.generation, Generation { epoch: 7, seq: 1 });
    proxy.answers(200, json!({"epoch": 9, "cursor": 5, "gap": false, "seconds": []}));
    assert_eq!(client.seconds(&subject(), 4).await.unwrap().cursor, 5);
    proxy.answers(204, Value::Null);
    client.remove(&subject(), 7).await.unwrap();
    let published = serde_json::to_value(publication()).unwrap();
    let expected = [
        ("POST /v1/hello", json!({"epoch": 7})),
        ("GET /v1/state", Value::Null),
        ("PUT /v1/apps/shop.blue", published),
        ("GET /v1/apps/shop.blue/seconds?after=4", Value::Null),
        ("DELETE /v1/apps/shop.blue?epoch=7", Value::Null),
    ];
    let expected = expected.map(|(line, body)| (1, line.to_owned(), body));
    assert_eq!(proxy.calls(), expected);
}

#[tokio::test]
async fn refusals_come_through_and_the_rest_is_unreachable() {
    let proxy = Proxy::new();
    let client = proxy.client();
    for status in [400, 409, 422] {
        proxy.answers(status, json!({"reason": "no", "taken": "127.0.0.1:8080"}));
        match client.publish(&subject(), &publication()).await {
            Err(DataPlaneError::Refused(refusal)) => {
                assert_eq!(refusal.reason, "no");
                assert_eq!(refusal.taken, Some("127.0.0.1:8080".parse().unwrap()));
            }
            other => panic!("{status}: {other:?}"),
        }
    }
    proxy.answers(404, json!("what?"));
    match client.state().await {
        Err(DataPlaneError::Refused(refusal)) => {
            assert_eq!(refusal.reason, "the proxy answers 404 Not Found: \"what?\"");
        }
        other => panic!("{other:?}"),
    }
    for (status, body) in [(500, json!("oops")), (200, json!("no state"))] {
        proxy.answers(status, body);
        assert!(matches!(client.state().await, Err(DataPlaneError::Unreachable(_))));
    }
}

#[tokio::test]
async fn a_proxy_that_was_started_again_is_found_again() {
    let mut proxy = Proxy::new();
    let client = proxy.client();
    proxy.answers(200, nothing());
    client.state().await.unwrap();
    proxy.restart().await;
    proxy.answers(200, nothing());
    client.state().await.unwrap();
    assert_eq!(proxy.calls().len(), 2);
}

#[tokio::test]
async fn a_proxy_that_does_not_answer_is_unreachable_after_five_seconds() {
    let proxy = Proxy::new();
    let client = proxy.client();
    let begun = Instant::now();
    assert!(matches!(client.state().await, Err(DataPlaneError::Unreachable(_))));
    assert!((4..8).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn hello_starts_the_proxy_once_and_other_calls_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let client = ProxyClient::new(socket.clone(), APP.into(), folder.path().into());
    assert!(matches!(client.state().await, Err(DataPlaneError::Unreachable(_))));
    assert!(!socket.exists());
    let (one, other) = tokio::join!(client.hello(7), client.hello(7));
    let pid = one.unwrap().pid;
    assert_eq!(other.unwrap().pid, pid);
    // Dropping the client ends no proxy.
    drop(client);
    let client = ProxyClient::new(socket, APP.into(), folder.path().into());
    assert_eq!(client.state().await.unwrap().pid, pid);
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_proxy_that_cannot_be_started_is_told_with_where_to_look() {
    let folder = tempfile::tempdir().unwrap();
    let client = |program: &str| {
        ProxyClient::new(folder.path().join("none"), program.into(), folder.path().into())
    };
    match client("/nowhere/cutover").hello(1).await {
        Err(DataPlaneError::Unreachable(cause)) => {
            assert!(cause.to_string().starts_with("cannot start /nowhere/cutover: "), "{cause}");
        }
        other => panic!("{other:?}"),
    }
    match client("true").hello(1).await {
        Err(DataPlaneError::Unreachable(cause)) => {
            assert!(cause.to_string().contains("proxy/keeper.log"), "{cause}");
        }
        other => panic!("{other:?}"),
    }
}

fn spec(listen: SocketAddr, more: Value) -> Spec {
    let mut spec = json!({"app": "shop", "listen": listen, "release": {"command": ["x"]}});
    if let (Value::Object(spec), Value::Object(more)) = (&mut spec, more) {
        spec.extend(more);
    }
    serde_json::from_value(spec).unwrap()
}

/// A process of its own that listens on a port.
struct Taker(Child, SocketAddr);

impl Taker {
    fn new(address: &str) -> Taker {
        let mut command = Command::new(APP);
        command.args(["listen", address]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Taker(child, line.trim().parse().unwrap())
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_its_holder() {
    let folder = tempfile::tempdir().unwrap();
    let client = ProxyClient::new(folder.path().join("none"), "true".into(), folder.path().into());
    let taker = Taker::new("127.0.0.1:0");
    let begun = Instant::now();
    let error = client.preflight(&subject(), &spec(taker.1, json!({}))).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(1));
    // The kernel cuts the name at 15 characters.
    let expected = format!("{} is taken by pid {} (cutover-platfor)", taker.1, taker.0.id());
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.help.as_deref(), Some("stop it, or choose another `listen:`"));
    let wildcard = SocketAddr::from(([0, 0, 0, 0], taker.1.port()));
    let error = client.preflight(&subject(), &spec(wildcard, json!({}))).await.unwrap_err();
    assert!(error.to_string().contains(&format!("pid {}", taker.0.id())), "{error}");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let preview = json!({"preview": taker.1});
    let error = client.preflight(&subject(), &spec(free, preview)).await.unwrap_err();
    assert_eq!(error.help.as_deref(), Some("stop it, or choose another `preview:`"));
    client.preflight(&subject(), &spec(free, json!({}))).await.unwrap();
    // Nothing was touched: it can still be taken.
    TcpListener::bind(free).unwrap();
    assert!(!folder.path().join("proxy").exists());
    let nowhere = "203.0.113.7:80".parse().unwrap();
    let error = client.preflight(&subject(), &spec(nowhere, json!({}))).await.unwrap_err();
    assert_eq!(error.to_string(), "203.0.113.7:80 is no address of this machine");
}

#[tokio::test]
async fn a_listener_of_ours_is_shared_unless_users_could_not_be_told_apart() {
    let proxy = Proxy::new();
    let client = proxy.client();
    // Held by somebody, as it would be by the proxy.
    let taker = Taker::new("127.0.0.1:0");
    let listen = taker.1.to_string();
    let check = async |app: &str, more: Value| {
        let apps = json!({"shop.blue": in_force(&listen)});
        proxy.answers(200, json!({"pid": taker.0.id(), "epoch": 7, "apps": apps}));
        client.preflight(&app.parse().unwrap(), &spec(taker.1, more)).await
    };
    check("shop.blue", json!({})).await.unwrap();
    check("other", json!({"host": "other.example"})).await.unwrap();
    check("other", json!({"path": "/other"})).await.unwrap();
    let error = check("other", json!({})).await.unwrap_err();
    let expected = format!("{listen} is used by the app shop.blue, for the same host and path");
    assert_eq!(error.to_string(), expected);

    let wildcard = SocketAddr::from(([0, 0, 0, 0], taker.1.port()));
    let apps = json!({"shop.blue": in_force(&listen)});
    proxy.answers(200, json!({"pid": taker.0.id(), "epoch": 7, "apps": apps}));
    let error = client.preflight(&subject(), &spec(wildcard, json!({}))).await.unwrap_err();
    let expected = format!("{wildcard} is taken by Cutover's own proxy, for shop.blue on {listen}");
    assert_eq!(error.to_string(), expected);
}
