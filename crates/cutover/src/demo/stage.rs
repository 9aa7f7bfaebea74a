//! Where the demo happens: a temporary folder with its own daemon, proxy and app.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_core::diagram;
use cutover_core::id::Subject;
use cutover_core::patterns::Pattern;
use cutover_core::record::Keep;
use cutover_core::spec::{Source, Spec, parse};
use cutover_engine::api::{Accepted, Acted, Action, AppStatus, Conflict, DeployRequest};
use tempfile::TempDir;

use crate::binary;
use crate::cli::Session;
use crate::client::Client;
use crate::daemon;
use crate::failure::Failure;
use crate::folders::Folders;
use crate::hidden;
use crate::leftovers;
use crate::rollout::{Interrupts, Summary, Watch, watch_to_end};

/// How the third version is bad.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bad {
    pub(super) words: &'static str,
    variable: (&'static str, &'static str),
}

/// How long an experiment of the demo runs before it is concluded.
const EXPERIMENT: Duration = Duration::from_secs(4);

const FAILING: Bad =
    Bad { words: "half of its answers are errors", variable: ("CUTOVER_DEMO_FAIL", "0.5") };
const UNHEALTHY: Bad =
    Bad { words: "its health check answers 500", variable: ("CUTOVER_DEMO_HEALTH_STATUS", "500") };

const FLAGGED: Bad = Bad {
    words: "half of its answers are errors where its flag is on",
    variable: ("CUTOVER_DEMO_FLAG_FAIL", "0.5"),
};

pub(super) struct Stage {
    folder: TempDir,
    session: Session,
    program: PathBuf,
    listen: SocketAddr,
    subject: Subject,
    pub(super) pattern: Pattern,
}

