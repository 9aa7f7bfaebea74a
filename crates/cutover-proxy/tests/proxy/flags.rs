//! Flags: what the app is told, who may say it, and what is measured.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use cutover_core::dataplane::Frontend;
use cutover_core::plan::Sticky;
use cutover_core::table::{Deal, Flags, Table};
use cutover_core::units::Share;

use crate::support::client::{Answer, User, get, read_chunk, read_head};
use crate::support::instance::{Instance, Request};
use crate::support::{Proxy, even, flag, full_queue, split, until};

/// A user whom the proxy knows.
const SOMEBODY: &str = "cookie: cutover_id=0123456789abcdef0123456789abcdef\r\n";

fn identified(proxy: &Proxy, identity: Sticky) -> Frontend {
    Frontend { identity, ..proxy.frontend() }
}

/// What the app was told about a flag.
fn told(seen: &Request, key: &str) -> Option<String> {
    let baggage = seen.header("baggage")?;
    let told: Vec<&str> = baggage
        .split(',')
        .filter_map(|member| member.strip_prefix(&format!("flag.{key}=")))
        .collect();
    assert!(told.len() <= 1, "{baggage}");
    told.first().map(|side| (*side).to_owned())
}

fn on(seen: &[Request], key: &str) -> usize {
    seen.iter().filter(|seen| told(seen, key).as_deref() == Some("on")).count()
}

fn cookie(answer: &Answer) -> Option<String> {
    let cookie = answer.header("set-cookie")?;
    Some(format!("cookie: {}\r\n", cookie.split(';').next()?))
}

fn both(one: Flags, other: Flags) -> Flags {
    one.into_iter().chain(other).collect()
}

#[test]
fn the_app_is_told_every_flag_and_nobody_else_can_tell_it() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    let table = even(&[("r1.0", one.address)]);
    let listen = proxy.listen;
    let ask = |headers: &str| {
        let headers = format!("{SOMEBODY}{headers}");
        User::connect(listen).request("GET", "/", &headers).unwrap();
        one.seen().pop().unwrap()
    };
    let spoofs = [
        "baggage: flag.new=on\r\n",
        "Baggage: a=1 , flag.new=on;p=1,b=2\r\n",
        "baggage: a=1\r\nBAGGAGE: FLAG.new=on\r\n",
        "baggage: \t flag.new \t = on\r\n",
        "baggage: %66lag.new=on,fl%61g%2enew=on,%2566lag.new=on,+flag.new=on\r\n",
        "baggage: flag.new\r\n",
        "baggage: \"flag.new\"=on\r\n",
        "connection: baggage\r\nbaggage: flag.new=on\r\n",
    ];
    // Also while there are no flags.
    proxy.publish(table.clone());
    for spoof in spoofs {
        let baggage = ask(spoof).header("baggage").unwrap_or_default();
        assert!(!baggage.to_lowercase().contains("lag"), "{baggage}");
    }
    let flags = both(flag("all", 1000), flag("New.Check_out-2", 1));
    proxy.publish(Table { flags: flags.clone(), ..table.clone() });
    assert_eq!(ask("").header("baggage").as_deref(), Some("flag.all=on,flag.New.Check_out-2=off"));
    let kept = "baggage: userId=alice,serverNode=DF%2028;p=\"x\" , isProduction=false\r\n";
    assert_eq!(
        ask(kept).header("baggage").as_deref(),
        Some(
            "userId=alice,serverNode=DF%2028;p=\"x\" , isProduction=false,\
             flag.all=on,flag.New.Check_out-2=off"
        )
    );
    for spoof in spoofs {
        let seen = ask(spoof);
        assert_eq!(told(&seen, "new"), None);
        assert_eq!(told(&seen, "all").as_deref(), Some("on"));
        let lines = seen.head.lines().filter(|line| line.to_lowercase().starts_with("baggage"));
        assert_eq!(lines.count(), 1, "{}", seen.head);
    }
    // Far too much of it costs the user that, and not the flags.
    let long = format!("baggage: {}\r\n", "member=value,".repeat(3000));
    let baggage = ask(&long).header("baggage").unwrap();
    assert!(
        baggage.len() < 8192 + 100 && baggage.ends_with(",flag.all=on,flag.New.Check_out-2=off"),
        "{}",
        baggage.len()
    );
    // Previews are told as well.
    let preview = table.serving.clone();
    let door = proxy.publish(Table { flags, preview, ..table }).preview.unwrap();
    get(door, "/preview");
    assert_eq!(told(&one.seen().pop().unwrap(), "all").as_deref(), Some("on"));
}

