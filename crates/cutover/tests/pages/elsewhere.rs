//! The cases that `docs/testing.md` names for what goes wrong elsewhere exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::tree::{read, root};

const PAGE: &str = "docs/testing.md";

/// The rows of the table below the heading: their cells.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let section = page.split("## What goes wrong elsewhere").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let lines = section.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| | |"));
    lines.skip(1).map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What stands between backticks.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Every test below a folder: alone, and with the name of its file.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            for name in tests_of(&fs::read_to_string(&path).unwrap()) {
                found.insert(format!("{stem}::{name}"));
                found.insert(name);
            }
        }
    }
}

fn tests_of(source: &str) -> Vec<String> {
    let mut found = vec![];
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let name = line.trim_start_matches("async ").strip_prefix("fn ");
        if let Some((name, _)) = name.and_then(|rest| rest.split_once('('))
            && std::mem::take(&mut is_test)
        {
            found.push(name.to_owned());
        }
    }
    found
}

/// Everything that a case may be.
struct Cases {
    tests: BTreeSet<String>,
    promises: String,
    blows: String,
    faults: String,
}

impl Cases {
    fn there() -> Cases {
        let mut found = BTreeSet::new();
        tests(&root().join("crates"), &mut found);
        Cases {
            tests: found,
            promises: read("crates/cutover-sim/src/invariants.rs"),
            blows: read("crates/cutover-sim/src/strike.rs"),
            faults: read("crates/cutover-faults/src/fault.rs"),
        }
    }

    fn have(&self, name: &str) -> bool {
        let number = name.strip_prefix('I').filter(|rest| rest.parse::<u32>().is_ok());
        match (number, name.strip_prefix("Blow::")) {
            (Some(_), _) => self.promises.contains(&format!("//! | {name} | ")),
            (None, Some(blow)) => self.blows.contains(&format!("    {blow},\n")),
            (None, None) if name.contains('-') => self.faults.contains(&format!("\"{name}\"")),
            (None, None) => self.tests.contains(name),
        }
    }
}

#[test]
fn what_goes_wrong_elsewhere_has_cases_that_exist() {
    let page = read(PAGE);
    let cases = Cases::there();
    let rows = rows(&page);
    assert!(rows.len() > 60, "only {} rows", rows.len());
    let mut wrong = vec![];
    for row in &rows {
        let [defect, reported, case] = row[..] else { panic!("not three cells: {row:?}") };
        let named = named(case);
        if defect.is_empty() || reported.is_empty() || named.is_empty() {
            wrong.push(format!("a cell is empty: {row:?}"));
        }
        let missing = named.iter().filter(|name| !cases.have(name));
        wrong.extend(missing.map(|name| format!("there is no {name}: {defect}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_case_that_does_not_exist_is_seen() {
    let source = "#[test]\nfn one() {}\nfn two() {}\n    #[tokio::test]\n    async fn three() {}\n";
    assert_eq!(tests_of(source), ["one", "three"]);
    let cases = Cases::there();
    for name in ["I8", "Blow::Abort", "kill-daemon", "under_load::canary", "plan"] {
        assert!(cases.have(name), "{name}");
    }
    for name in ["I99", "Blow::Joy", "kill-joy", "under_load::joy", "canary::joy", "joy", "I"] {
        assert!(!cases.have(name), "{name}");
    }
    assert_eq!(named("`a_b`, `I1` and c"), ["a_b", "I1"]);
}
