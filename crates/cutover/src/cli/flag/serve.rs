//! `cutover flag serve`, `unserve`

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_core::id::AppName;
use cutover_core::served_flags::{FLAGS_PORT, FlagCompat};
use cutover_core::units::Span;
use serde_json::json;

use crate::cli::Session;
use crate::failure::{Done, Failure, exit};
use crate::flags::{Fetch, Offer, Offered, Tree, digest, is_url};
use crate::render;

/// Serve an environment's flags to OpenFeature clients (OFREP), from files, URLs, or a repository.
///
/// The sources are watched; a change of a file or a new commit is served within two seconds, and
/// clients that listen are told. Where a new version cannot be used, or a source not be reached, the
/// last good one is served on. The proxy answers, also while no daemon runs and after a restart.
///
/// Example: cutover flag serve --env production flags/
/// Example: cutover flag serve --git . --ref main flags/
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// Files, folders with files that end in .json, .yaml or .yml, or http:// and https:// URLs.
    #[arg(required = true, value_name = "FILE|FOLDER|URL")]
    paths: Vec<PathBuf>,
    /// A repository on this machine: its files are served as they are committed, not as they are
    /// saved. Paths are those in the repository.
    #[arg(long, value_name = "FOLDER")]
    git: Option<PathBuf>,
    /// The branch, tag or commit that is served; HEAD if not given.
    #[arg(long = "ref", requires = "git", value_name = "REF", default_value = "HEAD")]
    reference: String,
    /// How often a URL is looked at, 1s to 1h.
    #[arg(long, value_name = "SPAN", default_value = "10s")]
    every: Span,
    /// How long a URL may take to answer, 100ms to 1m.
    #[arg(long, value_name = "SPAN", default_value = "5s")]
    deadline: Span,
    /// A file with the bearer token that URLs ask for.
    #[arg(long, value_name = "FILE")]
    bearer_file: Option<PathBuf>,
    /// A file with the authorities to trust for https://, in PEM; else those of the machine.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Where clients connect; 127.0.0.1:8016 if not given. Others than this machine need a token.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// A file with tokens that clients may show, one a line.
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// A web page that may ask from a browser, such as <https://shop.example> (repeatable).
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// Leave `variant` out where there is no value, as the protocol has it; Python's provider takes
    /// that for an error.
    #[arg(long)]
    strict: bool,
    /// A file with the people who may change flags, a name and a token on each line. From then on
    /// a second one of them has to approve what one asks for; kills excepted. Stays in force when
    /// flags are served anew, until `flag unserve`.
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
    /// An app whose flags are on here, too, for the same users: their share follows its rollouts.
    #[arg(long, value_name = "APP")]
    follow: Option<AppName>,
}

/// Serve an environment's flags no longer.
///
/// Example: cutover flag unserve --env production
#[derive(Debug, clap::Args)]
pub(super) struct Unserve {}

impl Serve {
    pub(super) async fn run(self, session: &Session) -> Done {
        self.check()?;
        let absolute = |path: &PathBuf| match self.git.is_some() || is_url(path) {
            true => Ok(path.clone()),
            false => std::path::absolute(path),
        };
        let paths: Result<Vec<PathBuf>, _> = self.paths.iter().map(absolute).collect();
        let tree = |folder: &PathBuf| {
            let reference = self.reference.clone();
            std::path::absolute(folder).map(|repository| Tree { repository, reference })
        };
        let own = |file: &Option<PathBuf>| file.as_ref().map(std::path::absolute).transpose();
        let fetch = Fetch {
            every: self.every,
            deadline: self.deadline,
            bearer_file: own(&self.bearer_file)?,
            ca: own(&self.ca)?,
        };
        let offer = Offer {
            listen: self.listen.unwrap_or((Ipv4Addr::LOCALHOST, FLAGS_PORT).into()),
            paths: paths?,
            git: self.git.as_ref().map(tree).transpose()?,
            fetch,
            tokens: self.tokens.as_deref().map_or(Ok(vec![]), digests)?,
            origins: self.origins,
            compat: FlagCompat { empty_variant: !self.strict },
            app: self.follow,
            people: self.people.as_deref().map_or(Ok(BTreeMap::new()), people)?,
        };
        let env = session.common.env.clone().unwrap_or_default();
        let client = session.client().await?;
        let offered: Result<Offered, _> = client.put(&format!("/v1/flags/{env}"), &offer).await;
        let offered = offered.map_err(|error| {
            Failure::from(error).unchanged("what was served before is served on")
        })?;
        if session.common.json {
            session.print_json(&offered)?;
        } else {
            session.print(&line(&offered))?;
            for problem in offered.served.iter().flat_map(|served| &served.problems) {
                session.note(&problem.text);
            }
        }
        Ok(exit::OK)
    }
}

