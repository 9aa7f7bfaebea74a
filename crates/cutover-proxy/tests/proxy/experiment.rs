//! Splits of users: how exact they are, and who stays where.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use cutover_core::id::ReleaseId;
use cutover_core::plan::{MatchRule, Sticky};
use cutover_core::table::{Deal, Marked, Table};
use cutover_core::units::Share;

use crate::support::client::{Answer, User, get};
use crate::support::instance::Instance;
use crate::support::{Proxy, even, split, until};

/// Where one request went, and the cookie that came back.
struct Went {
    to: String,
    cookie: Option<String>,
}

impl Went {
    fn by(answer: &Answer) -> Went {
        let cookie = answer.header("set-cookie");
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
        Went { to: answer.header("x-instance").unwrap_or_default().to_owned(), cookie }
    }
}

/// Sends requests one after the other, every fifth a POST, every second one on a connection that is
/// kept, the others on new ones that carry a few. `headers` are those of the request of a number.
fn ask(listen: SocketAddr, count: usize, headers: impl Fn(usize) -> String) -> Vec<Went> {
    let kept = User::connect(listen);
    let mut fresh = User::connect(listen);
    (0..count)
        .map(|number| {
            if number % 16 == 1 {
                fresh = User::connect(listen);
            }
            let user = if number % 2 == 0 { &kept } else { &fresh };
            let method = if number % 5 == 0 { "POST" } else { "GET" };
            let headers = format!("{}content-length: 0\r\n", headers(number));
            Went::by(&user.request(method, "/", &headers).unwrap())
        })
        .collect()
}

/// How many of each hundred went to the new release.
fn of_each_hundred(went: &[Went]) -> Vec<usize> {
    let new = |hundred: &[Went]| hundred.iter().filter(|went| went.to == "new").count();
    went.chunks(100).map(new).collect()
}

fn pair() -> (Instance, Instance) {
    (Instance::start("old"), Instance::start("new"))
}

#[test]
fn five_thousand_requests_are_split_exactly_in_each_hundred() {
    let mut proxy = Proxy::start();
    let (old, new) = pair();
    let serving = [("r1.0", old.address), ("r2.0", new.address)];
    proxy.publish(split(100, Sticky::No, &serving));
    let went = ask(proxy.listen, 5000, |_| String::new());
    assert_eq!(of_each_hundred(&went), [10; 50]);
    // Those that write are split, too: no more than chance lets happen of 1000 at 10 %.
    let posts = new.seen().iter().filter(|seen| seen.method == "POST").count();
    assert!((60..=140).contains(&posts), "{posts} of 1000 POSTs");

    // All at once: exact over whole blocks, whoever took which place.
    let sent = new.seen().len();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| ask(proxy.listen, 250, |_| String::new()));
        }
    });
    assert_eq!(new.seen().len() - sent, 100);
}

#[test]
fn new_users_are_split_exactly_in_each_hundred_and_return_to_their_side() {
    let mut proxy = Proxy::start();
    let (old, new) = pair();
    let serving = [("r1.0", old.address), ("r2.0", new.address)];
    proxy.publish(split(100, Sticky::Cookie, &serving));
    let first = ask(proxy.listen, 5000, |_| String::new());
    assert_eq!(of_each_hundred(&first), [10; 50]);
    let cookies: Vec<&str> = first.iter().filter_map(|went| went.cookie.as_deref()).collect();
    let different: std::collections::BTreeSet<&&str> = cookies.iter().collect();
    assert_eq!((cookies.len(), different.len()), (5000, 5000));
    // They come back in another order.
    let place = |number: usize| (number * 7) % 5000;
    let again = ask(proxy.listen, 5000, |number| format!("cookie: {}\r\n", cookies[place(number)]));
    for (number, went) in again.iter().enumerate() {
        assert_eq!(went.to, first[place(number)].to, "user {number}");
        assert_eq!(went.cookie, None);
    }
    assert_eq!(again.iter().filter(|went| went.to == "new").count(), 500);
}

