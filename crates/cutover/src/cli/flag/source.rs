//! Definitions that a command looks at: files, or what is served.

use std::path::PathBuf;

use cutover_core::id::Environment;
use cutover_core::served_flags::FlagSource;
use cutover_flags::{Definitions, Problem, Source};
use http::Method;

use crate::cli::Session;
use crate::client::Client;
use crate::failure::{Failure, exit};
use crate::flags;

/// Where definitions come from.
#[derive(Debug, clap::Args)]
pub(super) struct From {
    /// Files or folders with definitions; without any, those that are served.
    #[arg(value_name = "FILE|FOLDER")]
    paths: Vec<PathBuf>,
}

/// Definitions that were read.
pub(super) struct Looked {
    pub(super) sources: Vec<Source>,
    pub(super) definitions: Definitions,
    pub(super) problems: Vec<Problem>,
}

impl From {
    /// Are those meant that are served?
    pub(super) fn is_served(&self) -> bool {
        self.paths.is_empty()
    }

    pub(super) async fn look(&self, session: &Session) -> Result<Looked, Failure> {
        let sources = match self.paths.as_slice() {
            [] => served(session).await?,
            paths => flags::read(paths).map_err(|error| {
                let failure = Failure::new(exit::USAGE, error.to_string());
                match std::error::Error::source(&error) {
                    Some(cause) => failure.because(cause),
                    None => failure,
                }
            })?,
        };
        let sources: Vec<Source> = sources.iter().map(flags::source).collect();
        let (definitions, problems) = Definitions::load(&sources);
        Ok(Looked { sources, definitions, problems })
    }
}

/// What the proxy serves, asked without the daemon.
async fn served(session: &Session) -> Result<Vec<FlagSource>, Failure> {
    let env: Environment = session.common.env.clone().unwrap_or_default();
    let client = Client::of_proxy(session.folders.proxy_socket());
    let nothing = || {
        Failure::usage(format!("no flags of {env} are served"))
            .help("name files: cutover flag COMMAND … FILE, or serve some: cutover flag serve FILE")
    };
    if !client.answers().await {
        return Err(nothing());
    }
    let known: serde_json::Value = client.call_any(Method::GET, "/v1/flags").await?;
    if known.get(env.to_string()).is_none() {
        return Err(nothing());
    }
    Ok(client.call_any(Method::GET, &format!("/v1/flags/{env}/sources")).await?)
}
