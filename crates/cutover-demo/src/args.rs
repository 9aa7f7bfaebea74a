//! What the program is told, by argument or by environment.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::FalseyValueParser;
use humantime::parse_duration;

/// A small web program to release: shows its version, and is slow, failing, late or deaf to
/// SIGTERM when told so.
#[derive(Debug, Parser)]
#[command(name = "cutover-demo")]
pub(crate) struct Args {
    /// Port on 127.0.0.1; 0 takes any free one and says which
    #[arg(long, env = "PORT", default_value_t = 0)]
    pub(crate) port: u16,

    /// The version to show
    #[arg(long, env = "CUTOVER_DEMO_VERSION", default_value = "v0", value_parser = version)]
    pub(crate) version: String,

    /// The name of this instance; its address by default
    #[arg(long, env = "CUTOVER_DEMO_INSTANCE")]
    pub(crate) instance: Option<String>,

    /// Append the id and version of every order to this file
    #[arg(long, env = "CUTOVER_DEMO_ORDERS", value_name = "FILE")]
    pub(crate) orders: Option<PathBuf>,

    /// Listen only after this time
    #[arg(long, env = "CUTOVER_DEMO_START_AFTER", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) start_after: Option<Duration>,

    /// Answer /health with 503 for this time after listening
    #[arg(long, env = "CUTOVER_DEMO_READY_AFTER", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) ready_after: Option<Duration>,

    /// Share of requests, /health aside, answered with 500
    #[arg(long, env = "CUTOVER_DEMO_FAIL", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub(crate) fail: f64,

    /// The feature flag that the program knows: answers say in x-flag whether it is on
    #[arg(long, env = "CUTOVER_DEMO_FLAG", value_name = "KEY")]
    pub(crate) flag: Option<String>,

    /// Share of requests with the flag on, /health aside, answered with 500
    #[arg(long, env = "CUTOVER_DEMO_FLAG_FAIL", value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub(crate) flag_fail: f64,

    /// Time added to every answer, /health aside
    #[arg(long, env = "CUTOVER_DEMO_LATENCY", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) latency: Option<Duration>,

    /// Answer /health with this status
    #[arg(long, env = "CUTOVER_DEMO_HEALTH_STATUS", value_name = "STATUS", value_parser = clap::value_parser!(u16).range(200..=599))]
    pub(crate) health_status: Option<u16>,

    /// Answer /health with a redirect to this address
    #[arg(long, env = "CUTOVER_DEMO_HEALTH_REDIRECT", value_name = "URL")]
    pub(crate) health_redirect: Option<String>,

    /// Answer /health with 500 from this time after listening on
    #[arg(long, env = "CUTOVER_DEMO_HEALTH_FAILS_AFTER", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) health_fails_after: Option<Duration>,

    /// Exit this time after the start of the process, 0s before listening
    #[arg(long, env = "CUTOVER_DEMO_EXIT_AFTER", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) exit_after: Option<Duration>,

    /// The code to exit with after that time
    #[arg(long, env = "CUTOVER_DEMO_EXIT_CODE", value_name = "CODE", default_value_t = 1)]
    pub(crate) exit_code: u8,

    /// Take no notice of SIGTERM
    #[arg(long, env = "CUTOVER_DEMO_IGNORE_TERM", value_parser = FalseyValueParser::new())]
    pub(crate) ignore_term: bool,

    /// End at once on SIGTERM, with requests inside
    #[arg(long, env = "CUTOVER_DEMO_ABRUPT", value_parser = FalseyValueParser::new())]
    pub(crate) abrupt: bool,

    /// Start a child in its own session that takes no notice of SIGTERM
    #[arg(long, env = "CUTOVER_DEMO_FORK", value_parser = FalseyValueParser::new())]
    pub(crate) fork: bool,

    /// Be that child
    #[arg(long, hide = true)]
    pub(crate) sleeper: bool,
}

/// Only what is safe in a header, in HTML and in a line of words.
fn version(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("letters, digits, '.', '_' and '-' only".to_owned())
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a number from 0 to 1".to_owned()),
    }
}
