//! What a plan's verdicts can find out, below the plan.

use std::time::Duration;

use cutover_engine::api::PlanAnswer;
use serde_json::{Value, json};

use super::time::rough;
use crate::failure::Failure;
use crate::judge::{Foreseen, Measured, Outlook, Wait};

/// A line for each verdict, then what is doubtful.
pub(crate) fn outlook(seen: &Foreseen) -> Vec<String> {
    let measured = match &seen.measured {
        Err(why) => {
            return vec![format!("what its verdicts can find out is unknown: {why}")];
        }
        Ok(measured) if measured.rate <= 0.0 => return vec![without_traffic(&seen.gates)],
        Ok(measured) => measured,
    };
    let mut lines: Vec<String> =
        seen.gates.iter().map(|(wait, outlook)| line(measured, wait, outlook)).collect();
    let doubts = seen.gates.iter().filter_map(|(wait, outlook)| doubt(wait, outlook));
    lines.extend(doubts.map(|doubt| format!("warning: {doubt}")));
    lines.extend(
        seen.broken.iter().map(|what| {
            format!("warning: {what}: any release would be turned back; see judge.guard")
        }),
    );
    lines
}

fn stage(wait: &Wait) -> String {
    wait.stage.map_or_else(String::new, |index| format!("stage {}", index + 1))
}

fn line(measured: &Measured, wait: &Wait, outlook: &Outlook) -> String {
    let head = format!(
        "{}: at {} with {} errors: ",
        stage(wait),
        requests(measured.rate),
        percent(measured.errors)
    );
    let bake = rough(wait.bake);
    let bad = match outlook.finds {
        _ if !wait.compared => "only the bounds judge".to_owned(),
        Some(rise) => format!("a rise of {} turns it back within {bake}", points(rise)),
        None => format!("no rise turns it back within {bake}"),
    };
    let good = match outlook.passes {
        Some(passes) => format!("a good release passes after about {}", about(passes)),
        None => format!("a good release does not pass within {}", rough(wait.limit)),
    };
    format!("{head}{bad}; {good}")
}

/// Why a verdict there can only be inconclusive.
fn doubt(wait: &Wait, outlook: &Outlook) -> Option<String> {
    if outlook.passes.is_some() {
        return None;
    }
    let (stage, limit) = (stage(wait), rough(wait.limit));
    let why = match outlook.shown {
        _ if wait.share.is_none() => "how many requests are marked is not known".to_owned(),
        Some(shown) => format!("it would take about {}", about(shown)),
        None => "there are too few requests".to_owned(),
    };
    Some(format!(
        "{stage} can only be inconclusive: {why}, and after {limit} a person is asked; a larger \
         share, a longer bake or a larger judge.not-worse-by help"
    ))
}

fn without_traffic(gates: &[(Wait, Outlook)]) -> String {
    let stages: Vec<String> = gates
        .iter()
        .filter_map(|(wait, _)| wait.stage)
        .map(|index| (index + 1).to_string())
        .collect();
    let word = if stages.len() == 1 { "stage" } else { "stages" };
    format!(
        "warning: no requests in the last 10 minutes: without any, {word} {} can only be \
         inconclusive, and a person is asked",
        stages.join(", ")
    )
}

/// `120 requests/s`
pub(super) fn requests(rate: f64) -> String {
    match rate {
        rate if rate >= 9.95 => format!("{rate:.0} requests/s"),
        rate if rate >= 0.095 => format!("{rate:.1} requests/s"),
        rate => format!("{rate:.3} requests/s"),
    }
}

/// `0.40%`
pub(super) fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

/// `+1.3pp`
pub(super) fn points(share: f64) -> String {
    let points = share * 100.0;
    if points < 1.0 { format!("+{points:.2}pp") } else { format!("+{points:.1}pp") }
}

/// Rounded up to what an estimate is worth.
pub(crate) fn about(span: Duration) -> String {
    let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    let step = match seconds {
        0..=20 => 1,
        21..=180 => 5,
        181..=3600 => 60,
        _ => 600,
    };
    rough(Duration::from_secs(seconds.div_ceil(step) * step))
}

