//! Programs that print a number.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use cutover_core::metric::Found;

use crate::setting::Setting;

fn script(text: &str) -> Setting {
    let setting = Setting::of("max: 1\ncommand: [./check.sh, \"{version}\", \"{release}\"]");
    setting.write("check.sh", &format!("#!/bin/sh\n{text}\n"));
    let path = setting.sides.base.join("check.sh");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
    setting
}

#[tokio::test]
async fn the_last_line_is_the_number() {
    let mut setting = script("echo looking at $1 $2; echo oh >&2; echo 0.25; echo; echo bye >&2");
    assert_eq!(setting.look().await.unwrap().found, Found::Value(0.25));
    let much = "yes | head -c 300000; echo ' -1e3 '";
    assert_eq!(script(much).look().await.unwrap().found, Found::Value(-1000.0));
}

#[tokio::test]
async fn it_is_told_what_it_looks_at_and_little_else() {
    let text = "[ $1$2 = v2r2 ] && [ $CUTOVER_APP$CUTOVER_VERSION$CUTOVER_STABLE = shopv2v1 ] &&
                [ -f check.sh ] && [ -z \"$CARGO_PKG_NAME\" ] && echo 1 || echo 0";
    assert_eq!(script(text).look().await.unwrap().found, Found::Value(1.0));
}

#[tokio::test]
async fn nothing_printed_is_no_data() {
    assert!(script("echo oh >&2").nothing().await.contains("printed nothing"));
}

#[tokio::test]
async fn what_is_no_number_is_an_error() {
    for (text, what) in [
        ("echo NaN", "no number: NaN"),
        ("echo inf", "no number: inf"),
        ("echo 5 things", "no number: 5 things"),
        ("echo 7; echo no route >&2; exit 3", "could not look (exit status: 3)"),
        ("kill -9 $$", "could not look (signal: 9"),
    ] {
        let why = script(text).failure().await;
        assert!(why.contains(what) && why.contains("./check.sh v2 r2"), "{why}");
    }
    let why = script("echo password is hunter2; exit 1");
    let mut why = why;
    why.sides.confidential = vec!["hunter2".to_owned()];
    assert!(why.failure().await.contains("password is [redacted]"));
    let missing = Setting::of("max: 1\ncommand: [./no-such-program]").failure().await;
    assert!(missing.contains("cannot start ./no-such-program"), "{missing}");
}

#[tokio::test]
async fn a_deadline_ends_it_with_all_its_children() {
    let mut setting = script("sleep 1000 & echo $! > child; wait");
    setting.metric.deadline = cutover_core::units::Span::secs(1);
    assert!(setting.failure().await.contains("not done after 1s"));
    let child = std::fs::read_to_string(setting.sides.base.join("child")).unwrap();
    let stat = format!("/proc/{}/stat", child.trim());
    let limit = Instant::now() + Duration::from_secs(10);
    // Gone, or nobody has taken notice of its end yet.
    let ended = || std::fs::read_to_string(&stat).map_or(true, |text| text.contains(") Z "));
    while !ended() {
        assert!(Instant::now() < limit, "the child lives on");
        tokio::task::yield_now().await;
    }
}
