//! Puts the commit into the version text, where there is one.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../../.git/HEAD");
    println!("cargo::rerun-if-changed=build.rs");
    let asked = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    // A source archive has no commit; that is no error.
    let commit = asked
        .ok()
        .filter(|answer| answer.status.success())
        .and_then(|answer| String::from_utf8(answer.stdout).ok())
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    let version = env!("CARGO_PKG_VERSION");
    let text = match commit {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    };
    println!("cargo::rustc-env=CUTOVER_VERSION={text}");
}
