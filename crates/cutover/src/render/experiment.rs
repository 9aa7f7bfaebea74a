//! What users of a flag's variants did, as a table and a sentence.

use cutover_engine::tracks::{
    ExperimentReport, Interval, Lift, SampleRatioCheck, Segment, VariantCount, Verdict,
};

use super::time::time;

/// The whole report.
pub(crate) fn experiment(report: &ExperimentReport) -> String {
    let mut lines = vec![head(report)];
    if !report.variants.is_empty() {
        lines.extend(table(&report.variants, report));
    }
    lines.extend(notes(report));
    lines.push(verdict(report));
    lines.extend(amounts(report));
    if let Some(by) = &report.by {
        lines.push(format!("by {by}, which is no verdict: of many segments one always differs"));
        lines.extend(report.segments.iter().flat_map(|segment| of_segment(segment, report)));
        if report.more_segments > 0 {
            lines.push(format!("  and {} more with fewer users", report.more_segments));
        }
    }
    lines.join("\n")
}

fn head(report: &ExperimentReport) -> String {
    let ExperimentReport { environment, flag, outcome, first, .. } = report;
    let by = outcome.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
    let since = first.map(|at| format!(", since {}", time(at))).unwrap_or_default();
    format!("flag {flag} in {environment}{by}{since}")
}

fn table(variants: &[VariantCount], report: &ExperimentReport) -> Vec<String> {
    let width = |it: &VariantCount| plain(&it.variant).chars().count();
    let width = variants.iter().map(width).max().unwrap_or(0).max("variant".len());
    let has_outcome = report.outcome.is_some();
    let sum: f64 = variants.iter().filter_map(|it| it.expected).sum();
    let mut head = format!("  {:width$}  {:>9}  {:>8}", "variant", "users", "expected");
    if has_outcome {
        let level = format!("{} interval", percent(1.0 - report.alpha, 0));
        head +=
            &format!("  {:>9}  {:>7}  {:>7}  {level:>19}  {:>7}", "converted", "rate", "lift", "p");
    }
    let row = |it: &VariantCount| {
        let expected = it.expected.filter(|_| sum > 0.0);
        let expected = expected.map_or("-".to_owned(), |it| format!("{it:.0}"));
        let name = plain(&it.variant);
        let mut row = format!("  {name:width$}  {:>9}  {expected:>8}", it.users);
        if has_outcome {
            let rate = percent(it.converted as f64 / it.users.max(1) as f64, 2);
            row += &format!("  {:>9}  {rate:>7}", it.converted);
            row += &it.lift.map(lift).unwrap_or_default();
        }
        row
    };
    std::iter::once(head).chain(variants.iter().map(row)).collect()
}

fn lift(lift: Lift) -> String {
    let Lift { interval, p } = lift;
    let estimate = interval.estimate.map_or("-".to_owned(), |it| signed(it, 1));
    format!("  {estimate:>7}  {:>19}  {:>7}", range(&interval), p_value(p))
}

fn range(interval: &Interval) -> String {
    let high = interval.high.map_or("any".to_owned(), |high| signed(high, 1));
    format!("{} to {high}", signed(interval.low, 1))
}

fn notes(report: &ExperimentReport) -> Vec<String> {
    let mut notes = vec![match report.sample_ratio {
        SampleRatioCheck::Fits { p } => {
            format!("sample ratio: as it was to be (p {})", p_value(p))
        }
        SampleRatioCheck::Mismatch { p } => format!(
            "sample ratio: WRONG (p {}, alarm below 0.001): the groups differ in more than the variant",
            p_value(p)
        ),
        SampleRatioCheck::Unknown => {
            "sample ratio: not checked, since the shares are not known; say them: --shares on=50,off=50"
                .to_owned()
        }
    }];
    let losses = report.losses;
    for (count, what) in [
        (report.contaminated, "users saw another variant later; they count where they were first"),
        (report.undealt, "users came while the flag dealt nobody out; they are not compared"),
        (report.strays, "users saw a variant that had no share then; they are not compared"),
        (losses.forgotten, "tracks were lost before they were read"),
        (
            losses.restarts,
            "times the proxy started again; what came in the second before may be lost",
        ),
        (losses.dropped_users, "users of all flags were dropped, being old or too many"),
        (losses.dropped_outcomes, "outcomes were dropped, being old or too many"),
    ] {
        if count > 0 {
            notes.push(format!("note: {count} {what}"));
        }
    }
    if report.picks {
        let text = "note: the rule names variants for some users beforehand; exposures of these are \
                    not to be told";
        notes.push(text.to_owned());
    }
    notes
}

