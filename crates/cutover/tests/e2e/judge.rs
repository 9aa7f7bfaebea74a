//! `cutover judge`: counts judged line by line, and what could be found out.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::harness::{Ran, World, get_tcp, wait_until, write};

/// A second in which stable had 0.5 % errors.
fn second(t: u64, candidate_errors: u64) -> String {
    let stable = 4 + t % 2;
    format!(
        r#"{{"t":{t},"rho":0.1,"candidate":{{"n":100,"errors":{candidate_errors}}},"stable":{{"n":900,"errors":{stable}}}}}"#
    )
}

fn counts(world: &World, candidate_errors: impl Fn(u64) -> u64, seconds: u64) {
    let lines: Vec<String> = (1..=seconds).map(|t| second(t, candidate_errors(t))).collect();
    write(&world.app().join("counts.ndjson"), &lines.join("\n"));
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_bad_release_is_turned_back_in_the_replay_at_the_second_of_evidence() {
    let world = World::new();
    counts(&world, |t| if t > 5 { 6 } else { t % 2 }, 120);
    let ran = world.run("judge replay counts.ndjson --until-decided").expect_ok();
    let all = lines(&ran);
    let last = all.last().unwrap();
    assert_eq!((&last["verdict"], &last["metric"]), (&"rollback".into(), &"errors".into()));
    let t = last["t"].as_u64().unwrap();
    assert!((6..60).contains(&t) && all.len() as u64 == t, "{t}: {ran}");
    assert!(last["log_e"].as_f64().unwrap() >= 100_f64.ln());
    let (least, seen) = (last["lower_bound"].as_f64().unwrap(), last["effect"].as_f64().unwrap());
    assert!(0.0 < least && least < seen, "{last}");
    assert!(last["reason"].as_str().unwrap().starts_with("worse than stable: errors"), "{last}");
    assert_eq!(all[0]["schema"], 1);

    let whole = lines(&world.run("judge replay counts.ndjson --check").expect_code(6));
    assert_eq!((whole.len(), &whole[119]["verdict"]), (120, &"rollback".into()));
    // Ten times as much is tolerated here.
    let wide = "judge replay counts.ndjson --check --tolerance-errors 10x+5pp --until-decided";
    let last = lines(&world.run(wide).expect_code(4)).pop().unwrap();
    assert_eq!(last["verdict"], "inconclusive", "{last}");
}

#[test]
fn a_good_release_is_promoted_and_too_few_requests_exclude_little() {
    let world = World::new();
    counts(&world, |t| t % 2, 300);
    let ran = world.run("judge replay counts.ndjson --check").expect_ok();
    assert_eq!(lines(&ran).pop().unwrap()["verdict"], "promote", "{ran}");

    counts(&world, |t| t % 2, 7);
    let all = lines(&world.run("judge replay counts.ndjson --check").expect_code(4));
    let last = all.last().unwrap();
    assert_eq!((all.len(), &last["verdict"]), (8, &"inconclusive".into()));
    let most = last["excludes"]["more_than"].as_f64().unwrap();
    assert!((0.005..0.2).contains(&most), "{last}");
    let reason = last["reason"].as_str().unwrap();
    assert!(reason.starts_with("nothing shown in time"), "{reason}");

    let shown = world.on_terminal("judge replay counts.ndjson", &[]).expect_ok();
    let shown = shown.says("  t  verdict   not worse  worse  difference");
    shown.says("inconclusive at 7, after 7 s").says("can only exclude more than +");
    let plain = world.run("judge replay counts.ndjson --output plain").expect_ok();
    plain.says("      7  continue").says("can only exclude more than +");
}

#[test]
fn on_a_pipe_each_line_is_judged_as_it_comes() {
    let world = World::new();
    let mut command = world.command(&["judge", "replay", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for t in 1..=5 {
        writeln!(input, "{}", second(t, 1)).unwrap();
        let mut line = String::new();
        // The input is still open: the answer is for this line.
        output.read_line(&mut line).unwrap();
        let step: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(step["t"], t);
    }
    drop(input);
    let mut end = String::new();
    output.read_line(&mut end).unwrap();
    assert!(end.contains("inconclusive"), "{end}");
    assert!(child.wait().unwrap().success());
    assert!(!world.state().exists(), "no daemon is needed");
}

#[test]
fn bad_counts_are_named_with_their_line() {
    let world = World::new();
    world.run("judge replay nothing").expect_code(2).complains("there is no file nothing");
    let file = world.app().join("counts.ndjson");
    write(&file, &format!("{}\n\n{{\"t\":2}}\n", second(1, 0)));
    let ran = world.run("judge replay counts.ndjson").expect_code(3);
    assert_eq!(ran.stdout.lines().count(), 1, "what was good is judged: {ran}");
    let ran = ran.complains("error: counts.ndjson cannot be judged");
    let ran = ran.complains("line 3 is no counts of two sides").complains("missing field");
    ran.complains(r#"help: a line is like {"t":1"#);
    write(&file, &second(1, 101));
    let ran = world.run("judge replay counts.ndjson --json").expect_code(3);
    assert_eq!(ran.json()["exit_code"], 3);
    ran.complains("candidate has 101 errors in 100 requests");
    write(&file, &" ".repeat((1 << 20) + 1));
    let ran = world.run("judge replay counts.ndjson").expect_code(3);
    ran.complains("line 1 is longer than 1 MiB");
    write(&file, "");
    world.run("judge replay counts.ndjson --check").expect_code(4).complains("no line of counts");
    world.run("judge").expect_code(2);
}

#[test]
fn power_says_what_is_found_and_how_fast_with_traffic_that_is_told() {
    let world = World::new();
    let ran = world.run("judge power --rate 100 --errors 0.5%").expect_ok();
    ran.says("100 requests/s with 0.50% errors").says("+10pp").says("  10.0%  ");
    let json = world.run("judge power --rate 100 --errors 0.5% --share 5% --json").json();
    let row = &json["rows"][0];
    let seconds = |rise: usize| row["rises"][rise]["seconds"].as_f64().unwrap();
    assert!(seconds(2) > seconds(3) && seconds(3) > seconds(4), "{row}");
    assert_eq!((&row["share"], &row["stage"]), (&0.05.into(), &Value::Null));
    let thin = world.run("judge power --rate 0.01 --errors 0.5% --json").json();
    assert_eq!(thin["rows"][0]["good_seconds"], Value::Null);
    assert_eq!(thin["rows"][0]["rises"][0]["seconds"], Value::Null);

    world.spec().pattern("canary").write();
    let json = world.run("judge power --rate 100 --errors 0.5% --json").json();
    let shares = json["rows"].as_array().unwrap().iter().map(|row| row["share"].as_f64().unwrap());
    assert_eq!(shares.collect::<Vec<_>>(), [0.05, 0.25, 0.5]);
    let rolling = "judge power --rate 100 --errors 0.5% --pattern rolling";
    world.run(rolling).expect_ok().complains("rolling waits for no verdict").says("10.0%");
    world.run("judge power --rate 0").expect_code(2).complains("write a number of requests");
    world.run("judge power --errors 1").expect_code(2).complains("write a percentage");
    world.run("judge power --share 100%").expect_code(2).complains("write a share between");
    assert!(!world.state().exists(), "no daemon is needed for it");
}

#[test]
fn power_and_plan_use_what_the_proxy_counted() {
    let world = World::new();
    world.spec().write();
    let ran = world.run("judge power").expect_code(2).complains("there is no app shop");
    ran.complains("or say it: --rate 100 --errors 0.5%");
    world.deploy("v1").expect_ok();
    let ran = world.run("judge power").expect_code(2);
    ran.complains("shop got no request in the last 10 minutes");
    let empty = world.run("plan v2 --pattern canary").expect_ok();
    empty.says("warning: no requests in the last 10 minutes").says("stages 1, 2, 3 can only be");
    let rolling = world.run("plan v2").expect_ok();
    assert!(!rolling.stdout.contains("requests in the last"), "{rolling}");

    wait_until("requests are counted", || {
        (0..50).for_each(|_| drop(get_tcp(&world.address(), "/")));
        let plan = world.run("plan v2 --pattern canary --json").json();
        plan["outlook"]["traffic"]["rate"].as_f64().is_some_and(|rate| rate > 0.0)
    });
    let ran = world.run("plan v2 --pattern canary").expect_ok();
    ran.says("stage 1: at ").says(" requests/s with 0.00% errors: ").says("a good release ");
    let json = world.run("plan v2 --pattern canary --json").json();
    let gates = json["outlook"]["gates"].as_array().unwrap();
    assert_eq!(gates.len(), 3, "{json}");
    assert!(gates[2]["shown_after_seconds"].as_f64().unwrap() > 0.0, "{json}");
    assert_eq!((&gates[0]["share"], &json["plan"]["pattern"]), (&0.05.into(), &"canary".into()));
    world.run("judge power --pattern canary").expect_ok().says("requests/s with 0.00% errors");
}

#[test]
fn history_shows_how_the_evidence_of_each_stage_grew() {
    let world = World::new();
    let canary = "patterns: { canary: { steps: [50%], bake: 3s } }\n\
                  judge: { min-requests: 20, not-worse-by: 50pp, warm-up: 0s }";
    world.spec().pattern("canary").more(canary).write();
    world.deploy("v1").expect_ok();
    world.deploy("v2 --detach").expect_ok();
    let outcome = || world.run("history -n 1 --json").json()["rollouts"][0].clone();
    wait_until("the canary is over", || {
        (0..20).for_each(|_| drop(get_tcp(&world.address(), "/")));
        !outcome()["outcome"].is_null()
    });
    let rollout = outcome();
    let stage = &rollout["judged"][0];
    assert_eq!((&stage["stage"], &rollout["outcome"]), (&0.into(), &"succeeded".into()));
    assert_eq!(stage["evidence"]["verdict"], "promote", "{rollout:#}");
    let grown = stage["grown"].as_array().unwrap();
    let log = |place: usize| grown[place]["log_not_worse"].as_f64().unwrap();
    assert!(grown.len() > 1 && log(grown.len() - 1) > log(0), "{grown:?}");
    let text = world.run("history -n 1").expect_ok();
    text.says("     stage 1: not worse ").says("100%  worse ");
}