impl Serve {
    /// What makes no sense, before anybody is asked.
    fn check(&self) -> Result<(), Failure> {
        if self.git.is_some() && self.paths.iter().any(|path| is_url(path)) {
            return Err(Failure::usage("a URL is in no repository")
                .help("leave --git out, or give paths in the repository"));
        }
        if self.reference.starts_with('-') {
            return Err(Failure::usage(format!("{} is no ref of git", self.reference)));
        }
        let credentials = |path: &&PathBuf| {
            let text = path.to_str().unwrap_or_default();
            let host = text.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next());
            is_url(path) && host.is_some_and(|host| host.contains('@'))
        };
        if self.paths.iter().any(|path| credentials(&path)) {
            return Err(Failure::usage("a URL with a password in it is stored nowhere")
                .help("put a token into a file, and say --bearer-file FILE"));
        }
        let within = |span: Span, low: Span, high: Span| low.0 <= span.0 && span.0 <= high.0;
        if !within(self.every, Span::secs(1), Span::secs(3600)) {
            return Err(Failure::usage("--every is a span from 1s to 1h"));
        }
        if !within(self.deadline, Span(Duration::from_millis(100)), Span::secs(60)) {
            return Err(Failure::usage("--deadline is a span from 100ms to 1m"));
        }
        Ok(())
    }
}

impl Unserve {
    pub(super) async fn run(self, session: &Session) -> Done {
        let env = session.common.env.clone().unwrap_or_default();
        let client = session.client().await?;
        let was_served: bool = client.delete(&format!("/v1/flags/{env}")).await?;
        if session.common.json {
            session.print_json(&json!({"environment": env, "was_served": was_served}))?;
        } else {
            session.print(&match was_served {
                true => format!("flags of {env} are served no longer"),
                false => format!("no flags of {env} were served: nothing was changed"),
            })?;
        }
        Ok(exit::OK)
    }
}

/// One line for an environment.
pub(super) fn line(offered: &Offered) -> String {
    let environment = &offered.environment;
    let mut line = match &offered.served {
        Some(served) => {
            let guard = if served.guarded { ", with a token" } else { "" };
            format!(
                "{environment}  http://{}  {} flags{guard}, version {}, {} listening, since {}",
                served.listen,
                served.flags,
                served.version.get(..8).unwrap_or_default(),
                served.listeners,
                render::time(served.since),
            )
        }
        None => format!("{environment}  not served yet"),
    };
    for (flag, share) in &offered.follows {
        line += &format!("\n  {flag} follows the app: on for {share}");
    }
    if !offered.adrift.is_empty() {
        let adrift = offered.adrift.join(", ");
        line += &format!("\n  changed by a person, and defined by no source now: {adrift}");
    }
    if let Some(trouble) = &offered.trouble {
        line += &format!("\n  the newest definitions are not served: {trouble}");
    }
    line
}

/// The people in a file, with the digests of their tokens.
fn people(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("the people in {} cannot be read", path.display());
        Failure::new(exit::USAGE, message).because(&error)
    })?;
    let mut people = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let person = line.split_once(char::is_whitespace);
        let sound = person.filter(|(name, _)| name.len() <= 80 && !name.contains(char::is_control));
        let Some((name, token)) = sound else {
            let message = format!("{} has a line without a name and a token", path.display());
            return Err(Failure::usage(message).help("write one person a line: bea TOKEN"));
        };
        let digest = digest(token.trim());
        if people.values().any(|known| *known == digest) || people.contains_key(name) {
            let message = format!("{} has a name or a token twice", path.display());
            return Err(Failure::usage(message).help("each person needs a token of their own"));
        }
        people.insert(name.to_owned(), digest);
    }
    match people.len() {
        0 | 1 => Err(Failure::usage(format!("{} names fewer than two people", path.display()))
            .help("one alone could approve nothing; write one person a line: bea TOKEN")),
        _ => Ok(people),
    }
}

/// The digests of the tokens in a file: tokens themselves are stored nowhere.
fn digests(path: &Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("the tokens in {} cannot be read", path.display());
        Failure::new(exit::USAGE, message).because(&error)
    })?;
    let tokens = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let digests: Vec<String> = tokens.map(digest).collect();
    match digests.is_empty() {
        true => Err(Failure::usage(format!("{} holds no token", path.display()))
            .help("write one token a line: openssl rand -hex 16")),
        false => Ok(digests),
    }
}
