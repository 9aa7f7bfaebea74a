//! What the judge would have said, second by second.

use std::time::Duration;

use cutover_core::id::ReleaseId;
use cutover_core::reason;
use cutover_core::release::ReleaseName;
use cutover_judge::{Judge, Look, Realised, Settings, Tick, Verdict};
use serde_json::Number;

use super::counts::Line;

/// A judge that is fed with counts that were taken somewhere.
#[derive(Debug)]
pub(crate) struct Replay {
    judge: Judge,
    realised: Realised,
    /// It was shown that the candidate is not worse; what was shown once stays shown.
    shown: bool,
    /// It was shown to be worse; a rollout would be over.
    turned: bool,
    seconds: u64,
    last: Option<Number>,
}

/// A look at all evidence so far.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) t: Number,
    /// Time that was counted so far.
    pub(crate) gone: Duration,
    pub(crate) look: Look,
}

impl Step {
    /// Is there nothing to wait for any more?
    pub(crate) fn is_decided(&self) -> bool {
        match self.look.verdict {
            Verdict::Rollback | Verdict::Promote => true,
            Verdict::Continue
            | Verdict::Hold
            | Verdict::Inconclusive
            | Verdict::NoData
            | Verdict::Invalid => false,
        }
    }

    /// What the evidence shows, in one line; the old side is called `stable`.
    pub(crate) fn reason(&self) -> String {
        let stable = "stable".parse().map(|version| {
            let old = ReleaseName { id: ReleaseId(0), version, ordinal: 1 };
            reason::of(&self.look, &old)
        });
        stable.unwrap_or_default()
    }
}

impl Replay {
    pub(crate) fn new(settings: Settings) -> Replay {
        Replay {
            judge: Judge::new(settings, &[]),
            realised: Realised::default(),
            shown: false,
            turned: false,
            seconds: 0,
            last: None,
        }
    }

    /// Takes in a line, and looks.
    pub(crate) fn take(&mut self, line: &Line) -> Step {
        let Line { seconds, rho, candidate, stable, .. } = line;
        let (candidate, stable) = (candidate.arm(), stable.arm());
        let (new, old) = (candidate.counts.requests, stable.counts.requests);
        let realised = self.realised.take(*seconds, new, old);
        if let Some(share) = rho {
            self.judge.check_split(*share, new, old);
        }
        if let Some(share) = rho.or(realised) {
            let tick = Tick { seconds: *seconds, share, candidate, stable, cold: line.cold };
            self.judge.observe("", &tick);
        }
        self.seconds += u64::from(*seconds);
        self.last = Some(line.t.clone().unwrap_or_else(|| self.seconds.into()));
        let mut look = self.judge.look();
        self.turned |= look.verdict == Verdict::Rollback;
        self.shown |= look.verdict == Verdict::Promote;
        if self.turned {
            look.verdict = Verdict::Rollback;
        } else if self.shown && look.verdict == Verdict::Continue {
            look.verdict = Verdict::Promote;
        }
        self.step(look)
    }

    /// What it comes to where no more counts follow; `None` if that is what the last step says.
    pub(crate) fn end(&self) -> Option<Step> {
        let mut look = self.judge.look();
        let open = match look.verdict {
            _ if self.turned => false,
            Verdict::Continue => !self.shown,
            Verdict::Hold => true,
            Verdict::NoData => self.last.is_none(),
            Verdict::Rollback | Verdict::Promote | Verdict::Inconclusive | Verdict::Invalid => {
                false
            }
        };
        if look.verdict != Verdict::NoData {
            look.verdict = Verdict::Inconclusive;
        }
        open.then(|| self.step(look))
    }

    fn step(&self, look: Look) -> Step {
        let t = self.last.clone().unwrap_or_else(|| 0.into());
        Step { t, gone: Duration::from_secs(self.seconds), look }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Lines;

    /// The verdicts over the seconds, and the one at the end.
    fn verdicts(line: impl Fn(u64) -> String, seconds: u64) -> (Vec<Verdict>, Option<Step>) {
        let text: Vec<String> = (1..=seconds).map(line).collect();
        let text = text.join("\n");
        let mut replay = Replay::new(Settings::default());
        let lines = Lines::of(text.as_bytes()).map(Result::unwrap);
        let found = lines.map(|line| replay.take(&line).look.verdict).collect();
        (found, replay.end())
    }

    fn line(n: u64, errors: u64, stable_errors: u64) -> String {
        format!(
            r#"{{"rho":0.1,"candidate":{{"n":{n},"errors":{errors}}},"stable":{{"n":{},"errors":{stable_errors}}}}}"#,
            n * 9
        )
    }

    #[test]
    fn a_bad_candidate_is_turned_back_and_stays_so() {
        // Afterwards it is much better than stable, for long.
        let harm = |t| if t < 15 { line(20, 4, 1) } else { line(20, 0, 20) };
        let (found, end) = verdicts(harm, 300);
        let first = found.iter().position(|verdict| *verdict == Verdict::Rollback).unwrap();
        assert!(first < 15, "{first}");
        assert!(found[first..].iter().all(|verdict| *verdict == Verdict::Rollback));
        assert_eq!(end, None);
    }

    #[test]
    fn a_good_candidate_is_promoted_and_a_thin_trickle_shows_nothing() {
        let (found, end) = verdicts(|t| line(20, t % 5 / 4, 2), 300);
        assert_eq!((found.last(), end), (Some(&Verdict::Promote), None));
        let (found, end) = verdicts(|_| line(1, 0, 0), 60);
        assert_eq!(found.last(), Some(&Verdict::Continue));
        let end = end.unwrap();
        assert_eq!(end.look.verdict, Verdict::Inconclusive);
        assert!(end.reason().starts_with("nothing shown in time: errors"), "{}", end.reason());
    }

    #[test]
    fn a_share_that_is_not_told_is_the_one_seen_and_another_one_than_told_is_invalid() {
        let untold = |t: u64| line(20, t % 5 / 4, 2).replace(r#""rho":0.1,"#, "");
        assert_eq!(verdicts(untold, 300).0.last(), Some(&Verdict::Promote));
        let other = |_| line(20, 0, 2).replace("0.1,", "0.5,");
        assert_eq!(verdicts(other, 300).0.last(), Some(&Verdict::Invalid));
    }
}
