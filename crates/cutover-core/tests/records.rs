//! Which record fits which state: a journal that was tampered with is refused, and changes nothing.

use std::fmt::Write as _;

use cutover_core::app::{App, Phase};
use cutover_core::id::ReleaseId;
use cutover_core::patterns::{Making, Pattern, plan};
use cutover_core::plan::{Plan, Rest};
use cutover_core::record::{Freeze, Keep, Outcome, Record, Verdict, Why};
use cutover_core::spec::{Source, Spec, parse};
use cutover_core::units::At;

fn planned(pattern: Pattern, before: Option<Rest>) -> Plan {
    let text = "app: shop\ninstances: 3\nlisten: 127.0.0.1:80\nrelease: { command: [serve] }\n\
                patterns: { ab-testing: { split: 50%, for: 1h } }\n";
    let source = Source { name: "cutover.yaml".into(), text: text.to_owned() };
    let spec: Spec = parse(&source, &[]).unwrap();
    plan(pattern, Making { spec: &spec, n: 3, before, candidate: ReleaseId(2) })
}

fn after(records: &[Record]) -> App {
    let mut app = App::default();
    for record in records {
        app.apply(At(1000), record).unwrap();
    }
    app
}

/// States by name.
fn states() -> Vec<(&'static str, App)> {
    let begun = |pattern| Record::Begun(Box::new(planned(pattern, Some(Rest::of(ReleaseId(1))))));
    let (canary, test) = (begun(Pattern::Canary), begun(Pattern::AbTesting));
    let reached = Record::Reached { stage: 0 };
    let back = Record::TurnedBack(Why::Aborted);
    let freeze = Freeze { reason: "audit".into(), by: "ana".into(), since: At(0), until: None };
    let done = Record::Finished(Outcome::Succeeded);
    vec![
        ("nothing yet", after(&[])),
        ("frozen", after(&[Record::Frozen(freeze)])),
        ("entered", after(&[canary.clone()])),
        ("reached", after(&[canary.clone(), reached.clone()])),
        ("an experiment", after(&[test.clone(), reached.clone()])),
        ("turns back", after(&[canary.clone(), back])),
        ("over", after(&[canary, done])),
    ]
}

fn records() -> Vec<Record> {
    let plan = planned(Pattern::Canary, Some(Rest::of(ReleaseId(1))));
    let empty = Plan { stages: vec![], ..plan.clone() };
    let back = Plan { back: true, ..plan.clone() };
    let mut records = vec![
        Record::EngineStarted { epoch: 7 },
        Record::Begun(Box::new(plan)),
        Record::Begun(Box::new(empty)),
        Record::Begun(Box::new(back)),
        Record::Confirmed,
        Record::Paused,
        Record::Resumed,
        Record::AbortRequested { force: false },
        Record::Scaled { n: 9, by_spec: false },
        Record::TurnedBack(Why::Verdict),
        Record::Finished(Outcome::Succeeded),
        Record::Finished(Outcome::RolledBack(Why::Verdict)),
        Record::Down,
        Record::Unfrozen,
    ];
    for stage in [0, 1] {
        records.extend([
            Record::Reached { stage },
            Record::Passed { stage },
            Record::Judged { stage, verdict: Verdict::Pass },
            Record::Approved { stage },
            Record::Concluded { stage, keep: Keep::A },
            Record::HookStarted { stage, hook: 0 },
            Record::HookEnded { stage, hook: 0, ok: true },
            Record::Holding { stage },
        ]);
    }
    records
}

/// A record in a line: plans are long.
fn named(record: &Record) -> String {
    match record {
        Record::Begun(plan) if plan.stages.is_empty() => "Begun without stages".to_owned(),
        Record::Begun(plan) if plan.back => "Begun, a way back".to_owned(),
        Record::Begun(_) => "Begun".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn what_fits() {
    let mut told = String::new();
    for (name, app) in states() {
        let _ = writeln!(told, "== {name}");
        for record in records() {
            let mut next = app.clone();
            match next.apply(At(2000), &record) {
                Ok(()) => {
                    let same = if next == app { ", nothing changes" } else { "" };
                    let _ = writeln!(told, "{}: fits{same}", named(&record));
                }
                Err(illegal) => {
                    assert_eq!(next, app, "{name}: {record:?}");
                    let _ = writeln!(told, "{}: {illegal}", named(&record));
                }
            }
        }
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_finished_rollout_leaves_what_its_end_says() {
    let begun = Record::Begun(Box::new(planned(Pattern::BlueGreen, Some(Rest::of(ReleaseId(1))))));
    let ends = [
        Outcome::Succeeded,
        Outcome::RolledBack(Why::Verdict),
        Outcome::RolledBackDegraded(Why::Verdict),
        Outcome::Stuck(Why::Verdict),
    ];
    let mut told = String::new();
    for outcome in ends {
        let mut app = after(&[Record::Scaled { n: 5, by_spec: true }, begun.clone()]);
        app.apply(At(2000), &Record::Scaled { n: 6, by_spec: false }).unwrap();
        if outcome != Outcome::Succeeded {
            app.apply(At(2500), &Record::TurnedBack(Why::Verdict)).unwrap();
        }
        app.apply(At(3000), &Record::Finished(outcome)).unwrap();
        let App { n, spec_n, rest, .. } = &app;
        let _ = writeln!(told, "{outcome:?}: n {n}, by the spec {spec_n}, {rest:?}");
        assert!(matches!(app.rollout.map(|rollout| rollout.phase), Some(Phase::Done(_))));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_test_that_ends_with_the_old_release_keeps_its_size() {
    let begun = Record::Begun(Box::new(planned(Pattern::AbTesting, Some(Rest::of(ReleaseId(1))))));
    let sized = Record::Scaled { n: 5, by_spec: true };
    let app = after(&[sized, begun, Record::Finished(Outcome::Succeeded)]);
    assert_eq!((app.n, app.spec_n), (5, 5));
    assert_eq!(app.rest, Some(Rest::of(ReleaseId(1))));
}
