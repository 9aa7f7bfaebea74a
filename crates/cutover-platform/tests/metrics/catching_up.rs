//! What happened while nobody could look.

use std::time::Duration;

use cutover_core::metric::Found;
use cutover_core::units::Span;

use crate::prometheus::{Fake, Series, one};
use crate::setting::{Setting, pairs};

fn counted(fake: &Fake, more: &str) -> Setting {
    let url = fake.server.url();
    Setting::of(&format!(
        "interval: 10s\n{more}prometheus:\n  url: {url}\n  requests: 'r{{v=\"{{version}}\"}}'\n  \
         errors: 'e{{v=\"{{version}}\"}}'"
    ))
}

fn counters(new: u64, bad: u64, old: u64) -> Series {
    vec![
        one("r2 requests", "c", new),
        one("r2 errors", "c", bad),
        one("r1 requests", "a", old),
        one("r1 errors", "a", 0),
    ]
}

#[tokio::test]
async fn restarts_during_an_outage_are_not_missed() {
    let fake = Fake::start().await;
    let mut setting = counted(&fake, "");
    fake.at(100, counters(50, 0, 1000));
    setting.nothing().await;
    fake.calls();
    // Nobody looks for 90 seconds. The candidate starts anew twice, and ends above where it was.
    fake.at(120, counters(90, 4, 1100));
    fake.at(140, counters(30, 0, 1200));
    fake.at(160, counters(10, 2, 1300));
    fake.at(190, counters(95, 3, 1400));
    setting.restart();
    let counts = setting.counts().await;
    assert_eq!(pairs(&counts), [(40 + 30 + 10 + 85, 4 + 2 + 1), (400, 0)]);
    assert_eq!(counts.span, Span::secs(90));
    assert_eq!(fake.calls(), ["query", "query_range"]);
    // A look that is only a little late asks for nothing more.
    fake.at(209, counters(96, 3, 1401));
    assert_eq!(pairs(&setting.counts().await), [(1, 0), (1, 0)]);
    assert_eq!(fake.calls(), ["query"]);
}

#[tokio::test]
async fn an_error_in_the_middle_loses_nothing() {
    let fake = Fake::start().await;
    let mut setting = counted(&fake, "deadline: 300ms\n");
    fake.at(100, counters(0, 0, 0));
    setting.nothing().await;
    fake.at(130, counters(70, 1, 70));
    fake.at(160, counters(20, 0, 90));
    fake.slow(Duration::from_millis(600));
    assert!(setting.failure().await.contains("not done after 300ms"));
    fake.slow(Duration::ZERO);
    assert_eq!(pairs(&setting.counts().await), [(90, 1), (90, 0)]);
}

#[tokio::test]
async fn a_long_outage_is_caught_up_with_in_several_looks() {
    let fake = Fake::start().await;
    let mut setting = counted(&fake, "deadline: 6s\n");
    let instances = 400;
    // The candidate starts anew every other time.
    let all = |n: u64| {
        let each = (0..instances).map(|at| one("r1 requests", &format!("i{at}"), n));
        let rest = [one("r2 requests", "c", 1 + n % 2), one("r2 errors", "c", 0)];
        each.chain(rest).collect::<Series>()
    };
    fake.at(100, all(0));
    setting.nothing().await;
    // 300 moments of 402 counters, 49 moments at once.
    for moment in 1..=300 {
        fake.at(100 + moment * 10, all(moment));
    }
    fake.slow(Duration::from_millis(800));
    let (mut sum, mut spans, mut looks) = ([0, 0], Duration::ZERO, 0);
    loop {
        looks += 1;
        let reading = setting.look().await.unwrap();
        let Found::Counts(counts) = reading.found else { panic!("{:?}", reading.found) };
        let [new, old] = pairs(&counts);
        sum = [sum[0] + new.0, sum[1] + old.0];
        spans += counts.span.0;
        if !reading.warnings.iter().any(|text| text.contains("still catching up")) {
            break;
        }
    }
    assert!(looks > 1, "the time of one look was enough");
    assert_eq!((sum, spans), ([300, 300 * instances], Duration::from_secs(3000)));
}

#[tokio::test]
async fn a_clock_that_stands_or_goes_back_counts_nothing_twice() {
    let fake = Fake::start().await;
    let mut setting = counted(&fake, "");
    fake.at(10_000, counters(10, 0, 10));
    setting.nothing().await;
    assert!(setting.nothing().await.contains("clock"));
    // A replica that is a little behind.
    fake.at(9_990, counters(8, 0, 8));
    assert!(setting.nothing().await.contains("clock"));
    fake.at(10_010, counters(12, 0, 12));
    assert_eq!(pairs(&setting.counts().await), [(2, 0), (2, 0)]);
    // A clock that was far wrong, and was set right.
    fake.at(1_000, counters(20, 0, 20));
    assert!(setting.nothing().await.contains("clock"));
    fake.at(1_010, counters(25, 0, 26));
    assert_eq!(pairs(&setting.counts().await), [(5, 0), (6, 0)]);
}

#[tokio::test]
async fn two_servers_behind_one_address_are_noticed() {
    let fake = Fake::start().await;
    let mut setting = counted(&fake, "");
    fake.at(100, counters(1000, 0, 1000));
    setting.nothing().await;
    fake.at(110, counters(995, 0, 1010));
    let reading = setting.look().await.unwrap();
    let told = reading.warnings.iter().any(|text| text.contains("two Prometheus servers"));
    assert!(told, "{:?}", reading.warnings);
}