#[test]
fn new_users_get_a_flag_exactly_and_only_move_to_on() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    let table = even(&[("r1.0", one.address)]);
    let with = |share| Table { flags: flag("new", share), ..table.clone() };
    let mut people: BTreeMap<String, String> = BTreeMap::new();
    for share in [10, 100, 500, 999] {
        proxy.publish(with(share));
        for (who, was) in &mut people {
            assert_eq!(
                cookie(&User::connect(proxy.listen).request("GET", "/", who).unwrap()),
                None
            );
            let is = told(&one.seen().pop().unwrap(), "new").unwrap();
            assert!(is == *was || is == "on", "{who} moved back at {share}");
            *was = is;
        }
        if share % 10 > 0 {
            continue;
        }
        let before = one.seen().len();
        let user = User::connect(proxy.listen);
        let people_of = (0..200).map(|_| cookie(&user.get("/")).expect("an identity"));
        let cookies: Vec<String> = people_of.collect();
        let seen = one.seen();
        for hundred in seen[before..].chunks(100) {
            assert_eq!(on(hundred, "new"), share as usize / 10, "of a hundred");
        }
        let sides = seen[before..].iter().map(|seen| told(seen, "new").unwrap());
        people.extend(cookies.into_iter().zip(sides));
    }
    // On for everybody: nobody has to be known.
    proxy.publish(with(1000));
    assert_eq!(cookie(&get(proxy.listen, "/")), None);
    assert_eq!(told(&one.seen().pop().unwrap(), "new").as_deref(), Some("on"));
    // And off again, for those who were.
    proxy.publish(table);
    for who in people.keys().take(50) {
        User::connect(proxy.listen).request("GET", "/", who).unwrap();
        assert_eq!(one.seen().pop().unwrap().header("baggage"), None);
    }
}

#[test]
fn a_new_user_is_exact_in_the_split_and_in_the_flag() {
    let mut proxy = Proxy::start();
    let (old, new) = (Instance::start("old"), Instance::start("new"));
    let serving = [("r1.0", old.address), ("r2.0", new.address)];
    let table = |share| Table { flags: flag("new", share), ..split(200, Sticky::Cookie, &serving) };
    proxy.publish(table(300));
    let user = User::connect(proxy.listen);
    let people: Vec<String> = (0..500).map(|_| cookie(&user.get("/")).unwrap()).collect();
    let (of_old, of_new) = (old.seen(), new.seen());
    assert_eq!(of_new.len(), 100);
    assert_eq!(on(&of_old, "new") + on(&of_new, "new"), 150);
    // The two have nothing to do with each other: 30 % of each side, as chance has it.
    assert!((10..=50).contains(&on(&of_new, "new")), "{}", on(&of_new, "new"));
    // The same users again, in both.
    for who in &people {
        assert_eq!(cookie(&user.request("GET", "/", who).unwrap()), None);
    }
    assert_eq!(new.seen().len(), 200);
    assert_eq!(on(&old.seen(), "new") + on(&new.seen(), "new"), 300);
}

#[test]
fn an_identity_of_the_apps_own_decides_and_those_without_are_dealt_anew() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    let table = Table { flags: flag("new", 300), ..even(&[("r1.0", one.address)]) };
    let by_header = identified(&proxy, Sticky::Header("x-user".into()));
    proxy.publish_with(by_header, table.clone());
    let user = User::connect(proxy.listen);
    let ask = |headers: &str| {
        let answer = user.request("GET", "/", headers).unwrap();
        assert_eq!(cookie(&answer), None, "the app knows its users");
        told(&one.seen().pop().unwrap(), "new").unwrap()
    };
    let sides: Vec<String> = (0..200).map(|it| ask(&format!("x-user: {it}\r\n"))).collect();
    // Of 200 at 30 %, chance alone lets 60 give or take 20 be on.
    let count = sides.iter().filter(|side| *side == "on").count();
    assert!((40..=80).contains(&count), "{count}");
    for (it, side) in sides.iter().enumerate() {
        assert_eq!(ask(&format!("x-user: {it}\r\n")), *side);
    }
    assert_eq!((0..100).filter(|_| ask("") == "on").count(), 30);
    proxy.publish_with(identified(&proxy, Sticky::No), table);
    // A table with the same share goes on where the one before was, here at a whole block.
    assert_eq!((0..100).filter(|_| ask("x-user: 1\r\n") == "on").count(), 30);
}

#[test]
fn a_second_try_is_told_the_same_and_after_the_flag_is_off_nothing() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    let dead = crate::support::free();
    let anonymous = identified(&proxy, Sticky::No);
    // Every request of the split's other side is sent a second time.
    let serving = [("r1.0", one.address), ("r2.0", dead)];
    let table = Table { flags: flag("new", 300), ..split(500, Sticky::No, &serving) };
    proxy.publish_with(anonymous.clone(), table.clone());
    let user = User::connect(proxy.listen);
    for _ in 0..100 {
        assert_eq!(user.get("/").text(), "one");
    }
    assert_eq!(proxy.count_to(100).0.retried, 50);
    assert_eq!(on(&one.seen(), "new"), 30, "a request takes one place, however often it is dealt");

    // Those that wait while the flag goes down are dealt without it.
    let held = Table { deal: Deal::Held, serving: BTreeMap::new(), ..table.clone() };
    proxy.publish_with(anonymous.clone(), held);
    let waiting = User::connect(proxy.listen);
    waiting.send("GET /held HTTP/1.1\r\nhost: x\r\nbaggage: flag.new=on\r\n\r\n");
    until("it is held", || proxy.app().held == 1);
    let down = Table { flags: Flags::new(), ..table };
    proxy.publish_with(anonymous, down);
    assert_eq!(waiting.read().unwrap().text(), "one");
    let seen = one.seen().pop().unwrap();
    assert_eq!((seen.path.as_str(), seen.header("baggage")), ("/held", None));
}

