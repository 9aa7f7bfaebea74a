//! What goes into a first `cutover.yaml`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use cutover_core::guide::{Answer, Given, recommend};
use cutover_core::id::AppName;
use cutover_core::patterns::Pattern;
use cutover_core::units::{Count, Span};

use super::detect::{Found, Probe, Project, VERSIONED};

/// Where users reach an app if nothing says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// A first spec.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    /// Where the file goes.
    folder: PathBuf,
    pub(super) app: String,
    /// The file that most of it comes from.
    pub(super) from: Option<String>,
    pub(super) command: Vec<String>,
    pub(super) directory: String,
    pub(super) env: BTreeMap<String, String>,
    pub(super) pass: Vec<String>,
    /// `None`: a worker.
    pub(super) listen: Option<SocketAddr>,
    pub(super) health: Option<Probe>,
    pub(super) instances: Count,
    pub(super) stop: Option<Span>,
    pub(super) pattern: Pattern,
    /// What is known about the app, for the settings of the pattern.
    pub(super) given: Given,
    notes: Vec<String>,
    /// Notes about the command.
    doubts: Vec<String>,
    /// Shell commands that put version v1 where the spec looks for it.
    pub(super) build: Vec<String>,
}

impl Draft {
    /// What was found, and the usual for the rest.
    pub(super) fn of(found: Option<Found>, folder: &Path) -> Draft {
        let from = found.as_ref().map(|found| found.from.clone());
        let mut found = found.unwrap_or_default();
        if found.command.is_empty() {
            found.command_unknown("nothing here says how the app is started: put your command in");
        }
        let called = folder.file_name().unwrap_or_default().to_string_lossy();
        let named = found.name.as_deref().and_then(label);
        let listen = (!found.worker).then(|| found.listen.unwrap_or(LISTEN));
        let mut draft = Draft {
            folder: folder.to_owned(),
            app: named.or_else(|| label(&called)).unwrap_or_else(|| "app".to_owned()),
            from,
            command: found.command,
            directory: found.directory,
            env: found.env,
            pass: found.pass,
            listen,
            health: found.health.filter(|_| listen.is_some()),
            instances: found.instances.filter(|n| (1..=1000).contains(n)).unwrap_or(2),
            stop: found.stop,
            pattern: Pattern::default(),
            given: Given::default(),
            notes: found.notes,
            doubts: found.doubts,
            build: found.build,
        };
        draft.consult();
        draft
    }

    /// Takes what the guide recommends for what is known.
    pub(super) fn consult(&mut self) {
        let users = if self.listen.is_some() { Answer::Http } else { Answer::Nobody };
        self.given.set(users);
        self.pattern = recommend(&self.given.completed()).pattern;
    }

    /// What a person should look at.
    pub(super) fn notes(&self) -> Vec<String> {
        let open = self.command.iter().any(|word| word.contains("0.0.0.0"));
        let open = open.then_some(
            "instances can be reached from other machines at their own ports: 127.0.0.1 instead of \
             0.0.0.0 is enough, users come through `listen`",
        );
        let open = open.map(str::to_owned);
        self.doubts.iter().chain(&self.notes).cloned().chain(open).collect()
    }

    /// Another command. The folder follows: something has to differ from version to version.
    pub(super) fn run(&mut self, command: Vec<String>) {
        if command == self.command {
            return;
        }
        self.doubts.clear();
        let versioned = command.iter().any(|word| word.contains("{version}"));
        self.directory = if versioned { "." } else { VERSIONED }.to_owned();
        let program = command.first().map_or("", String::as_str);
        if program.contains('/') && !program.starts_with('/') && !program.contains("{version}") {
            self.doubts.push(format!(
                "every version runs the same file {program}: put {{version}} into its path"
            ));
        }
        self.build = if versioned { vec![] } else { vec![Project::new(&self.folder).copy()] };
        self.command = command;
    }

    /// Another address; without one the app is a worker.
    pub(super) fn reach(&mut self, listen: Option<SocketAddr>) {
        self.listen = listen;
        if listen.is_none() {
            self.health = None;
        }
    }

    /// Another health check, with the timing of the one that was found.
    pub(super) fn probe(&mut self, path: Option<String>) {
        self.health = path.map(|path| Probe { path, ..self.health.take().unwrap_or_default() });
    }
}

/// A name as an app may have it; `None` if nothing of it is left.
fn label(name: &str) -> Option<String> {
    // An npm package may have a scope.
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let words: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let short: String = words.join("-").chars().take(40).collect();
    let name: Result<AppName, _> = short.trim_matches('-').parse();
    name.ok().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_becomes_a_label() {
        assert_eq!(label("@acme/My_Shop.js").as_deref(), Some("my-shop-js"));
        assert_eq!(label(&"x-".repeat(40)).unwrap().len(), 39);
        assert_eq!(label("日本"), None);
        assert_eq!(Draft::of(None, Path::new("/")).app, "app");
    }

    #[test]
    fn another_command_takes_the_folder_along() {
        let mut draft = Draft::of(None, Path::new("/x/shop"));
        assert_eq!((&*draft.app, draft.instances), ("shop", 2));
        draft.run(vec!["node".to_owned(), "server.js".to_owned()]);
        assert_eq!(draft.directory, VERSIONED);
        draft.run(vec!["./serve".to_owned()]);
        assert!(draft.notes().iter().any(|note| note.contains("the same file ./serve")));
        draft.run(vec!["./{version}/serve".to_owned()]);
        assert_eq!(draft.directory, ".");
    }
}
