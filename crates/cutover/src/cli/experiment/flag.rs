//! `cutover experiment report --flag`: what users of a flag's variants did.

use std::collections::BTreeMap;

use cutover_core::units::Span;
use cutover_engine::tracks::{ExperimentReport, Question};

use crate::cli::Session;
use crate::cli::since::Since;
use crate::failure::{Done, Failure, exit};
use crate::render;

/// Which flag, and how it is looked at.
#[derive(Debug, clap::Args)]
pub(super) struct OfFlag {
    /// Compare the variants of this flag by what clients told: exposures and outcomes.
    #[arg(long, value_name = "KEY")]
    pub(super) flag: Option<String>,
    /// The outcome to compare by, such as `paid`.
    #[arg(long, requires = "flag", value_name = "NAME")]
    outcome: Option<String>,
    /// Look at the values of this attribute of exposures apart, too.
    #[arg(long, requires = "flag", value_name = "ATTRIBUTE")]
    by: Option<String>,
    /// The attribute of exposures that says what a user did before; it makes intervals of amounts
    /// narrower (CUPED).
    #[arg(long, requires = "outcome", value_name = "ATTRIBUTE")]
    before: Option<String>,
    /// Amounts of a user count for so long after the first exposure.
    #[arg(long, requires = "outcome", value_name = "SPAN", default_value = "7d")]
    within: Span,
    /// The share of users that each variant was to get, such as `on=10,off=90`, if the flag's
    /// definition does not say it.
    #[arg(long, requires = "flag", value_name = "VARIANT=SHARE,...")]
    shares: Option<String>,
    /// The variant that others are compared with; the flag's default variant if not given.
    #[arg(long, requires = "flag", value_name = "VARIANT")]
    control: Option<String>,
    /// Only users first exposed since then: a span such as 3d, or a time.
    #[arg(long, requires = "flag", value_name = "WHEN")]
    since: Option<Since>,
    /// How probable it may be, at all looks together, that a difference is told that is none.
    #[arg(long, requires = "outcome", value_name = "P", default_value_t = 0.05)]
    alpha: f64,
}

impl OfFlag {
    pub(super) async fn report(self, flag: String, session: &Session) -> Done {
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return Err(Failure::usage("--alpha is a number between 0 and 1, such as 0.05"));
        }
        let question = Question {
            flag,
            outcome: self.outcome,
            by: self.by,
            before: self.before,
            within: self.within,
            shares: self.shares.as_deref().map(shares).transpose()?,
            control: self.control,
            since: self.since.map(|since| since.before(render::now())),
            alpha: self.alpha,
        };
        let env = session.common.env.clone().unwrap_or_default();
        let client = session.client().await?;
        let path = format!("/v1/flags/{env}/experiment");
        let report: ExperimentReport = client.post(&path, &question).await?;
        if session.common.json {
            session.print_json(&report)?;
        } else {
            session.print(&render::experiment(&report))?;
        }
        Ok(exit::OK)
    }
}

fn shares(text: &str) -> Result<BTreeMap<String, f64>, Failure> {
    let bad = || {
        Failure::usage(format!("--shares {text:?} is no list of shares"))
            .help("write a number for each of two or more variants: --shares on=10,off=90")
    };
    let pair = |part: &str| {
        let (name, share) = part.split_once('=')?;
        let share: f64 = share.trim_end_matches('%').parse().ok()?;
        (share.is_finite() && share >= 0.0).then(|| (name.trim().to_owned(), share))
    };
    let shares: Option<BTreeMap<_, _>> = text.split(',').map(pair).collect();
    let usable =
        |shares: &BTreeMap<String, f64>| shares.len() >= 2 && shares.values().sum::<f64>() > 0.0;
    shares.filter(usable).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_numbers_of_two_or_more_variants() {
        let expected = [("on".to_owned(), 10.0), ("off".to_owned(), 90.0)].into();
        assert_eq!(shares("on=10,off=90").unwrap(), expected);
        assert_eq!(shares("on=10%, off=90%").unwrap(), expected);
        for bad in ["", "on", "on=10", "on=x,off=1", "on=-1,off=2", "on=0,off=0", "on=inf,off=1"] {
            assert!(shares(bad).is_err(), "{bad}");
        }
    }
}
