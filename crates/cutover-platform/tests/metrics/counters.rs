//! Counters of both sides from look to look.

use cutover_core::metric::{Found, UNBOUNDED};
use cutover_core::units::Span;
use serde_json::json;

use crate::prometheus::{Fake, bucket, one};
use crate::setting::{Setting, pairs, release};

fn counted(fake: &Fake) -> Setting {
    let url = fake.server.url();
    Setting::of(&format!(
        "prometheus:\n  url: {url}\n  requests: 'r{{v=\"{{version}}\"}}'\n  \
         errors: 'e{{v=\"{{version}}\"}}'"
    ))
}

#[tokio::test]
async fn counts_are_those_since_the_look_before() {
    let fake = Fake::start().await;
    let mut setting = counted(&fake);
    fake.at(
        100,
        vec![
            one("r2 requests", "c", 10),
            one("r2 errors", "c", 1),
            one("r1 requests", "a", 1000),
            one("r1 requests", "b", 2000),
        ],
    );
    assert!(setting.nothing().await.contains("two looks"));
    fake.at(
        115,
        vec![
            one("r2 requests", "c", 14),
            one("r2 errors", "c", 3),
            one("r1 requests", "a", 1050),
            one("r1 errors", "a", 2),
            one("r1 requests", "b", 2030),
        ],
    );
    setting.restart();
    let counts = setting.counts().await;
    assert_eq!(pairs(&counts), [(4, 2), (80, 2)]);
    assert_eq!(counts.per_instance_stable, [(50, 2), (30, 0)]);
    assert_eq!(counts.span, Span::secs(15));
    // Nothing has happened, which is something else than no data.
    fake.at(130, fake_again());
    let counts = setting.counts().await;
    assert_eq!(pairs(&counts), [(0, 0), (0, 0)]);
    assert_eq!(fake.calls(), ["query"; 3], "one call a look");
}

fn fake_again() -> crate::prometheus::Series {
    vec![
        one("r2 requests", "c", 14),
        one("r2 errors", "c", 3),
        one("r1 requests", "a", 1050),
        one("r1 errors", "a", 2),
        one("r1 requests", "b", 2030),
    ]
}

#[tokio::test]
async fn one_query_asks_for_both_sides_with_everything_filled_in() {
    let fake = Fake::start().await;
    let mut setting = Setting::of(&format!(
        "prometheus:\n  url: {}/\n  requests: 'r{{v=\"{{version}}\",r=\"{{release}}\",a=\"{{app}}\"}} # all'\n  \
         errors: 'e{{v=\"{{version}}\"}}'",
        fake.server.url()
    ));
    fake.at(1, vec![]);
    let reading = setting.look().await.unwrap();
    assert_eq!(reading.warnings, ["one store is away"]);
    let request = fake.server.last();
    let query = request.field("query").unwrap();
    for part in [
        "label_replace((r{v=\"v2\",r=\"r2\",a=\"shop\"} # all\n), \"cutover_part\", \"r2 requests\", \"\", \"\")",
        "label_replace((r{v=\"v1\",r=\"r1\",a=\"shop\"} # all\n), \"cutover_part\", \"r1 requests\", \"\", \"\")",
        "label_replace((e{v=\"v2\"}\n), \"cutover_part\", \"r2 errors\", \"\", \"\")",
        "label_replace((vector(time())\n), \"cutover_part\", \"now\", \"\", \"\")",
    ] {
        assert!(query.contains(part), "{query}");
    }
    assert_eq!(request.field("timeout").as_deref(), Some("10000ms"));
}

#[tokio::test]
async fn a_side_without_series_is_no_data() {
    let fake = Fake::start().await;
    let mut setting = counted(&fake);
    fake.at(100, vec![one("r1 requests", "a", 1), one("r1 errors", "a", 0)]);
    setting.nothing().await;
    fake.at(115, vec![one("r1 requests", "a", 9), one("r1 errors", "a", 0)]);
    assert_eq!(setting.nothing().await, "no series matches `requests` for v2 (candidate)");
    let both = |new: u64, old: u64| {
        vec![one("r2 requests", "c", new), one("r1 requests", "a", old), one("r1 errors", "a", 0)]
    };
    fake.at(130, both(500, 20));
    // What the candidate's counter held when it was first seen may be old.
    assert_eq!(pairs(&setting.counts().await), [(0, 0), (11, 0)]);
    fake.at(145, both(507, 30));
    assert_eq!(pairs(&setting.counts().await), [(7, 0), (10, 0)]);
    setting.sides.stable = None;
    assert!(setting.nothing().await.contains("no old release"));
}

