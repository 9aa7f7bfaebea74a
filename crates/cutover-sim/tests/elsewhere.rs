//! What went wrong in other tools and no single promise names, in calm worlds. The list, with their
//! issues: docs/testing.md, "What goes wrong elsewhere".
#![expect(clippy::unwrap_used, reason = "tests fail that way")]

use std::time::Duration;

use cutover_core::patterns::Pattern::{self, BlueGreen, Canary, FeatureFlag, Rolling};
use cutover_core::record::{Keep, Outcome, Why};
use cutover_core::units::{At, Share};
use cutover_sim::conduct::{Ending, Stage};
use cutover_sim::points::point;
use cutover_sim::scenario::{Op, Scenario};
use cutover_sim::weather::Behaviour::{self, CrashLoop, Fading, Good, NeverReady};
use cutover_sim::weather::Showing::{self, Alike, Down, Nothing};

/// Those with a verdict on live requests, which end by themselves.
const JUDGED: [Pattern; 4] = [Rolling, BlueGreen, Canary, FeatureFlag];

fn at(millis: u64) -> At {
    At(0) + Duration::from_millis(millis)
}

/// `v2` over `v1` by a pattern, with what people do beside that.
fn world(pattern: Pattern, shows: (Behaviour, Showing), seed: u64, more: &[(At, Op)]) -> Scenario {
    let mut scenario = point(pattern, shows, None, seed).unwrap();
    scenario.undisturbed = false;
    scenario.suppose.hook_fails = 0;
    scenario.ops.extend_from_slice(more);
    scenario.ops.sort_by_key(|(at, _)| *at);
    scenario
}

fn run(scenario: Scenario) -> Ending {
    let ending = Stage::new().unwrap().watch(scenario);
    assert_eq!(ending.broken, None, "{}", ending.told);
    ending
}

/// The candidate's share over time, each one once.
fn shares(ending: &Ending) -> Vec<Share> {
    let mut shares: Vec<Share> = ending.moments.iter().map(|moment| moment.share).collect();
    shares.dedup();
    shares
}

/// Had it ended when somebody said something else? People come a tick or two late.
fn in_time(ending: &Ending, said: At) -> bool {
    ending.ended.unwrap() <= said + Duration::from_secs(1)
}

#[test]
fn on_the_way_to_a_good_release_its_share_only_grows() {
    let conclude = |half: u64| (at(half * 500), Op::Conclude(Keep::B));
    let conclude: Vec<(At, Op)> = (4..40).map(conclude).collect();
    for pattern in Pattern::ALL {
        for seed in 0..8 {
            let ending = run(world(pattern, (Good, Alike), seed, &conclude));
            let shares = shares(&ending);
            let up = shares.windows(2).take_while(|pair| pair[0] < pair[1]).count() + 1;
            // The copies of a shadow are not counted here, so that nobody can judge it.
            let turned = if pattern == Pattern::Shadow { Some(&Share::ZERO) } else { None };
            assert!(shares.get(up) == turned || up == shares.len(), "{pattern}: {shares:?}");
            let most = if pattern == FeatureFlag { 14 } else { 11 };
            assert!(ending.published <= most, "{pattern}: {} tables", ending.published);
        }
    }
}

#[test]
fn an_abort_wins_whatever_else_is_said_and_the_share_only_falls() {
    for pattern in Pattern::ALL {
        let mut aborted = 0;
        for half in 4..60 {
            let now = at(half * 500);
            let said = [
                (now, Op::Approve),
                (now, Op::Conclude(Keep::B)),
                (now, Op::Abort { force: false }),
                (now, Op::Resume),
                (now, Op::Approve),
            ];
            let ending = run(world(pattern, (Good, Alike), half, &said));
            if ending.outcomes == [Outcome::Succeeded] {
                assert!(in_time(&ending, now), "{pattern} at {}: it went on", now.0);
                continue;
            }
            aborted += 1;
            assert_eq!(ending.outcomes, [Outcome::RolledBack(Why::Aborted)], "{pattern}");
            let shares = shares(&ending);
            let up = shares.windows(2).take_while(|pair| pair[0] < pair[1]).count();
            assert!(shares[up..].is_sorted_by(|one, next| one > next), "{pattern}: {shares:?}");
            assert!(ending.published <= 16, "{pattern}: {} tables", ending.published);
        }
        assert!(aborted > 5, "{pattern}: only {aborted} were aborted in time");
    }
}

#[test]
fn a_rollback_can_be_aborted_too() {
    for pattern in JUDGED {
        let mut aborted = 0;
        for quarter in 0..80 {
            let back = (at(200_000), Op::Rollback);
            let abort = at(200_250 + quarter * 250);
            let ops = [back, (abort, Op::Abort { force: false })];
            let ending = run(world(pattern, (Good, Alike), quarter, &ops));
            let [Outcome::Succeeded, end] = ending.outcomes[..] else {
                panic!("{pattern}: {:?}", ending.outcomes)
            };
            match end {
                Outcome::RolledBack(Why::Aborted) => aborted += 1,
                end => {
                    assert_eq!(end, Outcome::Succeeded, "{pattern}");
                    assert!(in_time(&ending, abort), "{pattern}: it went on");
                }
            }
        }
        assert!(aborted > 10, "{pattern}: only {aborted} were aborted in time");
    }
}

#[test]
fn without_requests_or_without_an_answer_nothing_fails_and_nothing_passes() {
    for pattern in JUDGED {
        for showing in [Nothing, Down] {
            let ending = run(world(pattern, (Good, showing), 1, &[]));
            // Not by a verdict, and not before the limit to holds has passed.
            let held = [Outcome::RolledBack(Why::HeldTooLong)];
            assert_eq!(ending.outcomes, held, "{pattern} {showing:?}");
            assert!(ending.ended.unwrap() > at(31_000), "{pattern} {showing:?}");
        }
    }
}

#[test]
fn a_good_release_after_a_bad_or_an_aborted_one_goes_live() {
    for pattern in JUDGED {
        let next = (at(300_000), Op::Deploy { pattern, version: 3, supersede: false });
        for bad in [CrashLoop, NeverReady, Fading] {
            let ending = run(world(pattern, (bad, Alike), 1, std::slice::from_ref(&next)));
            let [Outcome::RolledBack(_), Outcome::Succeeded] = ending.outcomes[..] else {
                panic!("{pattern} {bad:?}: {:?}", ending.outcomes)
            };
        }
        let abort = (at(6_000), Op::Abort { force: false });
        let again = (at(300_000), Op::Deploy { pattern, version: 2, supersede: false });
        for next in [next, again] {
            let ending = run(world(pattern, (Good, Alike), 1, &[abort.clone(), next]));
            let expected = [Outcome::RolledBack(Why::Aborted), Outcome::Succeeded];
            assert_eq!(ending.outcomes, expected, "{pattern}");
        }
    }
}
