//! What old instances left behind is removed, and nothing else.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use cutover_core::id::ReleaseId;
use cutover_core::observed::State;
use cutover_engine::ports::{KeepLeft, Left, Platform};

use crate::ground::Ground;

const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

/// A folder as a daemon that was killed while it removed an instance leaves it.
fn leave(ground: &Ground, id: &str, age: Duration) {
    leave_in(&ground.instance(id), age);
}

fn leave_in(folder: &Path, age: Duration) {
    fs::create_dir_all(folder.join("secrets")).unwrap();
    for (name, length) in [("log", 1000), ("secrets/KEY", 24)] {
        let path = folder.join(name);
        cutover_files::write_atomic(&path, &vec![b'x'; length]).unwrap();
        File::open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }
}

async fn prune(ground: &Ground, kept: &[u32], dry_run: bool) -> Vec<String> {
    let releases: BTreeSet<ReleaseId> = kept.iter().copied().map(ReleaseId).collect();
    let keep = KeepLeft { releases, logs: MONTH };
    let left = ground.platform.prune(&ground.subject, &keep, dry_run).await.unwrap();
    let mut names: Vec<String> = left
        .iter()
        .map(|Left { instance, bytes }| {
            assert_eq!(*bytes, 1024, "{instance}");
            instance.to_string()
        })
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_no_instance_needs_goes_and_running_ones_and_other_apps_stay() {
    let ground = Ground::new();
    let release = ground.release(&["serve", "200 OK"]);
    ground.want(&[("r1.0", &release)]).await;
    ground.until_state("r1.0", State::Ready).await;
    leave(&ground, "r1.7", Duration::ZERO);
    leave(&ground, "r2.0", Duration::ZERO);
    leave(&ground, "r3.0", 2 * MONTH);
    leave(&ground, "r3.1", MONTH / 2);
    let other = ground.instance("../shop.production/r2.0");
    leave_in(&other, 2 * MONTH);
    fs::create_dir(ground.instance("notes")).unwrap();

    let gone = prune(&ground, &[1, 3], true).await;
    assert_eq!(gone, ["r2.0", "r3.0"], "not kept, and too old");
    assert!(ground.instance("r2.0/log").exists(), "a dry run removes nothing");
    assert!(!ground.instance("r2.0/lock").exists(), "and leaves nothing");
    assert_eq!(prune(&ground, &[1, 3], false).await, gone);
    assert!(!ground.instance("r2.0").exists() && !ground.instance("r3.0").exists());
    for kept in ["r1.0/log", "r1.7/log", "r3.1/log", "notes"] {
        assert!(ground.instance(kept).exists(), "{kept}");
    }
    assert!(other.join("log").exists());

    // Not even an instance whose release nobody keeps is touched while it runs.
    assert_eq!(prune(&ground, &[], false).await, ["r1.7", "r3.1"]);
    assert_eq!(ground.see("r1.0").await.unwrap().state, State::Ready);
    assert!(ground.instance("r1.0/keeper.json").exists());
    ground.want(&[]).await;
    ground.until_gone("r1.0").await;
}