#[tokio::test]
async fn no_counter_of_errors_anywhere_is_no_data_and_nothing_is_lost() {
    let fake = Fake::start().await;
    let mut setting = counted(&fake);
    let requests = |new, old| vec![one("r2 requests", "c", new), one("r1 requests", "a", old)];
    fake.at(100, requests(10, 100));
    setting.nothing().await;
    for (at, new, old) in [(115, 20, 200), (130, 30, 300), (145, 40, 400)] {
        fake.at(at, requests(new, old));
        assert!(setting.nothing().await.contains("`errors` on either side"));
        setting.restart();
    }
    let mut with_errors = requests(50, 500);
    with_errors.push(one("r2 errors", "c", 7));
    fake.at(160, with_errors);
    let counts = setting.counts().await;
    assert_eq!(pairs(&counts), [(40, 7), (400, 0)]);
    assert_eq!(counts.span, Span::secs(60));
    // From now on no counter means that there was no error.
    fake.at(175, requests(60, 600));
    assert_eq!(pairs(&setting.counts().await), [(10, 0), (100, 0)]);
}

#[tokio::test]
async fn histograms_become_buckets_in_microseconds() {
    let fake = Fake::start().await;
    let mut setting = Setting::of(&format!(
        "prometheus: {{ url: \"{}\", latency: 'l{{v=\"{{version}}\"}}' }}",
        fake.server.url()
    ));
    let series = |c: [u64; 3], a: [u64; 3]| {
        let bounds = ["0.005", "0.1", "+Inf"];
        let one = |part, name: &str, counts: [u64; 3]| {
            bounds.into_iter().zip(counts).map(move |(le, n)| bucket(part, name, le, n)).collect()
        };
        let all: [Vec<_>; 2] = [one("r2 latency", "c", c), one("r1 latency", "a", a)];
        all.concat()
    };
    fake.at(100, series([10, 20, 20], [0, 0, 0]));
    setting.nothing().await;
    // The stable instance started anew: its counters are lower than ... nothing; the candidate's are.
    fake.at(115, series([3, 5, 9], [100, 150, 151]));
    let counts = setting.counts().await;
    assert_eq!(counts.candidate.latency, [(5000, 3), (100_000, 2), (UNBOUNDED, 4)]);
    assert_eq!(counts.stable.latency, [(5000, 100), (100_000, 50), (UNBOUNDED, 1)]);
    assert_eq!(pairs(&counts), [(9, 0), (151, 0)]);
    assert_eq!(counts.per_instance_stable, [], "there is nothing to tell of errors");
}

#[tokio::test]
async fn another_question_or_candidate_starts_anew() {
    let fake = Fake::start().await;
    let mut setting = counted(&fake);
    let all = |n: u64| {
        vec![
            one("r2 requests", "c", n),
            one("r3 requests", "d", n),
            one("r1 requests", "a", n),
            one("r1 errors", "a", 0),
        ]
    };
    fake.at(100, all(10)[..1].iter().chain(&all(10)[2..]).cloned().collect());
    setting.nothing().await;
    setting.sides.candidate = release(3, "v3");
    fake.at(115, all(20)[1..].to_vec());
    assert_eq!(pairs(&setting.counts().await), [(0, 0), (10, 0)], "v3 is counted from now on");
    fake.at(130, all(30)[1..].to_vec());
    assert_eq!(pairs(&setting.counts().await), [(10, 0), (10, 0)]);
    assert!(!setting.memory.counters.contains_key(&"r2".parse().unwrap()));
    setting.metric.prometheus.as_mut().unwrap().errors = Some("other{v=\"{version}\"}".to_owned());
    assert!(setting.nothing().await.contains("two looks"));
}

#[tokio::test]
async fn releases_of_one_version_need_a_query_that_tells_them_apart() {
    let fake = Fake::start().await;
    let mut setting = counted(&fake);
    setting.sides.candidate = release(2, "v1");
    let why = setting.failure().await;
    assert!(why.contains("same query") && why.contains("{release}"), "{why}");
    assert_eq!(fake.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_value_is_the_candidates() {
    let fake = Fake::start().await;
    let mut setting = Setting::of(&format!(
        "max: 100\nprometheus: {{ url: \"{}\", value: 'max(queue{{v=\"{{version}}\"}})' }}",
        fake.server.url()
    ));
    fake.at(1, vec![]);
    // The time that the stand-in always tells is one series.
    assert_eq!(setting.look().await.unwrap().found, Found::Value(1.0));
    assert_eq!(fake.server.last().field("query").as_deref(), Some("max(queue{v=\"v2\"})"));
    fake.at(2, vec![("x", json!({}), "1".to_owned())]);
    assert!(setting.failure().await.contains("2 series in place of one"));
}
