//! Reasons: what the comparison with stable shows, in one line that a person can read.

use std::fmt::Write as _;

use cutover_judge::{Kind, Look, Part, Verdict as Word};

use crate::record::Verdict;
use crate::release::ReleaseName;

/// What a look shows, against the old release.
#[must_use]
pub fn of(look: &Look, old: &ReleaseName) -> String {
    let part = look.telling();
    let shown = part.map(|part| figures(part, old)).unwrap_or_default();
    match look.verdict {
        Word::Rollback => format!("worse than {old}: {shown}"),
        Word::Hold => format!("suspect, no step further: {shown}"),
        Word::Promote => format!("not worse than {old}: {shown}"),
        Word::Continue => match look.needs() {
            Some(seconds) if seconds > 0.0 => format!("{shown}; {}", needs(seconds)),
            Some(_) | None => shown,
        },
        Word::Inconclusive => format!("nothing shown in time: {shown}"),
        Word::NoData => "no requests to compare yet".to_owned(),
        Word::Invalid => format!(
            "requests were not shared as planned, so that both sides are not alike: {shown}"
        ),
    }
}

/// `needs about 40 s more`
fn needs(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, cut")]
    let seconds = seconds.min(1e9).ceil() as u64;
    let rounded = match seconds {
        0..=20 => seconds,
        21..=120 => seconds.div_ceil(5) * 5,
        _ => seconds.div_ceil(60) * 60,
    };
    let span = crate::units::Span::secs(rounded);
    format!("needs about {span} more")
}

/// `errors 2.61% against 0.52% of v1, at least +0.80pp (99%); 120 of 4,600 requests, share 10%`
fn figures(part: &Part, old: &ReleaseName) -> String {
    let seen = &part.seen;
    let mut text = String::new();
    if !part.metric.is_empty() {
        let _ = write!(text, "{}: ", part.metric);
    }
    let (ours, theirs) = (percent(seen.candidate.rate()), percent(seen.stable.rate()));
    let _ = match part.kind {
        Kind::Errors => write!(text, "errors {ours} against {theirs} of {old}"),
        Kind::Slow { above, .. } => {
            let above = milliseconds(above);
            write!(text, "{ours} slower than {above} against {theirs} of {old}")
        }
    };
    let _ = match seen.at_least {
        Some(least) => write!(text, ", at least +{} (99%)", points(least)),
        None if part.at_most < 0.99 => {
            write!(text, ", at most {:+}pp (95%)", Rounded(part.at_most))
        }
        None => Ok(()),
    };
    let requests = seen.candidate.requests;
    let _ = write!(text, "; {requests} requests, share {}", percent(part.share));
    text
}

fn milliseconds(micros: u64) -> String {
    match micros {
        0..=9_999 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        _ => format!("{} ms", micros / 1000),
    }
}

fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

fn points(share: f64) -> String {
    format!("{:.2}pp", share * 100.0)
}

/// A share as percentage points with a sign.
struct Rounded(f64);

impl std::fmt::Display for Rounded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:+.2}", self.0 * 100.0)
    }
}

/// The guard's verdict and the judge's as one: whatever is bad is bad, and only what both are
/// content with passes.
#[must_use]
pub fn combine(guard: (Verdict, String), judge: (Word, String)) -> (Verdict, String) {
    let (word, shown) = judge;
    match (guard.0, word) {
        (Verdict::Fail | Verdict::Error, _) => guard,
        (Verdict::Pass | Verdict::Inconclusive, Word::Rollback) => (Verdict::Fail, shown),
        (Verdict::Pass | Verdict::Inconclusive, Word::Invalid) => (Verdict::Error, shown),
        (Verdict::Pass, Word::Promote) => (Verdict::Pass, shown),
        (Verdict::Inconclusive, Word::Promote) => guard,
        (
            Verdict::Pass | Verdict::Inconclusive,
            Word::Continue | Word::Hold | Word::Inconclusive | Word::NoData,
        ) => (Verdict::Inconclusive, shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_are_content_with_passes() {
        use Verdict::{Error, Fail, Inconclusive, Pass};
        let all = [
            (Word::Continue, [Inconclusive, Fail, Inconclusive, Error]),
            (Word::Hold, [Inconclusive, Fail, Inconclusive, Error]),
            (Word::Rollback, [Fail, Fail, Fail, Error]),
            (Word::Promote, [Pass, Fail, Inconclusive, Error]),
            (Word::Inconclusive, [Inconclusive, Fail, Inconclusive, Error]),
            (Word::NoData, [Inconclusive, Fail, Inconclusive, Error]),
            (Word::Invalid, [Error, Fail, Error, Error]),
        ];
        for (word, wanted) in all {
            for (guard, wanted) in [Pass, Fail, Inconclusive, Error].into_iter().zip(wanted) {
                let found = combine((guard, String::new()), (word, String::new())).0;
                assert_eq!(found, wanted, "{guard:?} {word:?}");
            }
        }
    }
}