#[test]
fn a_second_try_by_another_table_is_told_what_that_one_says() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    // The first try takes its time, and then fails.
    let (full, _queued) = full_queue();
    for (before, after, told_then) in
        [(1000, 0, None), (300, 600, Some("on")), (600, 300, Some("off"))]
    {
        let flags = |share| if share > 0 { flag("new", share) } else { Flags::new() };
        proxy.publish(Table { flags: flags(before), ..even(&[("r1.0", full)]) });
        let user = User::connect(proxy.listen);
        // The bucket of this user is 447.
        user.send(&format!("GET / HTTP/1.1\r\nhost: x\r\n{SOMEBODY}\r\n"));
        until("it is inside", || proxy.requests_in("r1.0") == 1);
        proxy.publish(Table { flags: flags(after), ..even(&[("r1.1", one.address)]) });
        let answer = user.read().unwrap();
        assert_eq!(answer.text(), "one");
        assert_eq!(told(&one.seen().pop().unwrap(), "new").as_deref(), told_then);
    }
}

#[test]
fn what_comes_behind_a_body_tells_the_app_no_flag() {
    let mut proxy = Proxy::start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.publish(even(&[("r1.0", listener.local_addr().unwrap())]));
    let user = User::connect(proxy.listen);
    let names = "trailer: baggage, x-cutover-shadow, x-kept\r\nte: trailers\r\n";
    let trailers = "baggage: flag.new=on\r\nx-cutover-shadow: 1\r\nx-kept: yes\r\n";
    user.send(&format!(
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n{names}\r\n1\r\nx\r\n0\r\n{trailers}\r\n"
    ));
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    read_head(&mut stream).unwrap();
    assert_eq!(read_chunk(&mut stream).unwrap().unwrap(), b"x");
    let lines: Vec<String> =
        stream.lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    assert_eq!(lines, ["0", "x-kept: yes"]);
}

#[test]
fn no_request_dealt_after_the_acknowledgement_carries_the_flag_on() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    let table = even(&[("r1.0", one.address)]);
    let listen = proxy.listen;
    for _ in 0..10 {
        proxy.publish(Table { flags: flag("new", 1000), ..table.clone() });
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let user = User::connect(listen);
                    while !done.load(std::sync::atomic::Ordering::SeqCst) {
                        user.get("/before");
                    }
                });
            }
            let before = one.seen().len();
            until("requests are under way", || one.seen().len() > before + 20);
            proxy.publish(table.clone());
            // Sent after the acknowledgement, among others that began before it.
            let user = User::connect(listen);
            (0..20).for_each(|_| drop(user.get("/after")));
            done.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        let seen = one.seen();
        let after: Vec<_> = seen.iter().filter(|seen| seen.path == "/after").collect();
        assert!(after.iter().all(|seen| seen.header("baggage").is_none()));
        assert!(seen.iter().any(|seen| told(seen, "new").is_some()));
    }
}

#[test]
fn sides_are_measured_while_a_flag_is_on_for_some() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    let table = even(&[("r1.0", one.address)]);
    let flags = both(flag("new", 250), flag("all", 1000));
    proxy.publish_with(identified(&proxy, Sticky::No), Table { flags, ..table.clone() });
    let user = User::connect(proxy.listen);
    for number in 0..200 {
        user.get(if number < 100 { "/" } else { "/error" });
    }
    assert_eq!(user.get("/broken").status, 502);
    proxy.count_to(201);
    let (new, seen) = (proxy.sides("new"), one.seen());
    let broken_is_on = u64::from(told(&seen[200], "new").as_deref() == Some("on"));
    assert_eq!(
        (new.on.counts.requests, new.off.counts.requests),
        (50 + broken_is_on, 151 - broken_is_on)
    );
    assert_eq!(new.on.counts.errors, on(&seen[100..200], "new") as u64);
    assert_eq!(new.on.counts.errors + new.off.counts.errors, 100);
    assert_eq!((new.on.counts.failed, new.off.counts.failed), (broken_is_on, 1 - broken_is_on));
    let timed: u64 = new.on.latency.iter().map(|(_, count)| count).sum();
    assert_eq!(timed, 50);
    assert_eq!(proxy.sides("all"), Default::default(), "one side is no comparison");
    let text = proxy.call("GET", "/metrics", "").text();
    let line = format!(
        r#"cutover_flag_requests_total{{app="shop",flag="new",side="on"}} {}"#,
        50 + broken_is_on
    );
    assert!(text.contains(&line), "{text}");

    // Nothing more, once it is on for everybody.
    let flags = flag("new", Share::FULL.permille());
    proxy.publish(Table { flags, ..table });
    (0..10).for_each(|_| drop(user.get("/")));
    proxy.count_to(211);
    assert_eq!(proxy.sides("new"), new);
}
