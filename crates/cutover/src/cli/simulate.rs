//! `cutover simulate`

use std::path::PathBuf;
use std::time::Duration;

use cutover_core::patterns::Pattern;
use cutover_core::units::Span;
use cutover_sim::simulate::runs;
use cutover_sim::suppose::Suppose;

use super::Session;
use super::pattern;
use super::spec_file::{Setting, SpecFile};
use crate::failure::{Done, Failure, exit};
use crate::render::{self, Simulation};

/// Try a deployment by the spec here in a simulated world; nothing is deployed.
///
/// The engine is the real one, with its judge, in virtual time: instances, users and the proxy are
/// simulated. Says how often it would succeed, how long it would take, how many requests a bad
/// version would get, and draws one run. The old version is live and well at the beginning, hooks
/// succeed, and every approval is given at once.
///
/// Example: cutover simulate --pattern canary --ready 30s-90s --fail 5% --worse 2%
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pattern, instead of the spec's.
    #[arg(short, long, value_parser = pattern::parse, value_name = "PATTERN")]
    pattern: Option<Pattern>,
    /// How long an instance takes to be ready, or between what.
    #[arg(long, value_name = "SPAN[-SPAN]", default_value = "1s-5s", value_parser = between)]
    ready: (Duration, Duration),
    /// How many starts fail: the instance exits instead of getting ready.
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = share)]
    fail: u32,
    /// How many more answers of the new version are errors, in percentage points.
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = share)]
    worse: u32,
    /// How much slower the new version answers.
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = more)]
    slower: u32,
    /// Requests per second of the app, both versions together.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    rate: u32,
    /// The error rate of the old version.
    #[arg(long, value_name = "SHARE", default_value = "0.1%", value_parser = share)]
    errors: u32,
    /// How long the old version takes to answer.
    #[arg(long, value_name = "SPAN", default_value = "50ms")]
    latency: Span,
    /// How often it is tried. [default: 100; 5 where the plan lasts for more than six hours]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: Option<u32>,
    /// Chance begins here: the same seed gives the same runs.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..1 << 40))]
    seed: u64,
    /// Draw the run into a file, too.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Any setting of the spec, by its keys: --set patterns.canary.bake=5m (repeatable).
    #[arg(long, value_name = "KEY.PATH=VALUE")]
    set: Vec<Setting>,
}

/// `30s-90s` or `30s`.
fn between(text: &str) -> Result<(Duration, Duration), String> {
    let span = |text: &str| text.trim().parse::<Span>().map(|span| span.0);
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let told = |error| format!("write a span like 5s, or two like 30s-90s: {error}");
    let (least, most) = (span(least).map_err(told)?, span(most).map_err(told)?);
    match least <= most && most <= Duration::from_secs(86_400) {
        true => Ok((least, most)),
        false => Err("write the shorter one first, and no more than a day".to_owned()),
    }
}

/// Parts in a million, of a percentage.
fn share(text: &str) -> Result<u32, String> {
    millionths(text, 100.0).ok_or_else(|| "write a percentage from 0% to 100%".to_owned())
}

/// Hundredths of the old, of how much is added to it.
fn more(text: &str) -> Result<u32, String> {
    let more = millionths(text, 10_000.0);
    let more = more.ok_or_else(|| "write a percentage from 0% to 10000%".to_owned())?;
    Ok(100 + more / 10_000)
}

fn millionths(text: &str, most: f64) -> Option<u32> {
    let percent = pattern::percent(text, most)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 10⁸"
    )]
    let millionths = (percent * 10_000.0).round() as u32;
    Some(millionths)
}

impl Args {
    pub(super) fn run(self, session: &Session) -> Done {
        let SpecFile { mut spec, .. } = SpecFile::require(&session.common, &self.set)?;
        spec.pattern = self.pattern.unwrap_or(spec.pattern);
        let suppose = Suppose {
            ready: self.ready,
            start_fails: self.fail / 1000,
            hook_fails: 0,
            rate: self.rate,
            errors: self.errors,
            worse: self.worse,
            latency: self.latency.0,
            slower: self.slower,
            approved: true,
            ..Suppose::default()
        };
        let long = render::planned_time(&spec) > Duration::from_secs(6 * 3600);
        let count = self.runs.unwrap_or(if long { 5 } else { 100 });
        let all = runs(&spec, suppose, self.seed, count)
            .map_err(|error| Failure::internal("the simulation cannot be run", &error))?;
        let simulation = Simulation::of(&spec, suppose, all).ok_or_else(|| {
            Failure::usage("no run of the simulation began a rollout".to_owned())
                .help("see the spec's problems: cutover validate")
        })?;
        if let Some(path) = &self.svg {
            cutover_files::write_atomic(path, render::simulation_svg(&simulation).as_bytes())
                .map_err(|error| {
                    Failure::usage(format!(
                        "{} cannot be written: {}",
                        path.display(),
                        error.source
                    ))
                    .help("name a file in a folder that is there: --svg FILE")
                })?;
        }
        if session.common.json {
            session.print_json(&simulation)?;
        } else {
            session.print(&render::simulation(&simulation))?;
        }
        Ok(exit::OK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_shares_are_read_as_people_write_them() {
        let seconds = Duration::from_secs;
        assert_eq!(between("30s-90s"), Ok((seconds(30), seconds(90))));
        assert_eq!(between("5s"), Ok((seconds(5), seconds(5))));
        for bad in ["90s-30s", "x", "1s-", "", "2d-3d"] {
            assert!(between(bad).is_err(), "{bad}");
        }
        assert_eq!(
            (share("2%"), share("0.1%"), share("100%")),
            (Ok(20_000), Ok(1000), Ok(1_000_000))
        );
        for bad in ["2", "-1%", "101%", "NaN%", "%"] {
            assert!(share(bad).is_err(), "{bad}");
        }
        assert_eq!((more("20%"), more("0%")), (Ok(120), Ok(100)));
    }
}
