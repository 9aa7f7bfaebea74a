//! What every command has at hand: flags, folders, the daemon, the app it is about.

use std::io::{self, IsTerminal, Write};

use cutover_core::id::{AppName, Environment, Subject};
use cutover_engine::api::AppStatus;
use serde::Serialize;

use super::common::Common;
use super::pattern::nearest;
use super::spec_file::SpecFile;
use crate::client::Client;
use crate::daemon;
use crate::failure::Failure;
use crate::folders::Folders;
use crate::render;

#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) common: Common,
    pub(crate) folders: Folders,
}

impl Session {
    pub(crate) fn new(common: Common) -> Result<Session, Failure> {
        Ok(Session { common, folders: Folders::from_env()? })
    }

    /// The daemon, started if need be.
    pub(crate) async fn client(&self) -> Result<Client, Failure> {
        let found = daemon::find_or_start(&self.folders).await?;
        if found.started && self.common.verbose {
            self.note(&format!(
                "started the daemon; its state is in {}",
                self.folders.state.display()
            ));
        }
        Ok(found.client)
    }

    /// The app named by `--app` or by the spec here; `None` if there is neither.
    pub(super) fn named(&self) -> Result<Option<Subject>, Failure> {
        if let Some(text) = &self.common.app {
            return self.parse_app(text).map(Some);
        }
        match SpecFile::find(&self.common, &[]) {
            Ok(found) => Ok(found.map(|file| file.subject)),
            Err(failure) => Err(failure.help("or name the app: --app APP")),
        }
    }

    fn parse_app(&self, text: &str) -> Result<Subject, Failure> {
        let bad = |error: cutover_core::id::InvalidName| Failure::usage(error.to_string());
        if text.contains('.') {
            return text.parse().map_err(bad);
        }
        let app: AppName = text.parse().map_err(bad)?;
        Ok(Subject { app, env: self.common.env.clone().unwrap_or_default() })
    }

    /// The app a command is about; it need not be known to the daemon.
    pub(super) async fn subject(&self, client: &Client) -> Result<Subject, Failure> {
        if let Some(subject) = self.named()? {
            return Ok(subject);
        }
        let apps: Vec<AppStatus> = client.get("/v1/apps").await?;
        let in_env = |app: &&AppStatus| {
            self.common.env.as_ref().is_none_or(|env: &Environment| app.subject.env == *env)
        };
        let known: Vec<&AppStatus> = apps.iter().filter(in_env).collect();
        match known.as_slice() {
            [only] => Ok(only.subject.clone()),
            [] => Err(Failure::usage("there is no app")
                .help("go to a folder with a cutover.yaml and deploy it: cutover deploy VERSION")),
            many => {
                let names: Vec<String> = many.iter().map(|app| app.subject.to_string()).collect();
                Err(Failure::usage(format!("which app? there are {}", names.join(", ")))
                    .help("name it: --app APP"))
            }
        }
    }

    /// As [`Session::subject`], and the daemon has to know it.
    pub(super) async fn known(&self, client: &Client) -> Result<AppStatus, Failure> {
        let subject = self.subject(client).await?;
        let apps: Vec<AppStatus> = client.get("/v1/apps").await?;
        let names: Vec<String> = apps.iter().map(|app| app.subject.to_string()).collect();
        let found = apps.into_iter().find(|app| app.subject == subject);
        found.ok_or_else(|| {
            let failure = Failure::usage(format!("there is no app {subject}"));
            let text = subject.to_string();
            match nearest(&text, names.iter().map(String::as_str)) {
                Some(name) => failure.help(format!("did you mean {name}?")),
                None if names.is_empty() => failure.help("nothing is deployed yet"),
                None => failure.help(format!("the apps are {}", names.join(", "))),
            }
        })
    }

    /// A line of the result.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", text.trim_end_matches('\n'))?;
        Ok(())
    }

    /// The result as one JSON object.
    pub(crate) fn print_json(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.print(&render::json(value)?)
    }

    /// Asks a person, if one is there; scripts and `--yes` mean what they say.
    pub(super) fn confirm(&self, question: &str) -> Result<(), Failure> {
        if self.common.yes || !io::stdin().is_terminal() {
            return Ok(());
        }
        let declined = |message: &str| Err(Failure::usage(message).unchanged("nothing was done"));
        if self.common.no_input {
            return declined("this needs a yes").map_err(|failure| failure.help("add --yes"));
        }
        write!(io::stderr(), "{question} [y/N] ")?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => declined("not confirmed"),
        }
    }

    /// A line beside the result.
    pub(crate) fn note(&self, text: &str) {
        if !self.common.quiet {
            // There is nobody left to tell if stderr is gone.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}
