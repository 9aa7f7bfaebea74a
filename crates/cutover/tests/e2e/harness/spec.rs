//! Specs for the demo app, short enough for tests.

use std::path::PathBuf;

use super::{PROGRAM, write};

/// A spec in the making. What a bad version does is told by its environment:
/// `world.spec().env("CUTOVER_DEMO_FAIL", "0.5").write()`.
pub(crate) struct SpecText {
    folder: PathBuf,
    port: u16,
    n: u32,
    pattern: String,
    env: Vec<(String, String)>,
    health: String,
    more: String,
}

impl SpecText {
    pub(crate) fn demo(folder: PathBuf, port: u16) -> SpecText {
        SpecText {
            folder,
            port,
            n: 2,
            pattern: "rolling".into(),
            env: Vec::new(),
            health: "{ interval: 200ms, deadline: 3s, settle: 500ms }".into(),
            more: String::new(),
        }
    }
    pub(crate) fn n(mut self, n: u32) -> SpecText {
        self.n = n;
        self
    }
    pub(crate) fn pattern(mut self, pattern: &str) -> SpecText {
        self.pattern = pattern.into();
        self
    }
    /// A variable of the app.
    pub(crate) fn env(mut self, name: &str, value: &str) -> SpecText {
        self.env.push((name.into(), value.into()));
        self
    }
    /// The `health:` value.
    pub(crate) fn health(mut self, yaml: &str) -> SpecText {
        self.health = yaml.into();
        self
    }
    /// More lines at the top level.
    pub(crate) fn more(mut self, yaml: &str) -> SpecText {
        self.more.push_str(yaml);
        self.more.push('\n');
        self
    }

    pub(crate) fn text(&self) -> String {
        // The program holds the demo app.
        let program = PROGRAM;
        let env: Vec<String> =
            self.env.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        format!(
            "app: shop\ninstances: {n}\nlisten: 127.0.0.1:{port}\nrelease:\n  command: [{program:?}, demo-app, \
             \"--port\", \"{{port}}\", \"--version\", \"{{version}}\"]\n  env: {{ {env} }}\n\
             health: {health}\ndrain: {{ requests: 5s, upgraded: 2s, stop: 2s }}\npattern: {pattern}\n{more}",
            n = self.n,
            port = self.port,
            env = env.join(", "),
            health = self.health,
            pattern = self.pattern,
            more = self.more,
        )
    }

    /// Writes it as `cutover.yaml`.
    pub(crate) fn write(self) {
        write(&self.folder.join("cutover.yaml"), &self.text());
    }
}