/// The plan, and what its verdicts can find out.
pub(crate) fn plan_json(answer: &PlanAnswer, seen: Option<&Foreseen>) -> Result<Value, Failure> {
    let failed = |error: serde_json::Error| Failure::internal("cannot write JSON", &error);
    let mut whole = serde_json::to_value(answer).map_err(failed)?;
    if let (Some(seen), Some(fields)) = (seen, whole.as_object_mut()) {
        fields.insert("outlook".to_owned(), object(seen));
    }
    Ok(whole)
}

fn object(seen: &Foreseen) -> Value {
    let known = seen.measured.as_ref().is_ok_and(|measured| measured.rate > 0.0);
    let gate = |(wait, outlook): &(Wait, Outlook)| {
        let seconds = |span: Option<Duration>| span.map(|span| span.as_secs_f64());
        json!({
            "stage": wait.stage,
            "share": wait.share,
            "compared": wait.compared,
            "bake_seconds": wait.bake.as_secs_f64(),
            "limit_seconds": wait.limit.as_secs_f64(),
            "smallest_rise": outlook.finds,
            "passes_after_seconds": seconds(outlook.passes),
            "shown_after_seconds": seconds(outlook.shown),
            "warning": if known { doubt(wait, outlook) } else { None },
        })
    };
    let traffic = seen.measured.as_ref();
    let empty = match traffic {
        Ok(_) if !known => Some(without_traffic(&seen.gates)),
        Ok(_) | Err(_) => None,
    };
    json!({
        "traffic": traffic.ok(),
        "unknown": traffic.err(),
        "warning": empty.or_else(|| seen.broken.clone()),
        "gates": seen.gates.iter().map(gate).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use cutover_core::units::Share;

    use super::*;

    fn seen(rate: f64, outlook: Outlook) -> Foreseen {
        let measured = Measured { rate, errors: 0.004, p99: None, seconds: 600 };
        let mut wait = Wait::for_share(Share::from_permille(50), Duration::from_secs(600));
        (wait.stage, wait.bake) = (Some(0), Duration::from_secs(120));
        Foreseen { measured: Ok(measured), gates: vec![(wait, outlook)], broken: None }
    }

    #[test]
    fn a_verdict_that_can_be_had_is_one_line() {
        let passes = Some(Duration::from_secs_f64(121.2));
        let outlook_ = Outlook { finds: Some(0.0134), passes, shown: passes };
        let expected = "stage 1: at 120 requests/s with 0.40% errors: a rise of +1.3pp turns it \
                        back within 2m; a good release passes after about 2m 5s";
        assert_eq!(outlook(&seen(120.0, outlook_)), [expected]);
    }

    #[test]
    fn what_can_only_be_inconclusive_is_warned_about() {
        let shown = Some(Duration::from_secs(7000));
        let mut thin = seen(0.7, Outlook { finds: None, passes: None, shown });
        let lines = outlook(&thin);
        assert!(
            lines[0].ends_with(
                "no rise turns it back within 2m; a good release does not pass within 10m"
            )
        );
        let begin =
            "warning: stage 1 can only be inconclusive: it would take about 2h, and after 10m";
        assert!(lines[1].starts_with(begin), "{}", lines[1]);
        thin.broken = Some("errors are 2.00% now, the bound is 1%".to_owned());
        assert!(outlook(&thin)[2].contains("any release would be turned back"));
        let none = Outlook { finds: None, passes: None, shown: None };
        let lines = outlook(&seen(0.0, none));
        assert!(lines[0].starts_with("warning: no requests in the last 10 minutes"), "{lines:?}");
        assert!(lines[0].contains("stage 1 can only be inconclusive") && lines.len() == 1);
        thin.measured = Err("shop: nobody counts".to_owned());
        assert_eq!(
            outlook(&thin),
            ["what its verdicts can find out is unknown: shop: nobody counts"]
        );
    }
}