fn verdict(report: &ExperimentReport) -> String {
    let control = plain(report.control.as_deref().unwrap_or("-"));
    let words = match &report.verdict {
        Verdict::Invalid => {
            "none: find out why the sample ratio is wrong, and start again".to_owned()
        }
        Verdict::Untested { why } => {
            let names: Vec<String> = report.outcomes.iter().map(|name| plain(name)).collect();
            let help = match (&report.outcome, names.is_empty()) {
                (None, false) => format!("; known: --outcome {}", names.join(" | ")),
                (_, true) | (Some(_), _) => String::new(),
            };
            format!("none: {why}{help}")
        }
        Verdict::Undecided => format!("no difference to {control} is shown yet"),
        Verdict::Different { better, worse } => {
            let part = |names: &[String], how: &str| {
                (!names.is_empty())
                    .then(|| format!("{} converts {how} than {control}", plain(&names.join(", "))))
            };
            let parts = [part(better, "more"), part(worse, "less")];
            parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
        }
    };
    format!("verdict: {words}")
}

fn amounts(report: &ExperimentReport) -> Vec<String> {
    let line = |it: &VariantCount| {
        let amount = it.amount?;
        let Interval { estimate, low, high } = amount.interval;
        let estimate = estimate.unwrap_or_default();
        let high = high.unwrap_or(f64::INFINITY);
        let explained = match amount.explained >= 0.005 {
            true => format!(", {} of the variance explained", percent(amount.explained, 0)),
            false => String::new(),
        };
        Some(format!(
            "amount per user within {}, {} users: {} {estimate:+.4} ({low:+.4} to {high:+.4}){explained}",
            report.within,
            amount.users,
            plain(&it.variant)
        ))
    };
    report.variants.iter().filter_map(line).collect()
}

fn of_segment(segment: &Segment, report: &ExperimentReport) -> Vec<String> {
    let name = plain(segment.value.as_deref().unwrap_or("(without)"));
    let rows = table(&segment.variants, report).into_iter().skip(1);
    std::iter::once(format!("  {name}")).chain(rows.map(|row| format!("  {row}"))).collect()
}

/// Names come from clients: nothing in them may move the cursor.
fn plain(name: &str) -> String {
    let shown = |letter: char| if letter.is_control() { '?' } else { letter };
    name.chars().take(60).map(shown).collect()
}

fn percent(part: f64, digits: usize) -> String {
    format!("{:.digits$}%", part * 100.0)
}

fn signed(part: f64, digits: usize) -> String {
    format!("{:+.digits$}%", part * 100.0)
}

fn p_value(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }
}

#[cfg(test)]
mod tests {
    use cutover_core::units::{At, Span};
    use cutover_engine::tracks::{Cohort, Losses, Person, Question, Split, analyse};

    use super::*;

    fn report(users: u64, on: u64) -> ExperimentReport {
        let weights = [("on".to_owned(), 1), ("off".to_owned(), 1)].into();
        let person = |number: u64| {
            let is_on = number % 2 == 1;
            let converts = number / 2 % 100 < if is_on { on } else { 10 };
            Person {
                variant: usize::from(is_on),
                at: At(1_795_457_600_000 + number),
                split: Some(0),
                contaminated: number < 3,
                segment: None,
                before: None,
                converted: converts.then(|| At(1_795_457_700_000 + number)),
                amount: if converts { 2.0 } else { 0.0 },
            }
        };
        let cohort = Cohort {
            variants: vec!["off".into(), "on".into()],
            splits: vec![Split { weights, default: Some("off".into()), picks: false }],
            segments: vec![],
            has_amounts: true,
            people: (0..users).map(person).collect(),
        };
        let within = Span(std::time::Duration::from_secs(60));
        let question = Question { outcome: Some("paid".into()), within, ..Question::of("new") };
        analyse(&cohort, &question, At(1_800_000_000_000))
    }

    #[test]
    fn reports_read_like_this() {
        let mut found = report(20_000, 15);
        found.losses = Losses { forgotten: 7, restarts: 1, ..Losses::default() };
        insta::assert_snapshot!(experiment(&found));
    }

    #[test]
    fn nothing_is_claimed_without_evidence() {
        let text = experiment(&report(200, 12));
        assert!(text.contains("verdict: no difference to off is shown yet"), "{text}");
        let text = experiment(&report(0, 10));
        assert!(text.contains("verdict: none: nobody was exposed yet"), "{text}");
    }
}
