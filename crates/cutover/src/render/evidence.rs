//! How far evidence has come, and what it bounds, in a few characters.

use cutover_judge::{Kind, Look, Part as Shown, Settings};

use super::spark::{bars, columns};

/// One of the two things that evidence may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The new release is not worse.
    NotWorse,
    /// It is worse beyond the tolerance.
    Worse,
}

/// How much of the evidence that is needed is there, 0 to 1: a part of the logarithm, which grows
/// evenly with requests.
pub(crate) fn toward(part: Part, look: &Look) -> f64 {
    match part {
        Part::NotWorse => reached(part, look.log_not_worse),
        Part::Worse => reached(part, look.log_beyond),
    }
}

/// The same of evidence as a natural logarithm.
pub(crate) fn reached(part: Part, log: f64) -> f64 {
    let settings = Settings::default();
    let chance = match part {
        Part::NotWorse => settings.beta,
        Part::Worse => settings.alpha,
    };
    let part = log / -chance.ln();
    if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 }
}

/// `▁▂▄▆ 61%`: how it grew, in so many cells, and how far it is.
pub(crate) fn grown(values: &[f64], cells: usize) -> String {
    let newest = values.last().copied().unwrap_or_default();
    // Only what is enough is a full bar.
    let short = |value: f64| if value < 1.0 { value.min(0.85) } else { value };
    let columns: Vec<_> = columns(values, cells).into_iter().map(|v| v.map(short)).collect();
    format!("{} {}", bars(&columns, 1.0), percent(newest))
}

/// `61%`
pub(crate) fn percent(part: f64) -> String {
    // What is not enough never looks like it.
    format!("{:.0}%", (part * 100.0).floor())
}

/// `errors +0.30 ≤ +0.94 ≤ +1.20pp`: what is seen, between the bounds that are there. Errors are
/// bounded at 99 % below and 95 % above.
pub(crate) fn difference(part: &Shown) -> String {
    let points = |share: f64| format!("{:+.2}", share * 100.0);
    let mut text = match part.kind {
        Kind::Errors => "errors ".to_owned(),
        Kind::Slow { .. } => "slow ".to_owned(),
    };
    if !part.metric.is_empty() {
        text.insert_str(0, &format!("{} ", part.metric));
    }
    if let Some(least) = part.seen.at_least {
        text.push_str(&format!("{} ≤ ", points(least)));
    }
    text.push_str(&points(part.seen.effect));
    if let Some(most) = at_most(part) {
        text.push_str(&format!(" ≤ {}", points(most)));
    }
    text.push_str("pp");
    text
}

/// The upper bound of what is seen, where there is one.
pub(crate) fn at_most(part: &Shown) -> Option<f64> {
    let same = match part.kind {
        Kind::Errors => true,
        // Latency is bounded at this quantile alone, whichever shows most.
        Kind::Slow { quantile, .. } => (quantile - 0.95).abs() < 1e-9,
    };
    (same && part.at_most < 0.99).then_some(part.at_most)
}

#[cfg(test)]
pub(crate) mod testing {
    //! Looks as the judge makes them.

    use cutover_judge::Look;
    use serde_json::json;

    /// A look with this much evidence (natural logarithms).
    pub(crate) fn look(verdict: &str, log_not_worse: f64, log_beyond: f64) -> Look {
        serde_json::from_value(json!({
            "verdict": verdict, "log_beyond": log_beyond, "log_worse": log_beyond,
            "log_not_worse": log_not_worse,
            "parts": [{
                "kind": "errors", "log_beyond": log_beyond, "log_worse": log_beyond,
                "log_not_worse": log_not_worse, "share": 0.1, "at_most": 0.012, "needs": 38.2,
                "seen": {"candidate": {"requests": 820, "bad": 5}, "effect": 0.0012,
                         "stable": {"requests": 7380, "bad": 36}, "at_least": null},
            }],
        }))
        .unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::look;
    use super::*;

    #[test]
    fn evidence_is_a_part_of_what_is_needed() {
        let look = look("continue", 20_f64.ln() * 0.619, -3.0);
        assert_eq!(percent(toward(Part::NotWorse, &look)), "61%");
        assert_eq!(percent(toward(Part::Worse, &look)), "0%");
        assert_eq!(percent(0.999), "99%");
    }

    #[test]
    fn bounds_stand_on_their_sides() {
        let mut part = look("continue", 1.0, 0.0).parts.remove(0);
        assert_eq!(difference(&part), "errors +0.12 ≤ +1.20pp");
        (part.seen.at_least, part.at_most) = (Some(0.0005), 0.995);
        assert_eq!(difference(&part), "errors +0.05 ≤ +0.12pp");
        part.at_most = 0.012;
        let slow = |quantile| Kind::Slow { quantile, above: 900 };
        part.kind = slow(0.95);
        assert_eq!(difference(&part), "slow +0.05 ≤ +0.12 ≤ +1.20pp");
        part.kind = slow(0.5);
        assert_eq!(difference(&part), "slow +0.05 ≤ +0.12pp", "a bound of another quantile");
    }
}
