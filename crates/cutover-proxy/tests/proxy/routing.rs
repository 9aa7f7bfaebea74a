//! Which app, which release and which instance a request goes to, and what it looks like there.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::support::client::{User, exchange, get, read_answer};
use crate::support::instance::Instance;
use crate::support::{Proxy, even, id, split};
use cutover_core::id::ReleaseId;
use cutover_core::plan::{MatchRule, Sticky};
use cutover_core::table::{Deal, Marked, Table};

fn tally(listen: SocketAddr, count: usize) -> BTreeMap<String, usize> {
    let user = User::connect(listen);
    let mut names = BTreeMap::new();
    for _ in 0..count {
        *names.entry(user.get("/").text()).or_default() += 1;
    }
    names
}

#[test]
fn apps_share_a_listener_by_host_and_path() {
    let mut proxy = Proxy::start();
    let names = ["default", "host", "path", "longer"];
    let instances: Vec<_> = names.iter().map(|name| Instance::start(name)).collect();
    let places = [
        ("default", None, None),
        ("host", Some("Shop.Example"), None),
        ("path", None, Some("/cart")),
        ("longer", None, Some("/cart/pay/")),
    ];
    for ((name, host, path), instance) in places.iter().zip(&instances) {
        let mut frontend = proxy.frontend();
        frontend.host = host.map(str::to_owned);
        frontend.path = path.map(str::to_owned);
        proxy.put(name, frontend, even(&[("r1.0", instance.address)])).unwrap();
    }
    let ask = |host: &str, path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
        exchange(&User::connect(proxy.listen).stream, request.as_bytes()).unwrap().text()
    };
    assert_eq!(ask("other", "/"), "default");
    assert_eq!(ask("shop.example:8080", "/cart"), "host");
    assert_eq!(ask("other", "/cart"), "path");
    assert_eq!(ask("other", "/cartoon"), "default");
    assert_eq!(ask("other", "/cart/pay"), "longer");
    assert_eq!(ask("other", "/cart/pay/now?x=1"), "longer");
    let absolute = "GET http://shop.example/ HTTP/1.1\r\nhost: other\r\n\r\n";
    let answer = exchange(&User::connect(proxy.listen).stream, absolute.as_bytes()).unwrap();
    assert_eq!(answer.text(), "host");

    // The same place twice is refused; without a default there is a page of the proxy's own.
    let taken = proxy.put("second", proxy.frontend(), Table::default()).unwrap_err();
    assert_eq!(taken.taken, Some(proxy.listen));
    assert_eq!(proxy.call("DELETE", "/v1/apps/default?epoch=1", "").status, 204);
    let answer = get(proxy.listen, "/");
    assert_eq!((answer.status, answer.header("server")), (404, Some("cutover")));
}

#[test]
fn even_goes_to_all_and_the_busy_one_gets_less() {
    let mut proxy = Proxy::start();
    let (one, two) = (Instance::start("one"), Instance::start("two"));
    proxy.publish(even(&[("r1.0", one.address), ("r2.0", two.address)]));
    let names = tally(proxy.listen, 200);
    assert!(names["one"] > 60 && names["two"] > 60, "{names:?}");

    // With a request that hangs in one of them, the other is always the less busy of two.
    let user = User::connect(proxy.listen);
    user.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    crate::support::until("it is inside", || !proxy.app().in_flight.is_empty());
    assert_eq!(tally(proxy.listen, 50).len(), 1);
    one.step();
    two.step();
    assert_eq!(user.read().unwrap().status, 200);
}

#[test]
fn a_split_is_exact_in_each_hundred() {
    let mut proxy = Proxy::start();
    let (one, two) = (Instance::start("one"), Instance::start("two"));
    let serving = [("r1.0", one.address), ("r2.0", two.address)];
    proxy.publish(split(70, Sticky::No, &serving));
    for _ in 0..3 {
        assert_eq!(tally(proxy.listen, 100)["two"], 7);
    }
    // A table with the same split goes on where the one before was.
    tally(proxy.listen, 50);
    proxy.publish(Table {
        mirrored: [(id("r9.0"), one.address)].into(),
        ..split(70, Sticky::No, &serving)
    });
    tally(proxy.listen, 50);
    assert_eq!(two.seen().len(), 28);
    proxy.publish(split(0, Sticky::No, &serving));
    assert_eq!(tally(proxy.listen, 100)["one"], 100);
    proxy.publish(split(1000, Sticky::No, &serving));
    assert_eq!(tally(proxy.listen, 100)["two"], 100);
}

