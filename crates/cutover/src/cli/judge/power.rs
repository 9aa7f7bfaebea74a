//! `cutover judge power`

use std::time::Duration;

use cutover_core::id::ReleaseId;
use cutover_core::patterns::{self, Making, Pattern};
use cutover_core::plan::{Plan, Rest};
use cutover_core::units::Share;
use cutover_engine::judge_settings;
use cutover_judge::Settings;

use super::super::Session;
use super::super::pattern;
use super::super::spec_file::{Setting, SpecFile};
use super::settings::Asked;
use crate::failure::{Done, Failure, exit};
use crate::judge::{Measured, Wait};
use crate::render::{self, Power};

/// The share where neither flag nor spec says one.
const SHARE: u32 = 100;

/// Say what can be found out with this traffic, and how fast.
///
/// For errors that rise by 0.5 to 10 percentage points: after how long the release is turned back;
/// and after how long one that is like the old one is shown not to be worse. For each verdict of the
/// plan, by the spec here, or for --share. Rate and error rate are those of the last ten minutes
/// if not given. Times are those of an average run; half of all runs are a little faster.
///
/// Example: cutover judge power --rate 100 --errors 0.5% --share 10%
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Requests per second of the app, both versions together.
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// The error rate of the old version, like 0.5%.
    #[arg(long, value_name = "SHARE", value_parser = percentage)]
    errors: Option<f64>,
    /// The share of the new version, instead of those of the plan. [default: 10% without a spec]
    #[arg(long, value_name = "SHARE", value_parser = partly)]
    share: Option<Share>,
    /// The pattern of the plan, instead of the spec's.
    #[arg(short, long, value_parser = pattern::parse, value_name = "PATTERN", conflicts_with = "share")]
    pattern: Option<Pattern>,
    /// Any setting of the spec, by its keys: --set patterns.canary.bake=5m (repeatable).
    #[arg(long, value_name = "KEY.PATH=VALUE")]
    set: Vec<Setting>,
    #[command(flatten)]
    asked: Asked,
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && *rate <= 1e7);
    number.ok_or_else(|| "write a number of requests per second, like 100 or 0.5".to_owned())
}

fn percentage(text: &str) -> Result<f64, String> {
    let share = pattern::percent(text, 90.0).map(|percent| percent / 100.0);
    share.ok_or_else(|| "write a percentage from 0% to 90%, like 0.5%".to_owned())
}

fn partly(text: &str) -> Result<Share, String> {
    let share: Share = text.parse().map_err(|error| format!("{error}"))?;
    let partly = share > Share::ZERO && share < Share::FULL;
    partly.then_some(share).ok_or_else(|| "write a share between 0% and 100%".to_owned())
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        let plan = self.plan(session)?;
        let of_plan = plan.as_ref().map(Wait::all).unwrap_or_default();
        let against = plan.as_ref().and_then(|plan| Some((plan, plan.against.as_ref()?)));
        let settings =
            against.map_or_else(Settings::default, |(plan, against)| judge_settings(plan, against));
        let settings = self.asked.over(settings);
        let waits = if self.share.is_some() || of_plan.is_empty() {
            if let Some(plan) = plan.filter(|_| self.share.is_none()) {
                session.note(&format!("{} waits for no verdict", plan.pattern));
            }
            let share = self.share.unwrap_or(Share::from_permille(SHARE));
            vec![Wait::for_share(share, Duration::from_secs(settings.horizon))]
        } else {
            of_plan
        };
        let (rate, errors) = match (self.rate, self.errors) {
            (Some(rate), Some(errors)) => (rate, errors),
            (rate, errors) => {
                let seen = measured(session).await?;
                (rate.unwrap_or(seen.rate), errors.unwrap_or(seen.errors))
            }
        };
        let power = Power::of(rate, errors, &settings, &waits);
        if session.common.json {
            session.print_json(&power)?;
        } else {
            session.print(&render::power(&power))?;
        }
        Ok(exit::OK)
    }

    /// What `deploy` of another version would do, by the spec here; `None` where there is none.
    fn plan(&self, session: &Session) -> Result<Option<Plan>, Failure> {
        if self.share.is_some() {
            return Ok(None);
        }
        let file = match self.pattern {
            Some(_) => Some(SpecFile::require(&session.common, &self.set)?),
            None => SpecFile::find(&session.common, &self.set)?,
        };
        Ok(file.map(|SpecFile { spec, .. }| {
            let (n, before) = (spec.instances, Some(Rest::of(ReleaseId(1))));
            let pattern = self.pattern.unwrap_or(spec.pattern);
            patterns::plan(pattern, Making { spec: &spec, n, before, candidate: ReleaseId(2) })
        }))
    }
}

async fn measured(session: &Session) -> Result<Measured, Failure> {
    let by_hand = "or say it: --rate 100 --errors 0.5%";
    let looked = async {
        let client = session.client().await?;
        let app = session.known(&client).await?;
        let live = app.live.as_ref().map(|live| live.id);
        let seen = Measured::of(&client, &app.subject, live).await?;
        Ok((app.subject, seen))
    };
    let (subject, seen) = looked.await.map_err(|failure: Failure| failure.help(by_hand))?;
    if seen.rate > 0.0 {
        return Ok(seen);
    }
    let message = format!("{subject} got no request in the last 10 minutes");
    Err(Failure::usage(message).help("say what it gets: --rate 100 --errors 0.5%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_shares_are_read_as_people_write_them() {
        assert_eq!((rate("0.5"), percentage("0.05%")), (Ok(0.5), Ok(0.0005)));
        for bad in ["0", "-1", "NaN", "inf", "many"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
        for bad in ["0.5", "-1%", "91%", "NaN%", "%"] {
            assert!(percentage(bad).is_err(), "{bad}");
        }
        assert!(partly("10%").is_ok() && partly("0%").is_err() && partly("100%").is_err());
    }
}
