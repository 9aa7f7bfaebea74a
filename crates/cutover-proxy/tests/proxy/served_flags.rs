//! Flags over HTTP, from a real proxy under its keeper.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use cutover_core::served_flags::{
    FlagCompat, FlagPublication, FlagSource, FlagsState, Track, Tracks,
};
use cutover_core::table::Generation;
use serde_json::{Value, json};

use crate::support::client::{Answer, User, read_head};
use crate::support::{Proxy, free, until};

const TOKEN: &str = "s3cret";
/// `printf s3cret | sha256sum`
const DIGEST: &str = "1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0";

fn document(color: &str) -> String {
    json!({
        "metadata": {"cutover.bucketing": "v3", "flagSetId": "shop"},
        "flags": {
            "color": {"state": "ENABLED", "variants": {"v": color}, "defaultVariant": "v"},
            "a/b": {"state": "ENABLED", "variants": {"on": true, "off": false},
                "defaultVariant": "off",
                "targeting": {"if": [{"==": [{"var": "tier"}, "gold"]}, "on"]}},
            "gone": {"state": "DISABLED", "variants": {"on": true}},
            "broken": {"state": "ENABLED", "variants": {"on": true},
                "targeting": {"no-such": []}},
        }
    })
    .to_string()
}

pub(crate) fn publication(seq: u32, listen: SocketAddr, text: &str) -> FlagPublication {
    FlagPublication {
        generation: Generation { epoch: 1, seq },
        listen,
        sources: vec![FlagSource { name: "flags.json".into(), text: text.into(), changes: None }],
        tokens: vec![],
        origins: vec![],
        compat: FlagCompat::default(),
    }
}

impl Proxy {
    fn put_flags(&self, publication: &FlagPublication) -> Answer {
        let body = serde_json::to_string(publication).unwrap();
        self.call("PUT", "/v1/flags/production", &body)
    }

