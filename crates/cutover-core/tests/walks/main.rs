//! Whole rollouts by the rules alone, record by record: what each pattern does when all is well,
//! and whatever goes wrong. A change of a rule shows here as a change of what happens.
//!
//! A line with small letters is the world: each release's instances by slot (`s`tarting, `r`eady,
//! `u`nready, e`x`ited, s`t`opping; capital letters serve), and the table in force.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod world;

use std::fmt::Write as _;

use cutover_core::app::Phase;
use cutover_core::patterns::Pattern;
use cutover_core::record::{Keep, Verdict};
use world::{Act, World};

fn settings(pattern: Pattern) -> String {
    format!(
        "app: shop\ninstances: 4\nlisten: 127.0.0.1:8080\nrelease: {{ command: [serve] }}\n\
         health: {{ deadline: 10s, settle: 2s }}\n\
         drain: {{ requests: 5s, upgraded: 8s, stop: 3s }}\n\
         judge: {{ hold-limit: 30s }}\n\
         pattern: {pattern}\npatterns:\n  rolling: {{ batch: 2, surge: true, pause: 1s }}\n  \
         blue-green: {{ approve: true, soak: 1s, keep: 6s }}\n  \
         canary: {{ steps: [10%, 50%], bake: 2s }}\n  \
         shadow: {{ mirror: 50%, for: 2s, then: canary }}\n  \
         ab-testing: {{ split: 50%, for: 6s, match: {{ header: {{ x-beta: \"1\" }} }} }}\n  \
         feature-flag: {{ flag: new-checkout, steps: [10%, 50%], bake: 2s }}\n"
    )
}

/// One story: a script for an app at rest.
fn story(told: &mut String, name: &str, settings: &str, script: &[(&str, Act)]) {
    let mut world = World::at_rest(settings);
    let script: Vec<_> =
        [("0", Act::Deploy(2))].into_iter().chain(script.iter().copied()).collect();
    let _ = writeln!(told, "== {name}\n{}", world.play(&script));
}

/// The stages of a pattern.
fn stages(settings: &str) -> usize {
    let mut world = World::at_rest(settings);
    world.play(&[("0", Act::Deploy(2))]);
    world.app.rollout.map_or(0, |rollout| rollout.plan.stages.len())
}

fn all_that_may_happen(pattern: Pattern) -> String {
    let settings = settings(pattern);
    let mut told = String::new();
    let mut tell = |name: &str, script: &[(&str, Act)]| story(&mut told, name, &settings, script);
    tell("all is well", &[]);
    tell("it is never ready", &[("0", Act::Break(2))]);
    tell(
        "it exits at once",
        &[
            ("begun r2", Act::Break(2)),
            ("3", Act::Exit(2, 0)),
            ("8", Act::Exit(2, 0)),
            ("13", Act::Exit(2, 0)),
        ],
    );
    tell("it exits while it settles", &[("reached 0", Act::Exit(2, 0))]);
    tell("the verdict is fail", &[("reached 1", Act::Judge(Verdict::Fail))]);
    tell("an old one exits", &[("reached 0", Act::Exit(1, 1))]);
    tell("an old one is lost", &[("begun r2", Act::Lose(1, 0))]);
    tell("a new one is lost", &[("reached 1", Act::Lose(2, 0))]);
    tell("requests stay in the old ones", &[("0", Act::Cling(1))]);
    tell("scaled up", &[("reached 0", Act::Scale(6))]);
    tell("scaled down", &[("reached 0", Act::Scale(2))]);
    tell(
        "scaled up before a third release",
        &[("reached 0", Act::Scale(5)), ("passed 0", Act::Deploy(3))],
    );
    tell("a third release, which is bad", &[("0", Act::Break(3)), ("reached 0", Act::Deploy(3))]);
    tell("paused for a while", &[("reached 0", Act::Pause), ("20", Act::Resume)]);
    tell("paused for ever", &[("reached 0", Act::Pause)]);
    tell("the engine starts again", &[("reached 0", Act::Restart)]);
    tell("aborted at once", &[("begun r2", Act::Abort { force: false })]);
    for stage in 0..stages(&settings) {
        let when = format!("reached {stage}");
        story(
            &mut told,
            &format!("aborted at {stage}"),
            &settings,
            &[(&when, Act::Abort { force: false })],
        );
    }
    let old_is_gone = [
        ("0", Act::Break(1)),
        ("reached 1", Act::Exit(1, 0)),
        ("passed 1", Act::Abort { force: false }),
    ];
    story(&mut told, "aborted, and the old release does not come up", &settings, &old_is_gone);
    let forced = old_is_gone.map(|(when, act)| match act {
        Act::Abort { .. } => (when, Act::Abort { force: true }),
        act => (when, act),
    });
    story(&mut told, "the same by force", &settings, &forced);
    told
}