#[test]
fn known_users_are_split_by_their_identity() {
    let mut proxy = Proxy::start();
    let (old, new) = pair();
    let serving = [("r1.0", old.address), ("r2.0", new.address)];
    proxy.publish(split(100, Sticky::Header("x-user".into()), &serving));
    let went = ask(proxy.listen, 5000, |number| format!("x-user: user-{number}\r\n"));
    // The hash knows nothing of the others, so here chance decides: of 5000 at 10 %, a standard
    // deviation is 21. These identities are always the same ones, and so is the result.
    let count = went.iter().filter(|went| went.to == "new").count();
    assert!(count.abs_diff(500) <= 50, "{count} of 5000");
    assert!(went.iter().all(|went| went.cookie.is_none()));

    // What is no identity is dealt anew, each time, and exactly.
    for other in ["", "x-user:\r\n", "x-user:   \r\n"] {
        let went = ask(proxy.listen, 200, |_| other.to_owned());
        assert_eq!(of_each_hundred(&went), [10; 2], "{other:?}");
    }
    let user = User::connect(proxy.listen);
    let raw = |value: &[u8]| {
        let head = b"GET / HTTP/1.1\r\nhost: x\r\nx-user: ";
        let request = [&head[..], value, b"\r\n\r\n"].concat();
        let answer = crate::support::client::exchange(&user.stream, &request).unwrap();
        assert_eq!(answer.status, 200);
        Went::by(&answer).to
    };
    let dealt: Vec<String> = (0..100).map(|_| raw(b"\xff\xfe\x80")).collect();
    assert_eq!(dealt.iter().filter(|to| *to == "new").count(), 10, "no text, so no identity");
    // Text that is not ASCII is an identity, and so is a very long one.
    for identity in ["J\u{fc}rgen".to_owned(), "x".repeat(8000), "\u{1f980}".repeat(2000)] {
        let first = raw(identity.as_bytes());
        assert!((0..20).all(|_| raw(identity.as_bytes()) == first));
    }
}

#[test]
fn while_the_share_grows_nobody_moves_back() {
    let mut proxy = Proxy::start();
    let (old, new) = pair();
    let serving = [("r1.0", old.address), ("r2.0", new.address)];
    for sticky in [Sticky::Cookie, Sticky::Header("x-user".into())] {
        let mut people: BTreeMap<String, String> = BTreeMap::new();
        for share in [10, 100, 500, 1000] {
            proxy.publish(split(share, sticky.clone(), &serving));
            // Those who know us come back, and others come for the first time.
            for (who, side) in &mut people {
                let to =
                    Went::by(&User::connect(proxy.listen).request("GET", "/", who).unwrap()).to;
                assert!(to == *side || to == "new", "{who} moved back at {share}");
                *side = to;
            }
            let is_cookie = sticky == Sticky::Cookie;
            let went = ask(proxy.listen, 100, |number| match is_cookie {
                true => String::new(),
                false => format!("x-user: {share}-{number}\r\n"),
            });
            for (number, went) in went.into_iter().enumerate() {
                let who = match went.cookie {
                    Some(cookie) => format!("cookie: {cookie}\r\n"),
                    None => format!("x-user: {share}-{number}\r\n"),
                };
                people.insert(who, went.to);
            }
        }
        assert_eq!(people.len(), 400);
        assert!(people.values().all(|side| side == "new"));
    }
}

#[test]
fn users_of_a_release_that_died_are_served_by_the_other_one() {
    let mut proxy = Proxy::start();
    let (old, new) = pair();
    let serving = [("r1.0", old.address), ("r2.0", new.address)];
    proxy.publish(split(500, Sticky::Cookie, &serving));
    let people = ask(proxy.listen, 20, |_| String::new());
    new.die();
    let again = ask(proxy.listen, 20, |number| {
        format!("cookie: {}\r\n", people[number].cookie.as_deref().unwrap())
    });
    assert!(again.iter().all(|went| went.to == "old" && went.cookie.is_none()));
    // The table that follows names it no longer. Its users are not made new ones.
    proxy.publish(split(500, Sticky::Cookie, &serving[..1]));
    let again = ask(proxy.listen, 20, |number| {
        format!("cookie: {}\r\n", people[number].cookie.as_deref().unwrap())
    });
    assert!(again.iter().all(|went| went.to == "old" && went.cookie.is_none()));
    assert_eq!(proxy.count_to(60).0.failed, 0);
}