    pub(crate) fn serve_flags(&self, publication: &FlagPublication) -> FlagsState {
        let answer = self.put_flags(publication);
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    fn flags_state(&self) -> FlagsState {
        let answer = self.call("GET", "/v1/flags", "");
        let mut all: Value = serde_json::from_slice(&answer.body).unwrap();
        serde_json::from_value(all["production"].take()).unwrap()
    }

    fn metric(&self, line: &str) -> String {
        let text = self.call("GET", "/metrics", "").text();
        let found = text.lines().find_map(|it| it.strip_prefix(line)).map(str::trim);
        found.unwrap_or_else(|| panic!("no {line} in {text}")).to_owned()
    }
}

pub(crate) fn post(listen: SocketAddr, path: &str, headers: &str, body: &str) -> Answer {
    let length = format!("content-length: {}\r\n{headers}", body.len());
    let user = User::connect(listen);
    user.send(&format!("POST {path} HTTP/1.1\r\nhost: {listen}\r\n{length}\r\n{body}"));
    user.read().unwrap()
}

fn evaluate(listen: SocketAddr, key: &str, body: &str) -> (u16, Value) {
    let answer = post(listen, &format!("/ofrep/v1/evaluate/flags/{key}"), "", body);
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn color(listen: SocketAddr) -> Value {
    evaluate(listen, "color", "").1["value"].take()
}

const BULK: &str = "/ofrep/v1/evaluate/flags";

#[test]
fn clients_get_values_errors_and_code_defaults() {
    let proxy = Proxy::start();
    let listen = free();
    let state = proxy.serve_flags(&publication(1, listen, &document("red")));
    assert_eq!((state.flags, state.listening, state.listen), (4, true, listen));
    assert!(state.problems.iter().any(|problem| problem.error && problem.text.contains("broken")));

    let (status, answer) = evaluate(listen, "color", "");
    assert_eq!(status, 200);
    let set = json!({"flagSetId": "shop"});
    let wanted = json!({"key": "color", "reason": "STATIC", "variant": "v", "value": "red",
        "metadata": set});
    assert_eq!(answer, wanted);
    let gold = r#"{"context":{"targetingKey":"u1","tier":"gold"}}"#;
    for key in ["a/b", "a%2Fb"] {
        let (status, answer) = evaluate(listen, key, gold);
        assert_eq!((status, &answer["value"]), (200, &json!(true)), "{answer}");
        assert_eq!(answer["reason"], "TARGETING_MATCH");
    }
    let (status, answer) = evaluate(listen, "gone", "{}");
    assert_eq!((status, &answer["reason"]), (200, &json!("DISABLED")));
    assert_eq!((&answer["variant"], answer.get("value")), (&json!(""), None));
    for (key, body, status, code) in [
        ("nope", "", 404, "FLAG_NOT_FOUND"),
        ("broken", "{}", 400, "PARSE_ERROR"),
        ("color", "{", 400, "INVALID_CONTEXT"),
        ("color", r#"{"context":[]}"#, 400, "INVALID_CONTEXT"),
        ("color", &"x".repeat(2 << 20), 400, "INVALID_CONTEXT"),
    ] {
        let (got, answer) = evaluate(listen, key, body);
        assert_eq!((got, answer["errorCode"].as_str()), (status, Some(code)), "{answer}");
        assert_eq!(answer["key"], key);
        assert!(answer["errorDetails"].is_string());
    }
    for (path, status) in [("/readyz", 200), ("/healthz", 200), ("/x", 404), (BULK, 405)] {
        assert_eq!(User::connect(listen).get(path).status, status, "{path}");
    }
    let count = |flag: &str, reason: &str| {
        let labels = format!("environment=\"production\",flag=\"{flag}\",reason=\"{reason}\"");
        proxy.metric(&format!("cutover_flag_evaluations_total{{{labels}}}"))
    };
    assert_eq!(count("color", "STATIC"), "1");
    assert_eq!(count("a/b", "TARGETING_MATCH"), "2");
    assert_eq!(count("color", "INVALID_CONTEXT"), "3");
    assert_eq!(proxy.metric("cutover_flags_broken{environment=\"production\"}"), "1");
}

#[test]
fn bulk_answers_have_a_tag_of_definitions_and_context() {
    let proxy = Proxy::start();
    let listen = free();
    proxy.serve_flags(&publication(1, listen, &document("red")));
    let gold = r#"{"context":{"targetingKey":"u1","tier":"gold"}}"#;
    let tin = r#"{"context":{"targetingKey":"u1","tier":"tin"}}"#;
    let first = post(listen, BULK, "", gold);
    assert_eq!(first.status, 200);
    let answer: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!(answer["flags"].as_array().unwrap().len(), 4);
    let stream = &answer["eventStreams"][0];
    assert_eq!(stream["endpoint"]["requestUri"], "/ofrep/v1/sse");
    let tag = first.header("etag").unwrap().to_owned();
    let known = format!("if-none-match: {tag}\r\n");
    let again = post(listen, BULK, &known, gold);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(tag.as_str()));
    // The same user with another attribute gets an answer of its own.
    assert_eq!(post(listen, BULK, &known, tin).status, 200);
    proxy.serve_flags(&publication(2, listen, &document("blue")));
    let changed = post(listen, BULK, &known, gold);
    assert_eq!(changed.status, 200);
    assert!(changed.text().contains("blue"));
    // Selectors.
    let none = post(listen, BULK, "flagd-selector: flagSetId=other\r\n", gold);
    assert!(none.text().starts_with(r#"{"flags":[]"#), "{}", none.text());
    let shop = post(listen, BULK, "flagd-selector: flagSetId=shop\r\n", gold);
    assert!(shop.text().contains("blue"));
    let bad = post(listen, BULK, "flagd-selector: a=b\r\n", gold);
    assert_eq!(bad.status, 400);
    let refused = post(listen, BULK, "", "[]");
    assert_eq!(refused.status, 400, "{}", refused.text());
}

#[test]
fn a_killed_proxy_comes_back_with_the_same_answers_and_refuses_no_connection() {
    let proxy = Proxy::start();
    let listen = free();
    proxy.serve_flags(&publication(1, listen, &document("red")));
    proxy.serve_flags(&publication(2, listen, &document("green")));
    let before = proxy.flags_state();
    for _ in 0..3 {
        let pid = proxy.state().pid;
        proxy.kill_proxy();
        // Queued in the socket that the keeper holds, or answered by the next proxy. A connection
        // that the dead one had accepted may end; none is refused.
        assert!(TcpStream::connect(listen).is_ok(), "refused");
        until("another proxy answers", || proxy.try_state().is_some_and(|it| it.pid != pid));
        assert_eq!(color(listen), "green");
    }
    let sources = proxy.call("GET", "/v1/flags/production/sources", "").text();
    assert!(sources.contains("green"), "{sources}");
    let after = proxy.flags_state();
    assert_eq!((after.version, after.since), (before.version, before.since));
    assert_eq!(after.generation, before.generation);
}

#[test]
fn a_document_that_cannot_be_used_is_refused_and_the_last_good_one_served_on() {
    let mut proxy = Proxy::start();
    let listen = free();
    let answer = proxy.put_flags(&publication(1, listen, "{"));
    assert_eq!(answer.status, 422, "there is none before it");
    assert!(TcpStream::connect(listen).is_err(), "nothing is served");
    proxy.serve_flags(&publication(1, listen, &document("red")));
    let answer = proxy.put_flags(&publication(2, listen, "{\"flags\": 7}"));
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("flags.json"), "{}", answer.text());
    assert_eq!(color(listen), "red");
    let state = proxy.flags_state();
    assert!(state.refused.is_some());
    assert_eq!(proxy.metric("cutover_flags_refused{environment=\"production\"}"), "1");
    // It is not what comes back, either.
    let pid = proxy.state().pid;
    proxy.kill_proxy();
    until("another proxy answers", || proxy.try_state().is_some_and(|it| it.pid != pid));
    assert_eq!(color(listen), "red");
    // The repaired one is taken; an older one is not.
    proxy.serve_flags(&publication(3, listen, &document("blue")));
    assert_eq!(proxy.flags_state().refused, None);
    assert_eq!(proxy.put_flags(&publication(2, listen, &document("red"))).status, 409);
    assert_eq!(color(listen), "blue");
    // Both copies of the file damaged: routing goes on, flags wait for the daemon.
    proxy.stop();
    for name in ["production.json", "production.json.prev"] {
        cutover_files::write_atomic(&proxy.folders.flags().join(name), b"{").unwrap();
    }
    proxy.start_keeper();
    assert_eq!(proxy.call("GET", "/v1/flags", "").text(), "{}");
    proxy.serve_flags(&publication(4, listen, &document("blue")));
    assert_eq!(color(listen), "blue");
}

#[test]
fn tokens_are_asked_for_and_needed_where_others_reach_it() {
    let proxy = Proxy::start();
    let listen = free();
    let open = SocketAddr::from(([0, 0, 0, 0], listen.port()));
    let refused = proxy.put_flags(&publication(1, open, &document("red")));
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("token"), "{}", refused.text());
    let guarded = FlagPublication {
        tokens: vec![DIGEST.into()],
        origins: vec!["https://shop.example".into()],
        ..publication(1, open, &document("red"))
    };
    proxy.serve_flags(&guarded);
    for headers in ["", "authorization: Bearer wrong\r\n"] {
        for path in [BULK, "/ofrep/v1/evaluate/flags/color", "/v1/track"] {
            let answer = post(listen, path, headers, "{}");
            assert_eq!((answer.status, answer.body.len()), (401, 0), "{path}");
        }
    }
    for header in [format!("authorization: Bearer {TOKEN}\r\n"), format!("x-api-key: {TOKEN}\r\n")]
    {
        let answer = post(listen, BULK, &header, "{}");
        assert_eq!(answer.status, 200);
        // Who may ask may listen, by the key in the answer.
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        let uri = answer["eventStreams"][0]["endpoint"]["requestUri"].as_str().unwrap();
        assert!(uri.contains("?key="), "{uri}");
        assert_eq!(Listener::connect(listen, uri, "").status, 200);
        assert_eq!(post(listen, &format!("{BULK}{}", &uri[13..]), "", "{}").status, 401);
    }
    assert_eq!(Listener::connect(listen, "/ofrep/v1/sse?key=x", "").status, 401);
    // Pages: their own, and those that are listed.
    let token = format!("x-api-key: {TOKEN}\r\n");
    let page = |origin: &str| post(listen, BULK, &format!("{token}origin: {origin}\r\n"), "{}");
    assert_eq!(page("https://evil.example").status, 403);
    let shop = page("https://shop.example");
    let allowed = shop.header("access-control-allow-origin");
    assert_eq!((shop.status, allowed), (200, Some("https://shop.example")));
    let headers = "origin: https://shop.example\r\n";
    let asked = User::connect(listen).request("OPTIONS", BULK, headers).unwrap();
    assert_eq!(asked.status, 204, "before a browser sends, it shows no token");
    assert!(asked.header("access-control-allow-headers").unwrap().contains("if-none-match"));
}

/// A client that waits for changes.
struct Listener {
    status: u16,
    reader: BufReader<TcpStream>,
}

impl Listener {
    fn connect(listen: SocketAddr, uri: &str, headers: &str) -> Listener {
        let user = User::connect(listen);
        user.send(&format!("GET {uri} HTTP/1.1\r\nhost: {listen}\r\n{headers}\r\n"));
        let mut reader = BufReader::new(user.stream);
        let status = read_head(&mut reader).unwrap().status;
        Listener { status, reader }
    }

    /// The rest of the next line that begins with this.
    fn next(&mut self, start: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.reader.read_line(&mut line).unwrap() > 0, "the stream ended");
            if let Some(rest) = line.strip_prefix(start) {
                return rest.trim().to_owned();
            }
        }
    }
}