#[test]
fn big_bang() {
    insta::assert_snapshot!(all_that_may_happen(Pattern::BigBang));
}

#[test]
fn rolling() {
    insta::assert_snapshot!(all_that_may_happen(Pattern::Rolling));
}

#[test]
fn blue_green() {
    insta::assert_snapshot!(all_that_may_happen(Pattern::BlueGreen));
}

#[test]
fn canary() {
    insta::assert_snapshot!(all_that_may_happen(Pattern::Canary));
}

#[test]
fn shadow() {
    insta::assert_snapshot!(all_that_may_happen(Pattern::Shadow));
}

#[test]
fn ab_testing() {
    insta::assert_snapshot!(all_that_may_happen(Pattern::AbTesting));
}

#[test]
fn feature_flag() {
    insta::assert_snapshot!(all_that_may_happen(Pattern::FeatureFlag));
}

#[test]
fn rolling_in_place() {
    let settings = settings(Pattern::Rolling).replace("surge: true", "surge: false");
    let mut told = String::new();
    story(&mut told, "all is well", &settings, &[]);
    story(&mut told, "it is never ready", &settings, &[("0", Act::Break(2))]);
    story(&mut told, "scaled down", &settings, &[("reached 0", Act::Scale(2))]);
    story(&mut told, "aborted at 0", &settings, &[("reached 0", Act::Abort { force: false })]);
    story(&mut told, "an old one is lost", &settings, &[("begun r2", Act::Lose(1, 3))]);
    insta::assert_snapshot!(told);
}

#[test]
fn first_release() {
    let mut told = String::new();
    for pattern in [Pattern::BigBang, Pattern::Canary] {
        let settings = settings(pattern);
        for (name, script) in [
            ("all is well", vec![]),
            ("it is never ready", vec![("0", Act::Break(1))]),
            ("aborted", vec![("reached 0", Act::Abort { force: false })]),
            ("one exits while it settles", vec![("reached 0", Act::Exit(1, 2))]),
        ] {
            let mut world = World::empty(&settings);
            let script: Vec<_> = [("0", Act::Deploy(1))].into_iter().chain(script).collect();
            let _ = writeln!(told, "== {pattern}: {name}\n{}", world.play(&script));
        }
    }
    insta::assert_snapshot!(told);
}

#[test]
fn the_way_back() {
    let mut told = String::new();
    for pattern in Pattern::ALL {
        let mut world = World::at_rest(&settings(pattern));
        world.play(&[("0", Act::Deploy(2))]);
        let back = world.play(&[("0", Act::Rollback(1))]);
        let _ = writeln!(told, "== {pattern}\n{back}");
    }
    // A standby is there at once, as long as it is kept.
    let mut world = World::at_rest(&settings(Pattern::BlueGreen));
    let back = world.play(&[("0", Act::Deploy(2)), ("finished Succeeded", Act::Rollback(1))]);
    let _ = writeln!(told, "== to a standby\n{back}");
    insta::assert_snapshot!(told);
}

#[test]
fn hooks() {
    let hooks = "hooks: { after-ready: [{ run: [smoke] }, { run: [more] }] }\n";
    let mut told = String::new();
    for pattern in [Pattern::Rolling, Pattern::Canary] {
        let settings = settings(pattern) + hooks;
        for (name, script) in [
            ("all end well", vec![]),
            ("the second fails", vec![("hook 0.1 starts", Act::HookEnds(false))]),
            ("it is lost with its engine", vec![("hook 0.0 starts", Act::Restart)]),
            ("paused before it", vec![("reached 0", Act::Pause), ("20", Act::Resume)]),
            (
                "an old one exits meanwhile",
                vec![("reached 0", Act::Pause), ("8", Act::Exit(1, 1)), ("20", Act::Resume)],
            ),
        ] {
            story(&mut told, &format!("{pattern}: {name}"), &settings, &script);
        }
    }
    let asks = settings(Pattern::Canary) + hooks + "on-failure: hold\n";
    let fails = ("hook 0.0 starts", Act::HookEnds(false));
    story(&mut told, "a person says go", &asks, &[fails, ("holding 0", Act::Approve)]);
    story(&mut told, "nobody says anything", &asks, &[fails]);
    insta::assert_snapshot!(told);
}

