//! The log over several starts, and what is found in it.

use super::*;

#[test]
fn starts_alone_make_nothing_old() {
    let folder = tempfile::tempdir().unwrap();
    let subject: Subject = "shop".parse().unwrap();
    for epoch in 1..5 {
        let log = EventLog::open(folder.path(), epoch).unwrap();
        let text = epoch.to_string();
        log.tell(At(1), &subject, None, EventKind::Warning { text });
    }
    let log = EventLog::open(folder.path(), 5).unwrap();
    assert_eq!(log.since(None, 0, 10).unwrap().len(), 4);
}

#[test]
fn of_each_stage_the_newest_verdict_is_found_and_some_before() {
    use cutover_core::record::Verdict;
    let folder = tempfile::tempdir().unwrap();
    let subject: Subject = "shop".parse().unwrap();
    let log = EventLog::open(folder.path(), 1).unwrap();
    for at in 0..100 {
        let (stage, verdict) = (usize::from(at >= 70), Verdict::Inconclusive);
        for rollout in [7, 8] {
            let reason = format!("{rollout} {at}");
            let kind = EventKind::Judged { stage, verdict, reason, evidence: None };
            log.tell(At(at), &subject, Some(rollout), kind);
        }
    }
    let found = log.judged(7, 10).unwrap();
    assert!(found.iter().all(|event| event.rollout == Some(7)));
    let times: Vec<u64> = found.iter().map(|event| event.at.0).collect();
    assert_eq!(
        times,
        [6, 13, 20, 27, 34, 41, 48, 55, 62, 69, 72, 75, 78, 81, 84, 87, 90, 93, 96, 99]
    );
    assert!(log.judged(9, 10).unwrap().is_empty());
}

#[test]
fn the_index_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let subject: Subject = "shop".parse().unwrap();
    let warning = |text: &str| EventKind::Warning { text: text.to_owned() };
    let log = EventLog::open(folder.path(), 1).unwrap();
    let first = log.tell(At(1), &subject, None, warning("one"));
    drop(log);
    let log = EventLog::open(folder.path(), 2).unwrap();
    let second = log.tell(At(2), &subject, Some(7), warning("two"));
    assert!(second > first);
    let events = log.since(Some(&subject), first, 10).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].index, events[0].rollout), (second, Some(7)));
    assert!(log.since(Some(&"other".parse().unwrap()), 0, 10).unwrap().is_empty());
}

#[test]
fn only_old_events_of_the_app_and_of_pruned_rollouts_go() {
    let folder = tempfile::tempdir().unwrap();
    let log = EventLog::open(folder.path(), 1).unwrap();
    let (shop, other): (Subject, Subject) =
        ("shop".parse().unwrap(), "shop.production".parse().unwrap());
    let mut told = vec![];
    for (at, subject, rollout) in [
        (1, &shop, None),
        (2, &shop, Some(3)),
        (3, &shop, Some(7)),
        (4, &other, Some(3)),
        (50, &shop, Some(3)),
        (50, &shop, None),
    ] {
        let text = "x".to_owned();
        told.push(log.tell(At(at), subject, rollout, EventKind::Warning { text }));
    }
    let old = log.old(&shop, At(50), 7).unwrap();
    assert!(old.count == 2 && old.bytes > 100, "{old:?}");
    log.prune(&shop, At(50), 7).unwrap();
    log.compact().unwrap();
    let left: Vec<u64> = log.since(None, 0, 10).unwrap().iter().map(|e| e.index).collect();
    assert_eq!(left, told[2..]);
}

#[test]
fn the_newest_events_of_one_app_are_found_among_those_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let (shop, cart): (Subject, Subject) = ("shop".parse().unwrap(), "cart".parse().unwrap());
    let log = EventLog::open(folder.path(), 1).unwrap();
    assert_eq!(log.before_newest(Some(&shop), 2).unwrap(), 0, "there are none yet");
    let warning = || EventKind::Warning { text: "x".to_owned() };
    for _ in 0..3 {
        log.tell(At(1), &shop, None, warning());
        log.tell(At(1), &cart, None, warning());
    }
    let read = |of: &Subject, most| {
        let after = log.before_newest(Some(of), most).unwrap();
        log.since(Some(of), after, 10).unwrap().len()
    };
    assert_eq!((read(&shop, 2), read(&cart, 1), read(&shop, 9)), (2, 1, 3));
    let after = log.before_newest(None, 4).unwrap();
    assert_eq!(log.since(None, after, 10).unwrap().len(), 4);
}
