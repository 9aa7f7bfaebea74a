//! Evaluations per flag, beside unleash-yggdrasil, in one process.
//!
//! Each figure is the median of seven runs of 200,000 evaluations; the runs of both engines take
//! turns, so that whatever else the machine does hits both. Both engines have the same 64 flags and
//! get contexts that are parsed already: 1,024 users, one after the other. Bulk answers include
//! writing the JSON body. Run it pinned to one core:
//!
//! `cargo build --release --manifest-path crates/cutover-flags/bench/Cargo.toml &&
//! taskset -c 1 crates/cutover-flags/bench/target/release/cutover-flags-bench`

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use cutover_flags::ofrep::Compat;
use cutover_flags::{Context, Definitions, Selector, Source};
use serde_json::{Value, json};
use unleash_types::client_features::{
    ClientFeature, ClientFeatures, Constraint, Context as TheirContext, Operator, Strategy,
};
use unleash_yggdrasil::EngineState;

const USERS: usize = 1024;
const EVALUATIONS: usize = 200_000;
const RUNS: usize = 7;
const NOW: i64 = 1_790_000_000;

fn main() {
    let (ours, our_users) = ours();
    let (theirs, their_users) = theirs();
    let flags = |key: &'static str| {
        let mut sum = 0;
        for user in our_users.iter().cycle().take(EVALUATIONS) {
            let set = ours.get(black_box(&Selector::All));
            let evaluation = set.evaluate(black_box(key), user, NOW);
            sum += usize::from(matches!(
                evaluation.outcome,
                cutover_flags::Outcome::Variant(_, variant) if variant.json() == "true"
            ));
        }
        sum
    };
    let enabled = |key: &'static str| {
        let mut sum = 0;
        for user in their_users.iter().cycle().take(EVALUATIONS) {
            sum += usize::from(theirs.is_enabled(black_box(key), user, &None));
        }
        sum
    };
    println!("ns per evaluation; median of {RUNS} interleaved runs of {EVALUATIONS}");
    println!("{:<28}{:>8}{:>12}{:>8}", "", "ours", "yggdrasil", "ratio");
    row("static", || flags("static"), || enabled("static"));
    row("one condition", || flags("condition"), || enabled("condition"));
    row("rollout, two ways", || flags("two-way"), || enabled("rollout"));
    row("four ways / rollout", || flags("four-way"), || enabled("rollout"));
    row("cat key, four ways / rollout", || flags("four-way-cat"), || enabled("rollout"));
    row("three sem_ver / rollout", || flags("sem-ver"), || enabled("rollout"));
    bulk(&ours, &our_users);
    parsing();
}

/// Times both, taking turns.
fn row(name: &str, ours: impl Fn() -> usize, theirs: impl Fn() -> usize) {
    let mut times = (vec![], vec![]);
    for run in 0..=RUNS {
        let (one, other) = (time(&ours), time(&theirs));
        // The first one warms up.
        if run > 0 {
            times.0.push(one);
            times.1.push(other);
        }
    }
    let (one, other) = (median(times.0), median(times.1));
    println!("{name:<28}{one:>8.1}{other:>12.1}{:>8.2}", one / other);
}