fn marked(rules: &str, table: Table) -> Table {
    let rules: Vec<MatchRule> = serde_json::from_str(rules).unwrap();
    Table { marked: Some(Marked { to: ReleaseId(2), rules }), ..table }
}

#[test]
fn each_kind_of_mark_leads_to_the_release_and_takes_no_place_of_others() {
    let mut proxy = Proxy::start();
    let (old, new) = pair();
    let serving = [("r1.0", old.address), ("r2.0", new.address)];
    let rules = r#"[{"header":{"x-beta":"1"}},{"cookie":{"team":"red"}},{"query":{"beta":"yes"}},
                    {"path":"/beta"},{"host":"beta.example"}]"#;
    proxy.publish(marked(rules, split(100, Sticky::Cookie, &serving)));
    let user = User::connect(proxy.listen);
    let mut unmarked = Vec::new();
    for _ in 0..100 {
        for (path, headers) in [
            ("/", "x-beta: 1\r\n"),
            ("/", "cookie: a=b; team=red\r\n"),
            ("/?a=b&beta=yes", ""),
            ("/beta/x", ""),
        ] {
            let went = Went::by(&user.request("GET", path, headers).unwrap());
            assert_eq!(went.to, "new", "{path} {headers}");
            assert_eq!(went.cookie, None, "nobody asked for its identity");
        }
        user.send("GET / HTTP/1.1\r\nhost: BETA.example:80\r\n\r\n");
        assert_eq!(Went::by(&user.read().unwrap()).to, "new");
        for (path, headers) in [("/?beta=no", "x-beta: 2\r\n"), ("/betamax", "")] {
            unmarked.push(Went::by(&user.request("GET", path, headers).unwrap()));
        }
    }
    assert_eq!(of_each_hundred(&unmarked), [10, 10], "marked ones take no place in the split");
    // A rule without parts marks nobody.
    proxy.publish(marked("[{}]", split(0, Sticky::No, &serving)));
    assert_eq!(Went::by(&user.get("/")).to, "old");
    // Without the release, those with a mark are users like others.
    proxy.publish(marked(rules, even(&serving[..1])));
    assert_eq!(Went::by(&user.get("/beta")).to, "old");
}

#[test]
fn an_overloaded_release_gets_no_more_for_marks() {
    let mut proxy = Proxy::start();
    let (old, new) = pair();
    let serving = [("r1.0", old.address), ("r2.0", new.address)];
    proxy.publish(marked(r#"[{"path":"/wait"}]"#, split(0, Sticky::No, &serving)));
    let users: Vec<User> = (0..130)
        .map(|number| {
            let user = User::connect(proxy.listen);
            user.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
            until("it is inside", || old.seen().len() + new.seen().len() == number + 1);
            user
        })
        .collect();
    // 128 inside are not too many; the next one is, and the one after that goes elsewhere.
    assert_eq!((new.seen().len(), old.seen().len()), (129, 1));
    new.step();
    until("there is room again", || proxy.requests_in("r2.0") == 128);
    let user = User::connect(proxy.listen);
    user.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    until("it is inside", || new.seen().len() == 130);
    (0..130).for_each(|_| new.step());
    old.step();
    for user in users.iter().chain([&user]) {
        assert_eq!(user.read().unwrap().status, 200);
    }
}

#[test]
fn three_releases_are_split_exactly_for_new_users_too() {
    let mut proxy = Proxy::start();
    let names = ["old", "middle", "new"];
    let instances: Vec<_> = names.iter().map(|name| Instance::start(name)).collect();
    let serving: Vec<_> =
        ["r1.0", "r2.0", "r3.0"].into_iter().zip(instances.iter().map(|it| it.address)).collect();
    let shares = [(1, 600), (2, 100), (3, 300)];
    let shares = shares.map(|(id, share)| (ReleaseId(id), Share::from_permille(share))).into();
    let deal = Deal::Split { shares, sticky: Sticky::Cookie, favoured: ReleaseId(3) };
    proxy.publish(Table { deal, ..even(&serving) });
    (0..100).for_each(|_| drop(get(proxy.listen, "/")));
    let seen: Vec<_> = instances.iter().map(|instance| instance.seen().len()).collect();
    assert_eq!(seen, [60, 10, 30]);
}
