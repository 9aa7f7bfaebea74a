//! Servers that are away, slow, wrong or too large: an error that says so, and nothing forgotten.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::{Answer, Server, answer};
use crate::setting::Setting;

const QUERIES: &str = "requests: 'r{v=\"{version}\"}', errors: 'e{v=\"{version}\"}'";

async fn told(
    answers: impl Fn(&crate::server::Request) -> Answer + Send + Sync + 'static,
) -> String {
    let server = Server::start(answers).await;
    counted(&server.url()).failure().await
}

fn counted(url: &str) -> Setting {
    let mut setting =
        Setting::of(&format!("deadline: 2s\nprometheus: {{ url: \"{url}\", {QUERIES} }}"));
    // As if there had been a look.
    setting.memory.looked = Some(1);
    setting
}

fn vector(rows: &serde_json::Value) -> Answer {
    let data = json!({ "resultType": "vector", "result": rows });
    answer("200 OK", &json!({ "status": "success", "data": data }).to_string())
}

fn with_time(row: serde_json::Value) -> serde_json::Value {
    json!([row, { "metric": { "cutover_part": "now" }, "value": [100, "100"] }])
}

#[tokio::test]
async fn a_server_that_is_away() {
    // Free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    let why = counted(&url).failure().await;
    let expected = format!("read from {url}: tcp connect error: Connection refused");
    assert!(why.contains(&expected), "{why}");
}

#[tokio::test]
async fn a_server_that_says_nothing() {
    let server = Server::start(|_| None).await;
    let mut setting = counted(&server.url());
    setting.metric.deadline = cutover_core::units::Span::millis(100);
    let begun = Instant::now();
    let why = setting.failure().await;
    assert!(why.contains("not done after 100ms"), "{why}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn answers_without_success() {
    let why = told(|_| answer("500 Internal Server Error", "out of\nmemory")).await;
    assert!(why.contains("it answers 500 Internal Server Error: out of memory"), "{why}");
    let why = told(|_| answer("404 Not Found", "")).await;
    assert!(why.contains("404 Not Found") && why.contains("`url`"), "{why}");
    let unavailable = r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
    let why = told(move |_| answer("503 Service Unavailable", unavailable)).await;
    assert!(why.contains("503 Service Unavailable: query timed out"), "{why}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = Server::start(|_| {
        Some(b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".to_vec())
    })
    .await;
    let why = counted(&server.url()).failure().await;
    assert!(why.contains("302 Found") && why.contains("redirects are not followed"), "{why}");
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn answers_that_break_off() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"status\":\"success\",\"da",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"sta\r\n",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "",
        "SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        let why = told(move |_| Some(answer.as_bytes().to_vec())).await;
        assert!(!why.contains("not done after"), "{why}");
    }
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{}";
    let why = told(move |_| Some(cut.as_bytes().to_vec())).await;
    assert!(why.contains("broke off"), "{why}");
}

#[tokio::test]
async fn answers_that_are_too_large() {
    let why = told(|_| answer("200 OK", &"x".repeat(5 * 1024 * 1024))).await;
    assert!(why.contains("larger than 4 MiB"), "{why}");
    let endless = "10000\r\n".to_owned() + &"x".repeat(0x10000) + "\r\n";
    let endless = endless.repeat(80);
    let why = told(move |_| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        Some(format!("{head}{endless}").into_bytes())
    })
    .await;
    assert!(why.contains("larger than 4 MiB"), "{why}");
    let row = |n: u32| json!({ "metric": { "cutover_part": "now", "n": n.to_string() }, "value": [1, "1"] });
    let rows: Vec<_> = (0..10_001).map(row).collect();
    let why = told(move |_| vector(&json!(rows))).await;
    assert!(why.contains("10001 series, and at most 10000"), "{why}");
}

#[tokio::test]
async fn answers_that_are_none_of_a_prometheus() {
    let why = told(|_| answer("200 OK", "<html>login</html>")).await;
    assert!(why.contains("not that of a Prometheus") && why.contains("<html>login"), "{why}");
    let why = told(|_| answer("200 OK", "{}")).await;
    assert!(why.contains("not that of a Prometheus"), "{why}");
    let why = told(|_| vector(&json!([]))).await;
    assert!(why.contains("lacks the time"), "{why}");
}

#[tokio::test]
async fn numbers_that_are_no_counts() {
    let why = |metric: serde_json::Value, value: &'static str| async move {
        told(move |_| vector(&with_time(json!({ "metric": metric, "value": [100, value] })))).await
    };
    let requests = json!({ "cutover_part": "r2 requests", "__name__": "r", "instance": "c" });
    for odd in ["NaN", "+Inf", "-Inf", "many"] {
        let why = why(requests.clone(), odd).await;
        assert!(why.contains(&format!("`requests` gives {odd}: r{{instance=\"c\"}}")), "{why}");
    }
    for odd in ["0.5", "-1"] {
        let why = why(requests.clone(), odd).await;
        assert!(why.contains("no count") && why.contains("without rate()"), "{why}");
    }
    let unasked = why(json!({ "cutover_part": "r9 requests" }), "1").await;
    assert!(unasked.contains("was not asked"), "{unasked}");
}

#[tokio::test]
async fn series_that_are_no_classic_histogram() {
    let told = |row: serde_json::Value| async move {
        let server = Server::start(move |_| vector(&with_time(row.clone()))).await;
        let url = server.url();
        let text = format!("prometheus: {{ url: \"{url}\", latency: 'l{{v=\"{{version}}\"}}' }}");
        Setting::of(&text).failure().await
    };
    let native =
        json!({ "metric": { "cutover_part": "r2 latency", "le": "1" }, "histogram": [1, {}] });
    assert!(told(native).await.contains("native histogram"));
    let without = json!({ "metric": { "cutover_part": "r2 latency" }, "value": [1, "1"] });
    assert!(told(without).await.contains("without `le`"));
    for le in ["NaN", "-1", "x"] {
        let metric = json!({ "cutover_part": "r2 latency", "le": le });
        let why = told(json!({ "metric": metric, "value": [1, "1"] })).await;
        assert!(why.contains("a bucket up to"), "{why}");
    }
}

#[tokio::test]
async fn a_wrong_query_is_named() {
    let why = told(|request| {
        let query = request.field("query").unwrap();
        let error = r#"{"status":"error","errorType":"bad_data","error":"1:5: parse error"}"#;
        // All together, and the one that is wrong.
        match query.contains("e{v=\"v1\"}") {
            true => answer("400 Bad Request", error),
            false => vector(&json!([])),
        }
    })
    .await;
    assert!(why.contains("it refuses `errors`: 1:5: parse error"), "{why}");
    assert!(why.contains("the query is e{v=\"v1\"}"), "{why}");
}

#[tokio::test]
async fn documents_without_a_number() {
    let told = |body: &'static str| async move {
        let server = Server::start(move |_| answer("200 OK", body)).await;
        let url = server.url();
        Setting::of(&format!("max: 1\nhttp: {{ url: \"{url}/x\", value: /depth }}")).failure().await
    };
    for (body, what) in [
        ("{\"depth\": \"7\"}", "no number"),
        ("{\"depth\": 1e999}", "not JSON"),
        ("{\"depth\": NaN}", "not JSON"),
        ("", "not JSON"),
    ] {
        let why = told(body).await;
        assert!(why.contains(what), "{why}");
    }
}
