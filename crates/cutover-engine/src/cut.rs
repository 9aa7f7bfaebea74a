//! Where a journal may be cut, and what stands for the records before.

use cutover_core::app::App;
use cutover_core::base::Base;
use cutover_core::record::Record;
use cutover_core::units::At;

use crate::journal::Entry;
use crate::lineage::Lineage;

/// The oldest records of one app, to be replaced by their base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Index of the last record that goes; the base takes its place.
    pub last: u64,
    /// How many go.
    pub records: u64,
    /// How many rollouts are among them.
    pub rollouts: u64,
    /// What they came to.
    pub base: Base,
}

/// The most that can be cut of what is older than `before`: never inside a rollout, and never the
/// newest one, which retrying and the drain limits need. `None` where there is nothing.
pub(crate) fn cut(entries: &[Entry], before: At) -> Option<Cut> {
    let newest = newest_begun(entries)?;
    let (mut app, mut lineage) = (App::default(), Lineage::default());
    let (mut rollouts, mut found) = (0, None);
    for (place, entry) in entries.iter().enumerate().take(newest) {
        if entry.at >= before {
            break;
        }
        // What does not fit is left out, as when it is replayed.
        if app.apply(entry.at, &entry.record).is_ok() {
            lineage.apply(&entry.record);
            rollouts += u64::from(matches!(entry.record, Record::Begun(_)));
        }
        if let Some(base) = app.base() {
            let base = lineage.clone().into_base(base);
            let records = place as u64 + 1;
            found = Some(Cut { last: entry.index, records, rollouts, base });
        }
    }
    // To replace a base alone would change nothing.
    let only_base = |cut: &Cut| {
        cut.records == 1 && matches!(entries.first().map(|e| &e.record), Some(Record::Base(_)))
    };
    found.filter(|cut| !only_base(cut))
}

/// The place of the newest record that began a rollout; `None` if there is none, or if a rollout is
/// live.
fn newest_begun(entries: &[Entry]) -> Option<usize> {
    let (mut app, mut newest) = (App::default(), None);
    for (place, entry) in entries.iter().enumerate() {
        if app.apply(entry.at, &entry.record).is_ok() && matches!(entry.record, Record::Begun(_)) {
            newest = Some(place);
        }
    }
    newest.filter(|_| app.live().is_none())
}

#[cfg(test)]
mod tests {
    use cutover_core::id::ReleaseId;
    use cutover_core::patterns::{Making, Pattern, plan, plan_back};
    use cutover_core::record::{Outcome, Why};
    use cutover_core::spec::{Source, Spec, parse};
    use proptest::prelude::*;

    use super::*;

    /// What may happen to an app.
    #[derive(Debug, Clone)]
    enum Op {
        Deploy { pattern: Pattern, candidate: u32, back: bool },
        Advance,
        Succeed,
        Fail(Outcome),
        Scale { n: u32, by_spec: bool },
        Restart,
        Down,
        Misfit,
    }

    fn any_op() -> impl Strategy<Value = Op> {
        let failed = prop_oneof![
            Just(Outcome::RolledBack(Why::Aborted)),
            Just(Outcome::RolledBackDegraded(Why::Verdict)),
            Just(Outcome::Stuck(Why::Deadline)),
        ];
        let pattern = proptest::sample::select(&Pattern::ALL);
        prop_oneof![
            3 => (pattern, 1..6_u32, any::<bool>())
                .prop_map(|(pattern, candidate, back)| Op::Deploy { pattern, candidate, back }),
            2 => Just(Op::Advance),
            3 => Just(Op::Succeed),
            1 => failed.prop_map(Op::Fail),
            1 => (1..5_u32, any::<bool>()).prop_map(|(n, by_spec)| Op::Scale { n, by_spec }),
            1 => Just(Op::Restart),
            1 => Just(Op::Down),
            1 => Just(Op::Misfit),
        ]
    }

    fn spec() -> Spec {
        let text = "app: shop\ninstances: 3\nlisten: 127.0.0.1:1\nrelease: { command: [serve] }\n\
                    patterns: { blue-green: { keep: 1h }, feature-flag: { flag: x } }\n";
        let source = Source { name: "cutover.yaml".into(), text: text.into() };
        parse(&source, &[]).unwrap()
    }

    fn begun(app: &App, spec: &Spec, pattern: Pattern, candidate: u32, back: bool) -> Record {
        let before = app.live().map_or(&app.rest, |rollout| &rollout.plan.before).clone();
        let candidate = ReleaseId(candidate);
        let making = Making { spec, n: app.n, before, candidate };
        Record::Begun(Box::new(if back { plan_back(making) } else { plan(pattern, making) }))
    }

