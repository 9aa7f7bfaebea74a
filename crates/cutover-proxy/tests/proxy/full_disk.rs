//! A disk with no room left.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::client::get;
use crate::support::instance::Instance;
use crate::support::{PROGRAM, Proxy, even, until};

/// A disk of its own that can be filled, in this folder. Needs root and mounts.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<SmallDisk> {
        fs::create_dir(at).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"])
            .arg(at)
            .output()
            .ok()?;
        mount.status.success().then(|| SmallDisk(at.to_owned()))
    }
    /// To the last byte.
    fn fill(&self) {
        let mut file = File::create(self.0.join("filler")).unwrap();
        for block in [4096, 1] {
            while file.write_all(&vec![0; block]).is_ok() {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        // The folder around it could not be removed while it was mounted.
        let _ = self.0.parent().map(fs::remove_dir_all);
    }
}

#[test]
fn a_full_disk_keeps_no_table_from_coming_into_force_and_no_proxy_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("s")) else {
        eprintln!("skipped: needs root and mounts; run the tests as root to switch it on");
        return;
    };
    let mut proxy = Proxy::start_as(folder, PROGRAM.into());
    let (good, bad) = (Instance::start("good"), Instance::start("bad"));
    proxy.publish(even(&[("r2.0", bad.address)]));
    disk.fill();
    // Several times: what is left of the ballast is kept for the next one.
    for _ in 0..5 {
        proxy.publish(even(&[("r1.0", good.address)]));
        assert_eq!(get(proxy.listen, "/").text(), "good");
        proxy.publish(even(&[("r2.0", bad.address)]));
        disk.fill();
    }
    proxy.publish(even(&[("r1.0", good.address)]));
    let pid = proxy.state().pid;
    proxy.kill_proxy();
    until("another proxy serves", || proxy.try_state().is_some_and(|state| state.pid != pid));
    assert_eq!(get(proxy.listen, "/").text(), "good", "what was acknowledged was stored");
    fs::remove_file(disk.0.join("filler")).unwrap();
    proxy.publish(even(&[("r1.0", good.address), ("r1.1", good.address)]));
    assert_eq!(fs::metadata(proxy.folders.ballast()).unwrap().len(), 64 * 1024);
    proxy.stop();
}