impl Stage {
    pub(super) fn build(session: &Session, pattern: Pattern) -> Result<Stage, Failure> {
        let failed = |error: std::io::Error| Failure::internal("cannot prepare the demo", &error);
        let folder = tempfile::Builder::new().prefix("cutover-demo-").tempdir().map_err(failed)?;
        fs::create_dir(folder.path().join("app")).map_err(failed)?;
        let state = folder.path().join("state");
        let mut session = session.clone();
        session.folders = Folders::new(state.clone(), state);
        session.folders.prepare()?;
        let program = binary::own(&session.folders)?;
        // Found free now; the proxy takes it in a moment.
        let free = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let listen = free.local_addr().map_err(failed)?;
        let subject =
            "shop".parse().map_err(|error| Failure::internal("the demo's app", &error))?;
        Ok(Stage { folder, session, program, listen, subject, pattern })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
    pub(super) fn address(&self) -> SocketAddr {
        self.listen
    }
    pub(super) fn say(&self, text: &str) {
        self.session.note(&format!("\n== {text}"));
    }

    /// What a pattern with a verdict finds by measuring, the others by asking for health.
    pub(super) fn bad(&self) -> Bad {
        match self.pattern {
            Pattern::BigBang | Pattern::Rolling => UNHEALTHY,
            Pattern::BlueGreen | Pattern::Canary | Pattern::Shadow | Pattern::AbTesting => FAILING,
            Pattern::FeatureFlag => FLAGGED,
        }
    }

    /// All orders that any instance took.
    pub(super) fn orders(&self) -> String {
        fs::read_to_string(self.orders_file()).unwrap_or_default()
    }
    fn orders_file(&self) -> PathBuf {
        self.folder.path().join("orders")
    }

    fn spec(&self, bad: Option<Bad>) -> Result<Spec, Failure> {
        // Each version brings a flag of its own: a flag that is on for everybody is not raised again.
        let flag = if bad.is_some() { "one-click" } else { "new-checkout" };
        let mut env = format!("CUTOVER_DEMO_FLAG: {flag}");
        if let Some(bad) = bad {
            env.push_str(&format!(", {}: {:?}", bad.variable.0, bad.variable.1));
        }
        let text = format!(
            "app: shop\n\
             instances: 4\n\
             listen: {listen}\n\
             release:\n\
             \x20 command: [{program:?}, {app}, --port, \"{{port}}\", --version, \"{{version}}\", --orders, {orders:?}]\n\
             \x20 env: {{ {env} }}\n\
             health: {{ interval: 500ms, deadline: 4s, settle: 2s }}\n\
             drain: {{ requests: 5s, upgraded: 2s, stop: 3s }}\n\
             pattern: {pattern}\n\
             patterns:\n\
             \x20 blue-green: {{ soak: 3s, keep: 5s }}\n\
             \x20 canary: {{ steps: [25%, 50%], bake: 3s }}\n\
             \x20 shadow: {{ mirror: 25%, for: 4s, then: rolling }}\n\
             \x20 ab-testing: {{ split: 50%, for: 1h }}\n\
             \x20 feature-flag: {{ flag: {flag}, steps: [25%, 50%, 100%], bake: 3s }}\n\
             judge: {{ guard: {{ errors: 5% }}, min-requests: 50, hold-limit: 20s }}\n",
            listen = self.listen,
            program = self.program,
            app = hidden::DEMO_APP,
            orders = self.orders_file(),
            pattern = self.pattern,
        );
        let name = self.folder.path().join("app/cutover.yaml");
        cutover_files::write_atomic(&name, text.as_bytes())?;
        let source = Source { name: name.display().to_string(), text };
        parse(&source, &[]).map_err(Failure::spec)
    }

    async fn client(&self) -> Result<Client, Failure> {
        Ok(daemon::find_or_start(&self.session.folders).await?.client)
    }

    /// Releases a version and follows it to its end; gives the plan's drawing, too.
    pub(super) async fn release(
        &self,
        version: &str,
        bad: Option<Bad>,
    ) -> Result<(String, Summary), Failure> {
        let request = DeployRequest {
            subject: self.subject.clone(),
            version: version
                .parse()
                .map_err(|error| Failure::internal("the demo's version", &error))?,
            spec: self.spec(bad)?,
            base: self.folder.path().join("app"),
            passed: Default::default(),
            conflict: Conflict::Refuse,
            confirm: None,
            message: None,
        };
        let client = self.client().await?;
        let accepted: Accepted = client.post("/v1/deploy", &request).await?;
        let drawing = match &accepted {
            Accepted::Begun { plan, n, from, to, .. } => diagram::draw(plan, *n, from.as_ref(), to),
            Accepted::NothingToDo { .. } => String::new(),
        };
        let watch = Watch::of(self.subject.clone(), accepted);
        let limit = Some(Duration::from_secs(45));
        let followed = watch_to_end(&self.session, watch, limit, Interrupts::watch()?);
        let (followed, ()) = tokio::join!(followed, self.conclude(&client));
        let (summary, _) = followed?;
        Ok((drawing, summary))
    }

    /// Ends an experiment in favour of the new version once it has run for a while, if it still
    /// does.
    async fn conclude(&self, client: &Client) {
        if self.pattern != Pattern::AbTesting {
            return;
        }
        let app = format!("/v1/apps/{}", self.subject);
        let conclude = Action::Conclude { keep: Keep::B };
        let mut reached = None;
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let Ok(status) = client.get::<AppStatus>(&app).await else { return };
            let Some(rollout) = status.rollout.filter(|rollout| rollout.stage.is_some()) else {
                return;
            };
            // The plan says whether the experiment is still open.
            if rollout.plan.winner.is_empty() {
                return;
            }
            let since = reached.get_or_insert_with(tokio::time::Instant::now);
            if !rollout.reached {
                reached = None;
            } else if since.elapsed() >= EXPERIMENT {
                let path = format!("{app}/actions");
                let _: Result<Acted, _> = client.post(&path, &conclude).await;
                return;
            }
        }
    }

    /// The version that is live.
    pub(super) async fn live(&self) -> Result<Option<String>, Failure> {
        let app: AppStatus =
            self.client().await?.get(&format!("/v1/apps/{}", self.subject)).await?;
        Ok(app.live.map(|live| live.to_string()))
    }

    /// Ends everything and removes the folder.
    pub(super) async fn strike(self) -> Result<(), Failure> {
        // What the engine knows is taken down in order; the rest is found by its environment.
        let client = Client::new(self.session.folders.socket());
        if client.answers().await {
            let path = format!("/v1/apps/{}/actions", self.subject);
            let _: Result<Acted, _> = client.post(&path, &Action::Abort { force: true }).await;
            let _: Result<Acted, _> = client.post(&path, &Action::Down).await;
            self.wait_until_down(&client).await;
            // A daemon that cannot be told to stop is among the leftovers.
            let _ = daemon::stop(&self.session.folders).await;
        }
        leftovers::end(&self.session.folders.state).await?;
        self.folder
            .close()
            .map_err(|error| Failure::internal("cannot remove the demo's folder", &error))
    }

    async fn wait_until_down(&self, client: &Client) {
        let limit = tokio::time::Instant::now() + Duration::from_secs(10);
        while tokio::time::Instant::now() < limit {
            match client.get::<Vec<AppStatus>>("/v1/apps").await {
                Ok(apps) if apps.iter().all(|app| app.instances.is_empty()) => return,
                Ok(_) => tokio::time::sleep(Duration::from_millis(25)).await,
                Err(_) => return,
            }
        }
    }
}