#[test]
fn changes_are_told_to_those_who_listen() {
    let proxy = Proxy::start();
    let listen = free();
    let first = proxy.serve_flags(&publication(1, listen, &document("red"))).version;
    // One who does not say what it has is told at once: it may have missed a change.
    let mut listeners: Vec<_> =
        (0..20).map(|_| Listener::connect(listen, "/ofrep/v1/sse", "")).collect();
    for listener in &mut listeners {
        assert_eq!(listener.next("id: "), first);
        assert!(listener.next("data: ").contains("refetchEvaluation"));
    }
    let has_it = format!("last-event-id: {first}\r\n");
    listeners.push(Listener::connect(listen, "/ofrep/v1/sse", &has_it));
    listeners[20].next(": connected");
    until("all are counted", || proxy.flags_state().listeners == 21);
    // The same documents again change nothing; the next event is that of the change after it.
    proxy.serve_flags(&publication(2, listen, &document("red")));
    let second = proxy.serve_flags(&publication(3, listen, &document("blue"))).version;
    assert_ne!(first, second);
    for listener in &mut listeners {
        assert_eq!(listener.next("event: "), "message");
        assert_eq!(listener.next("id: "), second);
        let data: Value = serde_json::from_str(&listener.next("data: ")).unwrap();
        assert_eq!(data, json!({"type": "refetchEvaluation", "etag": second}));
    }
    // One who comes back is told what was missed.
    let missed = format!("last-event-id: {first}\r\n");
    let mut back = Listener::connect(listen, "/ofrep/v1/sse", &missed);
    assert_eq!(back.next("id: "), second);
    assert!(back.next("data: ").contains("refetchEvaluation"));
    drop((listeners, back));
    until("all have left", || proxy.flags_state().listeners == 0);
    // Served no longer: streams end, and nothing is there.
    let mut last = Listener::connect(listen, "/ofrep/v1/sse", "");
    last.next("data: ");
    assert_eq!(proxy.call("DELETE", "/v1/flags/production", "").status, 204);
    let mut rest = String::new();
    while last.reader.read_line(&mut rest).unwrap() > 0 {}
    assert!(TcpStream::connect_timeout(&listen, Duration::from_secs(5)).is_err());
    assert_eq!(proxy.call("GET", "/v1/flags", "").text(), "{}");
    let pid = proxy.state().pid;
    proxy.kill_proxy();
    until("another proxy answers", || proxy.try_state().is_some_and(|it| it.pid != pid));
    assert_eq!(proxy.call("GET", "/v1/flags", "").text(), "{}", "and it does not come back");
}

