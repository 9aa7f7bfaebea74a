//! The ground the tests stand on: a state folder, a platform, and eyes to look with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cutover_core::id::{InstanceId, ReleaseId, Subject};
use cutover_core::observed::State;
use cutover_core::release::Release;
use cutover_core::units::At;
use cutover_engine::ports::{Platform, Seen};
use cutover_platform::LocalPlatform;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

pub(crate) const APP: &str = env!("CARGO_BIN_EXE_cutover-platform-testapp");
pub(crate) const KEEPER: &str = env!("CARGO_BIN_EXE_cutover-platform-keeper");
/// Longer than anything here takes, on a slow machine too.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Ground {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) subject: Subject,
    pub(crate) platform: LocalPlatform,
}

impl Ground {
    pub(crate) fn new() -> Ground {
        Ground::with_keeper(KEEPER)
    }
    /// With this program as keeper.
    pub(crate) fn with_keeper(program: impl AsRef<Path>) -> Ground {
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(folder.path(), program.as_ref());
        Ground { folder, subject: "shop".parse().unwrap(), platform }
    }
    /// As if the daemon was started again.
    pub(crate) async fn restart(mut self) -> Ground {
        let fresh = platform(self.folder.path(), KEEPER.as_ref());
        std::mem::replace(&mut self.platform, fresh).stop_watching().await;
        self
    }
    pub(crate) fn instance(&self, id: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("instances/shop").join(id)
    }
    pub(crate) fn kept(&self, id: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.instance(id).join("keeper.json")).unwrap())
            .unwrap()
    }
    pub(crate) fn child(&self, id: &str) -> i32 {
        i32::try_from(self.kept(id)["child"].as_i64().unwrap()).unwrap()
    }
    pub(crate) fn keeper(&self, id: &str) -> i32 {
        i32::try_from(self.kept(id)["keeper"].as_i64().unwrap()).unwrap()
    }
    /// Does a keeper hold the lock? The last thread of a dying one may hold it a moment longer.
    pub(crate) fn is_kept(&self, id: &str) -> bool {
        cutover_files::Lock::is_held(&self.instance(id).join("lock")).unwrap()
    }
    pub(crate) async fn want(&self, wanted: &[(&str, &Arc<Release>)]) {
        let wanted: BTreeMap<InstanceId, Arc<Release>> =
            wanted.iter().map(|(id, release)| (id.parse().unwrap(), Arc::clone(release))).collect();
        self.platform.converge(&self.subject, &wanted, now()).await.unwrap();
    }
    pub(crate) async fn look(&self) -> BTreeMap<InstanceId, Seen> {
        self.platform.observe(&self.subject, now()).await.unwrap()
    }
    pub(crate) async fn see(&self, id: &str) -> Option<Seen> {
        self.look().await.remove(&id.parse().unwrap())
    }
    /// Waits, woken only by `changed`, until an instance looks as it should.
    pub(crate) async fn until(&self, id: &str, good: impl Fn(&Seen) -> bool) -> Seen {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let seen = self.see(id).await;
            if let Some(seen) = seen.as_ref().filter(|seen| good(seen)) {
                return seen.clone();
            }
            let woken = tokio::time::timeout_at(deadline, self.platform.changed(&self.subject));
            assert!(woken.await.is_ok(), "{id} stays at {seen:?}");
        }
    }
    pub(crate) async fn until_state(&self, id: &str, state: State) -> Seen {
        self.until(id, |seen| seen.state == state).await
    }
    /// Waits until it was started again; it may be ready before we look.
    pub(crate) async fn until_started(&self, id: &str) -> Seen {
        self.until(id, |seen| matches!(seen.state, State::Starting | State::Ready)).await
    }
    /// Waits until a detail is there; details are no news by themselves, so this one looks often.
    pub(crate) async fn until_detail(&self, id: &str, part: &str) -> Seen {
        let begun = Instant::now();
        loop {
            let seen = self.see(id).await;
            let detail = seen.as_ref().and_then(|seen| seen.detail.clone()).unwrap_or_default();
            if detail.contains(part) {
                return seen.unwrap();
            }
            assert!(begun.elapsed() < PATIENCE, "no {part:?} in {seen:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    pub(crate) async fn until_gone(&self, id: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while let Some(seen) = self.see(id).await {
            let woken = tokio::time::timeout_at(deadline, self.platform.changed(&self.subject));
            assert!(woken.await.is_ok(), "{id} stays at {seen:?}");
        }
    }
    pub(crate) async fn lines(&self, id: &str) -> Vec<String> {
        self.platform.logs(&self.subject, id.parse().unwrap(), 1000).await.unwrap()
    }
    /// A release of the test app in this mode.
    pub(crate) fn release(&self, arguments: &[&str]) -> Arc<Release> {
        self.release_with(arguments, json!({}))
    }
    /// The same, with more in its spec.
    pub(crate) fn release_with(&self, arguments: &[&str], more: Value) -> Arc<Release> {
        let command: Vec<&str> = [APP].iter().chain(arguments).copied().collect();
        let mut spec = json!({
            "app": "shop",
            "listen": "127.0.0.1:1",
            "release": { "command": command },
            "health": { "interval": "100ms", "timeout": "1s", "unhealthy-after": 2 },
            "drain": { "stop": "300ms" },
        });
        merge(&mut spec, more);
        let release = json!({
            "id": ReleaseId(1), "version": "v1", "ordinal": 1, "digest": "", "spec": spec,
            "base": self.folder.path(), "passed": {"PASSED": "on"}, "secrets": {}, "made": 0,
        });
        Arc::new(serde_json::from_value(release).unwrap())
    }
    /// Every process that belongs to this ground, keepers included.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let mark = self.folder.path().canonicalize().unwrap();
        processes_with(mark.to_str().unwrap())
    }
}

impl Drop for Ground {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        for _ in 0..3 {
            for pid in self.processes() {
                signal(pid, Signal::KILL);
            }
        }
    }
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

fn platform(state: &Path, keeper: &Path) -> LocalPlatform {
    LocalPlatform::new(state.to_owned(), keeper.to_owned()).unwrap()
}

pub(crate) fn now() -> At {
    At(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap())
}

fn processes_with(mark: &str) -> Vec<i32> {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            String::from_utf8_lossy(&environ).contains(mark)
        })
        .collect()
}

pub(crate) fn signal(pid: i32, signal: Signal) {
    // It may be gone already.
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// Does it run, and not only wait to be asked how it ended?
pub(crate) fn lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}
