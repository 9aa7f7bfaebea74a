//! The app that is released: the demo app, with settings short enough for a run of seconds.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::World;
use crate::failure::{Failure, cannot};

/// How a version gets to users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pattern {
    BigBang,
    Rolling,
    BlueGreen,
    Canary,
    Shadow,
    AbTesting,
    FeatureFlag,
}

impl Pattern {
    pub(crate) const ALL: [Pattern; 7] = [
        Pattern::BigBang,
        Pattern::Rolling,
        Pattern::BlueGreen,
        Pattern::Canary,
        Pattern::Shadow,
        Pattern::AbTesting,
        Pattern::FeatureFlag,
    ];
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Pattern::BigBang => "big-bang",
            Pattern::Rolling => "rolling",
            Pattern::BlueGreen => "blue-green",
            Pattern::Canary => "canary",
            Pattern::Shadow => "shadow",
            Pattern::AbTesting => "ab-testing",
            Pattern::FeatureFlag => "feature-flag",
        })
    }
}

/// Which version of the app a spec is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// The one that is live when the run begins.
    First,
    /// A good one.
    Good,
    /// One that never becomes healthy.
    Bad,
}

/// One app of a world.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) name: String,
    /// Where its `cutover.yaml` is, and where it is released from.
    pub(crate) folder: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) n: u32,
    /// Where it writes down every order that it takes.
    pub(crate) orders: PathBuf,
}

impl App {
    /// An app with a folder and no spec yet.
    pub(crate) fn new(
        world: &World,
        name: &str,
        listen: SocketAddr,
        n: u32,
    ) -> Result<App, Failure> {
        let folder = world.folder().join(name);
        fs::create_dir(&folder).map_err(cannot("make the app's folder"))?;
        let orders = folder.join("orders");
        Ok(App { name: name.to_owned(), folder, listen, n, orders })
    }

    /// Writes `cutover.yaml` for a version.
    pub(crate) fn write_spec(&self, program: &Path, version: Version) -> Result<(), Failure> {
        let text = self.spec(program, version);
        Ok(cutover_files::write_atomic(&self.folder.join("cutover.yaml"), text.as_bytes())?)
    }

    fn spec(&self, program: &Path, version: Version) -> String {
        // The app ends at once when it is told to, with whatever is inside: nothing may be.
        let mut env =
            format!("CUTOVER_DEMO_ORDERS: {:?}, CUTOVER_DEMO_ABRUPT: \"true\"", self.orders);
        let deadline = match version {
            Version::First | Version::Good => "30s",
            Version::Bad => {
                env.push_str(", CUTOVER_DEMO_HEALTH_STATUS: \"500\"");
                "2s"
            }
        };
        format!(
            "app: {name}\n\
             instances: {n}\n\
             listen: {listen}\n\
             release:\n\
             \x20 command: [{program:?}, demo-app, --port, \"{{port}}\", --version, \"{{version}}\"]\n\
             \x20 env: {{ {env} }}\n\
             health: {{ interval: 200ms, deadline: {deadline}, settle: 500ms }}\n\
             drain: {{ requests: 20s, upgraded: 2s, stop: 2s }}\n\
             patterns:\n\
             \x20 blue-green: {{ soak: 1s, keep: 1s }}\n\
             \x20 canary: {{ steps: [25%, 50%], bake: 1s }}\n\
             \x20 shadow: {{ mirror: 25%, for: 1s, then: rolling }}\n\
             \x20 ab-testing: {{ split: 50%, for: 3s }}\n\
             \x20 feature-flag: {{ flag: new, steps: [25%, 100%], bake: 1s }}\n\
             judge: {{ guard: {{ errors: 5% }}, min-requests: 5, compare: false, hold-limit: 30s }}\n",
            name = self.name,
            n = self.n,
            listen = self.listen,
        )
    }
}