fn time(run: &impl Fn() -> usize) -> f64 {
    let start = Instant::now();
    black_box(run());
    start.elapsed().as_secs_f64() * 1e9 / EVALUATIONS as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn bulk(ours: &Definitions, users: &[Context]) {
    const ANSWERS: usize = 10_000;
    let mut times = vec![];
    let mut out = vec![];
    let set = ours.get(&Selector::All);
    for _ in 0..=RUNS {
        let start = Instant::now();
        for user in users.iter().cycle().take(ANSWERS) {
            out.clear();
            set.bulk(user, NOW, Compat::default(), "", black_box(&mut out));
        }
        times.push(start.elapsed().as_secs_f64() * 1e6 / ANSWERS as f64);
    }
    let micros = median(times);
    println!("bulk of {} flags as bytes: {micros:.2} us, {} bytes", set.keys().len(), out.len());
    let mut times = vec![];
    for _ in 0..=RUNS {
        let start = Instant::now();
        for user in users.iter().cycle().take(ANSWERS) {
            black_box(set.etag(user, Compat::default(), ""));
        }
        times.push(start.elapsed().as_secs_f64() * 1e6 / ANSWERS as f64);
    }
    println!("ETag before evaluation: {:.2} us", median(times));
}

fn parsing() {
    let body = format!("{{\"context\":{}}}", user(7));
    let mut times = vec![];
    for _ in 0..=RUNS {
        let start = Instant::now();
        for _ in 0..EVALUATIONS {
            black_box(Context::from_request(black_box(body.as_bytes())).is_ok());
        }
        times.push(start.elapsed().as_secs_f64() * 1e9 / EVALUATIONS as f64);
    }
    println!("reading a request of {} bytes: {:.0} ns", body.len(), median(times));
}

fn user(number: usize) -> Value {
    json!({
        "targetingKey": format!("user-{number}"),
        "country": if number % 3 == 0 { "CH" } else { "DE" },
        "plan": "pro",
        "version": format!("2.{}.0", number % 7),
    })
}

fn ours() -> (Definitions, Vec<Context>) {
    let mut flags = serde_json::Map::new();
    let mut flag = |key: &str, targeting: Value| {
        let body = json!({
            "state": "ENABLED",
            "variants": {"on": true, "off": false},
            "defaultVariant": "on",
            "targeting": targeting,
        });
        flags.insert(key.to_owned(), body);
    };
    let ways = json!([["on", 25], ["off", 25], ["on", 25], ["off", 25]]);
    let cat = json!({"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]});
    let [one, two, three, four] = [&ways[0], &ways[1], &ways[2], &ways[3]];
    flag("static", json!({}));
    flag("condition", json!({"if": [{"in": [{"var": "targetingKey"}, ["user-7"]]}, "on", "off"]}));
    flag("two-way", json!({"fractional": [["on", 50], ["off", 50]]}));
    flag("four-way", json!({"fractional": ways}));
    flag("four-way-cat", json!({"fractional": [cat, one, two, three, four]}));
    let version = |how: &str| json!({"sem_ver": [{"var": "version"}, how, "2.3.0"]});
    flag("sem-ver", json!({"if": [version("="), "on", version(">"), "on", version("<"), "off"]}));
    for number in 0..58 {
        let rule = match number % 3 {
            0 => json!({}),
            1 => json!({"if": [{"==": [{"var": "country"}, "CH"]}, "on", "off"]}),
            _ => json!({"fractional": [["on", 50], ["off", 50]]}),
        };
        flag(&format!("other-flag-{number}"), rule);
    }
    let document = json!({"metadata": {"cutover.bucketing": "v3"}, "flags": flags});
    let (definitions, problems) =
        Definitions::load(&[Source::new("bench.json", &document.to_string())]);
    assert!(problems.iter().all(|problem| !problem.is_error()), "{problems:?}");
    let users = (0..USERS).map(|number| {
        Context::from_json(user(number).to_string().as_bytes()).expect("a context")
    });
    (definitions, users.collect())
}

fn theirs() -> (EngineState, Vec<TheirContext>) {
    let strategy = |name: &str, constraints, parameters| Strategy {
        name: name.into(),
        segments: None,
        variants: None,
        constraints,
        parameters,
        sort_order: None,
    };
    let feature = |name: &str, strategies| ClientFeature {
        name: name.into(),
        enabled: true,
        strategies,
        ..ClientFeature::default()
    };
    let constraint = Constraint {
        context_name: "userId".into(),
        operator: Operator::In,
        case_insensitive: false,
        inverted: false,
        values: Some(vec!["user-7".into()]),
        value: None,
    };
    let parameters: HashMap<String, String> =
        [("rollout", "50"), ("stickiness", "userId"), ("groupId", "rollout")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
    let mut features = vec![
        feature("static", None),
        feature("condition", Some(vec![strategy("default", Some(vec![constraint]), None)])),
        feature("rollout", Some(vec![strategy("flexibleRollout", None, Some(parameters))])),
    ];
    features.extend((0..61).map(|number| feature(&format!("other-flag-{number}"), None)));
    let engine = EngineState::default();
    engine.apply_client_features(ClientFeatures {
        version: 2,
        features,
        segments: None,
        query: None,
        meta: None,
    });
    let users = (0..USERS).map(|number| TheirContext {
        user_id: Some(format!("user-{number}")),
        session_id: None,
        environment: None,
        app_name: None,
        current_time: None,
        remote_address: None,
        properties: Some(
            [("country", "CH"), ("plan", "pro"), ("version", "2.3.0")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        ),
    });
    (engine, users.collect())
}