fn many_attributes(count: u32) -> String {
    let attributes: serde_json::Map<String, Value> =
        (0..count).map(|number| (format!("a{number}"), json!(number))).collect();
    json!({"events": [{"kind": "exposure", "targetingKey": "u", "flag": "f", "variant": "v",
        "attributes": attributes}]})
    .to_string()
}

#[test]
fn tracks_are_counted_and_read_by_cursor() {
    let proxy = Proxy::start();
    let listen = free();
    proxy.serve_flags(&publication(1, listen, &document("red")));
    let seen = r#"{"kind":"exposure","targetingKey":"u1","flag":"a/b","variant":"on",
        "attributes":{"plan":"gold","age":41,"new":false}}"#;
    let paid = r#"{"kind":"outcome","targetingKey":"u1","name":"paid","value":12.5}"#;
    let answer = post(listen, "/v1/track", "", &format!("{{\"events\":[{seen},{paid},{seen}]}}"));
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"accepted":3}"#));
    for bad in [
        "".to_owned(),
        format!("{{\"events\":[{seen},{{\"kind\":\"other\"}}]}}"),
        r#"{"events":[{"kind":"exposure","targetingKey":"","flag":"f","variant":"v"}]}"#.to_owned(),
        many_attributes(21),
        format!("{{\"events\":[{}]}}", vec![seen; 1001].join(",")),
        format!("{{\"events\":[\"{}\"]}}", "x".repeat(300_000)),
    ] {
        assert_eq!(post(listen, "/v1/track", "", &bad).status, 400);
    }
    let tracks = |after: u64| -> Tracks {
        let path = format!("/v1/flags/production/tracks?after={after}");
        serde_json::from_slice(&proxy.call("GET", &path, "").body).unwrap()
    };
    let all = tracks(0);
    assert_eq!((all.tracks.len(), all.cursor, all.forgotten), (3, 3, 0));
    assert_eq!(all.version, proxy.flags_state().version);
    assert_eq!(all.tracks[0].track, serde_json::from_str::<Track>(seen).unwrap());
    assert!(all.tracks[0].at <= all.tracks[2].at && all.tracks[0].at.0 > 1_700_000_000_000);
    assert_eq!(all.exposures["a/b"]["on"], 2);
    assert_eq!(tracks(all.cursor).tracks, []);
    // A cursor of the process before says nothing here.
    let path = format!("/v1/flags/production/tracks?after=2&epoch={}", all.epoch.wrapping_add(1));
    let other: Tracks = serde_json::from_slice(&proxy.call("GET", &path, "").body).unwrap();
    assert_eq!((other.tracks.len(), other.epoch), (3, all.epoch));
    assert_eq!(proxy.call("GET", "/v1/flags/staging/tracks?after=0", "").status, 404);
}
