//! What is told of rollouts that are over: report, history and events.

use serde_json::Value;

use std::process::Command;

use crate::harness::{Ran, World, get_tcp, wait_until};

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Users who come all the time, until they are dropped.
struct Users {
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Users {
    fn of(world: &World) -> Users {
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (told, address) = (stop.clone(), world.address());
        let thread = std::thread::spawn(move || {
            while !told.load(std::sync::atomic::Ordering::SeqCst) {
                // How they fare is told by the counts.
                let _ = get_tcp(&address, "/");
            }
        });
        Users { stop, thread: Some(thread) }
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::SeqCst);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

#[test]
fn a_report_counts_what_happened_and_a_check_fails_on_a_missed_target() {
    let world = World::new();
    world.run("report --check").expect_ok().says("no rollouts yet since");
    world.spec().n(1).write();
    world.deploy("v1").expect_ok();
    let users = Users::of(&world);
    world.deploy("v2").expect_ok();
    world.run("report --check").expect_ok().says("per day").says("rolling");
    world.run("rollback").expect_ok();
    world.spec().n(1).env("CUTOVER_DEMO_HEALTH_STATUS", "500").write();
    world.deploy("v3").expect_code(5);
    drop(users);

    let json = world.run("report --json").expect_ok().json();
    let all = &json["report"]["total"];
    let figures = ["deployments", "succeeded", "turned_back", "aborted", "rollbacks"];
    let figures = figures.map(|name| all[name].as_u64().unwrap());
    assert_eq!(figures, [3, 2, 1, 0, 1], "{all:#}");
    assert_eq!(json["missed"], true);
    assert_eq!((&all["to_deploy"]["count"], &all["to_roll_back"]["count"]), (&2.into(), &2.into()));
    assert_eq!(all["without_requests"], 1, "nobody came during the first one: {all:#}");
    let clean = &all["clean"];
    assert_eq!(
        (&clean["of"], &clean["good"], &clean["share"]),
        (&3.into(), &3.into(), &1.0.into())
    );
    assert!(all["counts"]["requests"].as_u64().unwrap() > 0);
    let deployed = |column: &Value| column["deployments"].as_u64().unwrap();
    let columns = json["report"]["timeline"]["columns"].as_array().unwrap();
    assert_eq!(columns.iter().map(deployed).sum::<u64>(), 3);

    world.run("report --check").expect_code(4).says("66.6% ✗").complains("a target is missed");
    let text = world.run("report").expect_ok();
    assert!(text.stdout.lines().all(|line| line.chars().count() <= 80), "{text}");
    world.run("report --env production").expect_ok().says("no rollouts yet");
    world.run("report --app shop --since 1h").expect_ok().says("66.6% ✗");
    world.run("report --app shp").expect_code(2).complains("there is no app shp");
    world.run("report --since 0s").expect_ok().says("no rollouts yet");
    world.run("report --since yesterday").expect_code(2).complains("write a span like 30d");
    world.run("down").expect_ok();
    world.run("report --app shop").expect_ok().says("66.6% ✗");
}

#[test]
fn history_tells_who_why_and_how_long_and_what_is_not_known() {
    let world = World::new();
    world.spec().n(1).write();
    world.deploy("v1").expect_ok();
    world.spec().n(1).env("CUTOVER_DEMO_READY_AFTER", "60s").health("{ deadline: 90s }").write();
    let deploy = world.start("deploy v2");
    wait_until("a new instance starts", || deploy.stderr().contains("v2.0  starting"));
    world.run("abort").expect_ok();
    deploy.wait().expect_code(5);
    // Long enough for both kills, on a busy machine, too.
    world.spec().n(1).env("CUTOVER_DEMO_READY_AFTER", "4s").health("{ deadline: 90s }").write();
    let deploy = world.start("deploy v3");
    wait_until("a new instance starts", || deploy.stderr().contains("v3.0  starting"));
    // What a daemon has counted it finds again; what a proxy has, is gone with it.
    world.kill_daemon();
    let proxy = world.run("proxy status --json").expect_ok().json()["pid"].as_u64();
    let proxy = proxy.expect("the proxy runs");
    Command::new("kill").args(["-9", &proxy.to_string()]).status().unwrap();
    deploy.wait().expect_ok();
    world.run("rollback").expect_ok();

    let json = world.run("history --json").expect_ok().json();
    let rollouts = json["rollouts"].as_array().unwrap();
    let all = |name: &str| rollouts.iter().map(|one| one[name].clone()).collect::<Vec<_>>();
    assert_eq!(all("rollback"), [true, false, false, false]);
    assert_eq!(all("went_live"), [true, true, false, true]);
    assert_eq!(all("counts_partial"), [false, true, false, false], "the proxy was killed in v3");
    assert_eq!(all("exit_code"), [0, 0, 5, 0]);
    assert!(rollouts[2]["aborted_by"].as_str().unwrap().contains("uid"));
    assert!(rollouts[2]["turned_back_at"].as_u64() > rollouts[2]["begun"].as_u64());

    let text = world.run("history").expect_ok().says("v1 → v2       rolling   turned back");
    let text =
        text.says("v3 → v1       rollback  succeeded").says("because root").says(" asked for it");
    assert!(text.stdout.lines().all(|line| line.chars().count() <= 80), "{text}");
    let report = world.run("report --json").expect_ok().json();
    assert_eq!(report["report"]["total"]["unknown"], 1, "{report:#}");
    assert_eq!(report["report"]["total"]["aborted"], 1);
    world.run("history --app shp").expect_code(2).complains("did you mean shop?");
    world.run("down").expect_ok();
    world.run("history --app shop -n 1").expect_ok().says("rollback");
}

#[test]
fn events_are_chosen_by_rollout_time_and_index_and_followed() {
    let world = World::new();
    world.spec().n(1).write();
    world.deploy("v1").expect_ok();
    let second = world.deploy("v2 --json").expect_ok().json()["rollout"].as_u64().unwrap();
    let all = lines(&world.run("events --output ndjson").expect_ok());
    let of = |number: u64| all.iter().filter(move |event| event["rollout"] == number);

    let chosen = lines(&world.run(&format!("events --rollout #{second} --json")).expect_ok());
    assert!(chosen.len() > 3 && chosen.iter().eq(of(second)), "{chosen:?}");
    world.run("events --rollout 999").expect_ok().complains("no such event");
    world.run("events --rollout x").expect_code(2).complains("a rollout's number");

    let begun = chosen[0]["at"].as_u64().unwrap();
    let time = jiff::Timestamp::from_millisecond(i64::try_from(begun).unwrap()).unwrap();
    let since = lines(&world.run(&format!("events --since {time} --json")).expect_ok());
    let later = all.iter().filter(|event| event["at"].as_u64() >= Some(begun));
    assert!(since.len() < all.len() && since.iter().take(later.clone().count()).eq(later));
    assert_eq!(lines(&world.run("events --since 1h --json").expect_ok())[0], all[0]);

    // From the middle of a rollout on, releases still have their names.
    let middle = chosen[1]["index"].as_u64().unwrap();
    world.run(&format!("events --after {middle}")).expect_ok().says("traffic: 100% v2");

    let follow = world.start("events --follow --after now --output ndjson");
    let heard = || follow.stdout();
    wait_until("it hears of a new size", || {
        world.run("scale 2").expect_ok();
        heard().contains(r#""type":"scaled""#)
    });
    assert!(!heard().contains("rollout-begun"), "nothing of the past: {}", heard());
    follow.interrupt();
    follow.wait().expect_code(130);
}