#[test]
fn people() {
    let mut told = String::new();
    let asks = |pattern| settings(pattern) + "on-failure: hold\n";
    let canary = asks(Pattern::Canary);
    let fails = ("reached 1", Act::Judge(Verdict::Fail));
    story(&mut told, "a verdict is overruled", &canary, &[fails, ("holding 1", Act::Approve)]);
    story(&mut told, "a verdict is not overruled", &canary, &[fails]);
    let early = [("reached 1", Act::Approve), ("approved 1", Act::Judge(Verdict::Fail))];
    story(&mut told, "an approval before the verdict overrules nothing", &canary, &early);
    story(
        &mut told,
        "aborted while it holds",
        &canary,
        &[fails, ("holding 1", Act::Abort { force: false })],
    );
    story(&mut told, "it is never ready, and a person is asked", &canary, &[("0", Act::Break(2))]);
    let ab = settings(Pattern::AbTesting);
    for keep in [Keep::A, Keep::B] {
        let name = format!("concluded for {keep:?}");
        story(&mut told, &name, &ab, &[("reached 0", Act::Conclude(keep))]);
    }
    let holds = asks(Pattern::AbTesting);
    let concluded =
        [("reached 0", Act::Judge(Verdict::Fail)), ("holding 0", Act::Conclude(Keep::B))];
    story(&mut told, "concluded against a verdict", &holds, &concluded);
    for pattern in [Pattern::BlueGreen, Pattern::Canary] {
        let mut world = World::at_rest(&settings(pattern));
        world.obliging = false;
        let silent = world.play(&[("0", Act::Deploy(2))]);
        let _ = writeln!(told, "== {pattern}: nobody says anything\n{silent}");
        let mut world = World::at_rest(&settings(pattern));
        world.obliging = false;
        let paused = [
            ("0", Act::Deploy(2)),
            ("reached 0", Act::Approve),
            ("30", Act::Approve),
            ("40", Act::Approve),
        ];
        let _ = writeln!(told, "== {pattern}: approved by hand\n{}", world.play(&paused));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn confirmations() {
    let mut told = String::new();
    for (name, script) in [
        ("in time", vec![("reached 2", Act::Confirm)]),
        ("before it is reached", vec![("reached 0", Act::Confirm)]),
        ("not at all", vec![]),
    ] {
        let mut world = World::at_rest(&settings(Pattern::Canary));
        world.confirm_within(std::time::Duration::from_secs(4));
        let script: Vec<_> = [("0", Act::Deploy(2))].into_iter().chain(script).collect();
        let _ = writeln!(told, "== confirmed {name}\n{}", world.play(&script));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn kills() {
    let mut told = String::new();
    let flag = settings(Pattern::FeatureFlag);
    for when in ["reached 0", "reached 3", "finished Succeeded"] {
        story(&mut told, when, &flag, &[(when, Act::KillFlag)]);
    }
    let other = settings(Pattern::Canary);
    story(&mut told, "no flag of this rollout", &other, &[("reached 1", Act::KillFlag)]);
    insta::assert_snapshot!(told);
}

#[test]
fn rest() {
    let mut told = String::new();
    for (name, script) in [
        ("scaled up", vec![("0", Act::Scale(6))]),
        ("scaled down", vec![("0", Act::Scale(1))]),
        ("scaled to nothing", vec![("0", Act::Scale(0))]),
        ("one exits", vec![("0", Act::Exit(1, 2))]),
        ("one is lost and the number reduced", vec![("0", Act::Lose(1, 0)), ("1", Act::Scale(3))]),
        (
            "all are lost",
            vec![
                ("0", Act::Lose(1, 0)),
                ("0", Act::Lose(1, 1)),
                ("0", Act::Lose(1, 2)),
                ("0", Act::Lose(1, 3)),
            ],
        ),
    ] {
        let mut world = World::at_rest(&settings(Pattern::Rolling));
        let _ = writeln!(told, "== {name}\n{}", world.play(&script));
        assert!(matches!(world.app.rollout.map(|r| r.phase), Some(Phase::Done(_))));
    }
    insta::assert_snapshot!(told);
}
