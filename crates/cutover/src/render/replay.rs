//! A replay of the judge, as a table and as JSON.

use std::time::Duration;

use cutover_judge::{Kind, Part as Shown, Verdict};
use serde_json::{Value, json};

use super::evidence::{Part, at_most, difference, percent, toward};
use super::time::rough;
use crate::judge::Step;

/// Where nothing changes a row is shown again after a quarter of the time so far, and after this at
/// the latest.
const OFTEN: Duration = Duration::from_secs(60);

/// Which steps of a replay are shown, and how.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    told: Option<(Duration, Verdict)>,
}

impl Replayed {
    /// The lines of a step: none if it says nothing new.
    pub(crate) fn lines(&mut self, step: &Step) -> Vec<String> {
        let mut lines = vec![];
        let news = match self.told {
            None => {
                let (t, verdict, good, bad) = ("t", "verdict", "not worse", "worse");
                lines.push(format!(
                    "{t:>7}  {verdict:<8}  {good}  {bad:>5}  {:<31}  {:>8}",
                    "difference", "requests"
                ));
                true
            }
            Some((gone, verdict)) => {
                let pause = (gone / 4).clamp(Duration::from_secs(1), OFTEN);
                verdict != step.look.verdict || step.gone >= gone + pause
            }
        };
        if news {
            self.told = Some((step.gone, step.look.verdict));
            lines.push(row(step));
        }
        lines
    }
}

fn row(step: &Step) -> String {
    let Step { t, look, .. } = step;
    let verdict = look.verdict.as_str();
    let shown = look.telling().map(difference).unwrap_or_default();
    let requests = look.telling().map_or(0, |part| part.seen.candidate.requests);
    let (good, bad) = (toward(Part::NotWorse, look), toward(Part::Worse, look));
    format!(
        "{:>7}  {verdict:<8}  {:>9}  {:>5}  {shown:<31}  {requests:>8}",
        t.to_string(),
        percent(good),
        percent(bad)
    )
}

/// The sentence at the end.
pub(crate) fn end(step: &Step) -> String {
    let Step { t, gone, look } = step;
    let time = rough(*gone);
    let verdict = look.verdict.as_str();
    let mut text = format!("{verdict} at {t}, after {time}: {}", step.reason());
    if let Some(most) = excluded(step) {
        let most = format!("{:+.2}pp", most * 100.0);
        text.push_str(&format!("; can only exclude more than {most}"));
    }
    text
}

/// The rise of the error rate of which it is shown that it is not there, where the whole is
/// inconclusive.
fn excluded(step: &Step) -> Option<f64> {
    let open = step.look.verdict == Verdict::Inconclusive;
    let part = step.look.telling().filter(|_| open)?;
    at_most(part)
}

/// A step for scripts.
pub(crate) fn step_json(step: &Step) -> Value {
    let Step { t, gone, look } = step;
    let part = look.telling();
    let seen = part.map(|part| part.seen);
    let mut whole = json!({
        "t": t,
        "seconds": gone.as_secs(),
        "verdict": look.verdict,
        "metric": part.map(metric),
        "log_e": look.log_beyond,
        "log_not_worse": look.log_not_worse,
        "effect": seen.map(|seen| seen.effect),
        "lower_bound": seen.and_then(|seen| seen.at_least),
        "upper_bound": part.and_then(at_most),
        "candidate": seen.map(|seen| seen.candidate),
        "stable": seen.map(|seen| seen.stable),
        "needs_seconds": look.needs(),
        "reason": step.reason(),
    });
    if let (Some(most), Some(whole)) = (excluded(step), whole.as_object_mut()) {
        whole.insert("excludes".to_owned(), json!({"more_than": most}));
    }
    whole
}

fn metric(part: &Shown) -> String {
    let kind = match part.kind {
        Kind::Errors => "errors",
        Kind::Slow { .. } => "latency",
    };
    if part.metric.is_empty() { kind.to_owned() } else { format!("{} {kind}", part.metric) }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::testing::look;
    use super::*;

    fn step(seconds: u64, verdict: &str, log: f64) -> Step {
        let look = look(verdict, log, -1.0);
        Step { t: seconds.into(), gone: Duration::from_secs(seconds), look }
    }

    #[test]
    fn rows_come_with_news_and_now_and_then() {
        let mut replayed = Replayed::default();
        let mut lines = vec![];
        for t in 1..=400 {
            let verdict = if t < 301 { "continue" } else { "promote" };
            lines.extend(replayed.lines(&step(t, verdict, t as f64 / 100.0)));
        }
        assert_eq!(
            lines[0],
            "      t  verdict   not worse  worse  difference                       requests"
        );
        assert_eq!(
            lines[1],
            "      1  continue         0%     0%  errors +0.12 ≤ +1.20pp                820"
        );
        assert!(lines.iter().any(|line| line.starts_with("    301  promote        100%")));
        assert!((20..40).contains(&lines.len()), "{lines:#?}");
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn the_end_says_what_can_be_excluded() {
        let text = end(&step(90, "inconclusive", 1.0));
        assert_eq!(
            text,
            "inconclusive at 90, after 1m 30s: nothing shown in time: errors 0.61% against 0.49% of \
             stable, at most +1.20pp (95%); 820 requests, share 10.00%; can only exclude more than \
             +1.20pp"
        );
        assert_eq!(step_json(&step(90, "inconclusive", 1.0))["excludes"]["more_than"], 0.012);
        assert_eq!(step_json(&step(90, "continue", 1.0))["excludes"], Value::Null);
    }
}