    /// The records that a person's and the world's doings come to, as a driver would write them,
    /// and now and then one that does not fit.
    fn journal(ops: &[Op]) -> Vec<Entry> {
        let spec = spec();
        let (mut app, mut entries) = (App::default(), vec![]);
        for (step, op) in ops.iter().enumerate() {
            let stage = app.live().map_or(0, |rollout| match rollout.phase {
                cutover_core::app::Phase::Forward(now) => now.stage,
                _ => 0,
            });
            let records = match op {
                Op::Deploy { pattern, candidate, back } => {
                    vec![begun(&app, &spec, *pattern, *candidate, *back)]
                }
                Op::Advance => vec![
                    Record::Reached { stage },
                    Record::HookStarted { stage, hook: 0 },
                    Record::Passed { stage },
                ],
                Op::Succeed => vec![Record::Finished(Outcome::Succeeded)],
                Op::Fail(outcome) => {
                    vec![Record::TurnedBack(Why::Aborted), Record::Finished(*outcome)]
                }
                Op::Scale { n, by_spec } => vec![Record::Scaled { n: *n, by_spec: *by_spec }],
                Op::Restart => vec![Record::EngineStarted { epoch: app.epoch + 1 }],
                Op::Down => vec![Record::Down],
                Op::Misfit => vec![Record::Passed { stage: 99 }],
            };
            for record in records {
                let (index, at) = (3 * entries.len() as u64 + 1, At(1000 * step as u64));
                let _ = app.apply(at, &record);
                entries.push(Entry { index, at, actor: None, record });
            }
        }
        entries
    }

    fn replayed(entries: &[Entry]) -> (App, Lineage) {
        let (mut app, mut lineage) = (App::default(), Lineage::default());
        for entry in entries {
            if app.apply(entry.at, &entry.record).is_ok() {
                lineage.apply(&entry.record);
            }
        }
        (app, lineage)
    }

    /// What is in the journal after a cut.
    fn left(entries: &[Entry], cut: &Cut) -> Vec<Entry> {
        let kept = entries.iter().filter(|entry| entry.index > cut.last).cloned();
        let last = entries.iter().find(|entry| entry.index == cut.last).unwrap();
        let record = Record::Base(Box::new(cut.base.clone()));
        let base = Entry { actor: None, record, ..*last };
        std::iter::once(base).chain(kept).collect()
    }

    fn first_begun(entries: &[Entry]) -> Option<u64> {
        entries.iter().find(|e| matches!(e.record, Record::Begun(_))).map(|entry| entry.index)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn what_is_left_of_a_journal_comes_to_the_same(
            ops in proptest::collection::vec(any_op(), 0..60),
            befores in proptest::collection::vec(0..60_000_u64, 1..3),
        ) {
            let whole = journal(&ops);
            let mut entries = whole.clone();
            for before in befores {
                let Some(cut) = cut(&entries, At(before)) else { continue };
                let removed: Vec<&Entry> =
                    entries.iter().filter(|entry| entry.index <= cut.last).collect();
                prop_assert_eq!(removed.len() as u64, cut.records);
                prop_assert!(removed.iter().all(|entry| entry.at < At(before)));
                entries = left(&entries, &cut);
                prop_assert!(first_begun(&entries).is_some(), "the newest rollout stays");
                prop_assert_eq!(replayed(&entries), replayed(&whole));
            }
        }
    }

    fn deploys(n: u32) -> Vec<Op> {
        let deploy = |candidate| Op::Deploy { pattern: Pattern::Rolling, candidate, back: false };
        (1..=n).flat_map(|candidate| [deploy(candidate), Op::Succeed]).collect()
    }

    #[test]
    fn as_much_as_is_old_goes_and_the_newest_rollout_stays() {
        let entries = journal(&deploys(4));
        let all = cut(&entries, At(u64::MAX)).unwrap();
        assert_eq!((all.records, all.rollouts), (6, 3));
        assert_eq!(all.base.rest.as_ref().map(|rest| rest.live), Some(ReleaseId(3)));
        assert_eq!(all.base.line, [1, 2, 3].map(ReleaseId));
        // Steps are a second apart: the third rollout ended after this time.
        let half = cut(&entries, At(5000)).unwrap();
        assert_eq!((half.records, half.rollouts), (4, 2));
        assert_eq!(cut(&entries, At(0)), None);
        assert_eq!(cut(&left(&entries, &all), At(u64::MAX)), None, "again there is nothing to do");
    }

    #[test]
    fn nothing_is_cut_while_a_rollout_is_live() {
        let mut ops = deploys(4);
        ops.pop();
        assert_eq!(cut(&journal(&ops), At(u64::MAX)), None);
    }
}