#[test]
fn users_with_a_cookie_keep_their_side_and_only_move_forward() {
    let mut proxy = Proxy::start();
    let (one, two) = (Instance::start("one"), Instance::start("two"));
    let serving = [("r1.0", one.address), ("r2.0", two.address)];
    proxy.publish(split(300, Sticky::Cookie, &serving));
    let mut people: Vec<(String, String)> = (0..60)
        .map(|_| {
            let answer = get(proxy.listen, "/");
            let cookie = answer.header("set-cookie").expect("an identity").to_owned();
            assert!(cookie.ends_with("; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"));
            (cookie.split(';').next().unwrap().to_owned(), answer.text())
        })
        .collect();
    assert!(people.iter().any(|(_, side)| side == "two"));
    assert!(people.iter().any(|(_, side)| side == "one"));
    let user = User::connect(proxy.listen);
    for share in [300, 600, 1000] {
        proxy.publish(split(share, Sticky::Cookie, &serving));
        for (cookie, side) in &mut people {
            let answer = user.request("GET", "/", &format!("cookie: {cookie}\r\n")).unwrap();
            assert_eq!(answer.header("set-cookie"), None);
            assert!(answer.text() == *side || (share > 300 && answer.text() == "two"));
            *side = answer.text();
        }
    }
    // The side is gone: its users fall back to who serves.
    proxy.publish(split(1000, Sticky::Cookie, &serving[..1]));
    assert_eq!(tally(proxy.listen, 10)["one"], 10);
    let forged = user.request("GET", "/", "cookie: cutover_id=me\r\n").unwrap();
    assert!(forged.header("set-cookie").is_some());
}

#[test]
fn a_header_is_an_identity_and_marks_come_first() {
    let mut proxy = Proxy::start();
    let (one, two) = (Instance::start("one"), Instance::start("two"));
    let serving = [("r1.0", one.address), ("r2.0", two.address)];
    let beta: MatchRule = serde_json::from_str(r#"{"header":{"x-beta":"1"}}"#).unwrap();
    let marked = Some(Marked { to: ReleaseId(2), rules: vec![beta] });
    proxy.publish(Table { marked, ..split(400, Sticky::Header("x-user".into()), &serving) });
    let user = User::connect(proxy.listen);
    let ask = |headers: &str| user.request("GET", "/", headers).unwrap().text();
    let sides: Vec<_> = (0..40).map(|it| ask(&format!("x-user: {it}\r\n"))).collect();
    assert!(sides.contains(&"one".into()) && sides.contains(&"two".into()));
    for (it, side) in sides.iter().enumerate() {
        assert_eq!(ask(&format!("x-user: {it}\r\n")), *side);
        assert_eq!(ask(&format!("x-user: {it}\r\nx-beta: 1\r\n")), "two");
    }
    assert_eq!((0..100).filter(|_| ask("") == "two").count(), 40);
}

#[test]
fn the_preview_has_its_own_door() {
    let mut proxy = Proxy::start();
    let (live, next) = (Instance::start("live"), Instance::start("next"));
    assert_eq!(proxy.publish(even(&[("r1.0", live.address)])).preview, None);
    let preview = [(id("r2.0"), next.address)].into();
    let state = proxy.publish(Table { preview, ..even(&[("r1.0", live.address)]) });
    let door = state.preview.expect("a listener");
    assert_eq!(get(door, "/").text(), "next");
    assert_eq!(tally(proxy.listen, 20).len(), 1);
    let state = proxy.publish(even(&[("r1.0", live.address)]));
    assert_eq!((state.preview, get(door, "/").status), (Some(door), 503));
    // Smoke tests are no evidence.
    assert!(!proxy.count_to(20).0.requests > 20);
}

#[test]
fn heads_are_rewritten_and_hop_by_hop_headers_stay_behind() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    let user = User::connect(proxy.listen);
    let headers = "connection: x-secret, close\r\nx-secret: 1\r\nte: trailers\r\nkeep-alive: 1\r\n\
                   x-forwarded-for: 6.6.6.6\r\nforwarded: for=6.6.6.6\r\nx-kept: yes\r\n";
    user.request("GET", "/echo?a=%20b", headers).unwrap();
    let seen = one.seen().remove(0);
    assert!(seen.head.starts_with("GET /echo?a=%20b HTTP/1.1\r\n"), "{}", seen.head);
    for gone in ["x-secret", "keep-alive", "forwarded", "via"] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
    for (name, value) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "shop.test"),
        ("host", "shop.test"),
        ("te", "trailers"),
        ("x-kept", "yes"),
    ] {
        assert_eq!(seen.header(name).as_deref(), Some(value));
    }
    let twice = "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n";
    let answer = exchange(&User::connect(proxy.listen).stream, twice.as_bytes()).unwrap();
    assert_eq!(answer.status, 400);
}

#[test]
fn answers_without_a_body_and_old_users_are_served_right() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    // All on one connection: a body too many would be read as the next answer.
    let user = User::connect(proxy.listen);
    let head = user.request("HEAD", "/", "").unwrap();
    assert_eq!((head.status, head.header("content-length")), (200, Some("3")));
    let empty = user.get("/no-content");
    assert_eq!((empty.status, empty.header("content-length")), (204, None));
    assert_eq!(empty.header("transfer-encoding"), None);
    assert_eq!(user.get("/not-modified").status, 304);
    assert_eq!(user.get("/").text(), "one");
    assert_eq!(one.connections(), 1, "the connection to the instance is kept, too");

    for _ in 0..3 {
        one.step();
    }
    let old = User::connect(proxy.listen);
    old.send("GET /chunks HTTP/1.0\r\n\r\n");
    let answer = read_answer(&mut std::io::BufReader::new(&old.stream), false).unwrap();
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(answer.header("x-hop"), None);
    assert_eq!(answer.text(), "event 0\nevent 1\nevent 2\n");
    assert_eq!(proxy.count_to(5).0.failed, 0);
    let host = one.seen().last().unwrap().header("host");
    assert_eq!(host, Some(one.address.to_string()));
    proxy.publish(Table { deal: Deal::Held, ..Table::default() });
}
